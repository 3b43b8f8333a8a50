"""Why something was not found, as JSON."""

from dataclasses import asdict
from typing import Any

from app.chat.events import passage_json
from app.why_not import Answered
from knowledge.expected import Expected
from knowledge.why_not import Standing


def explanation_json(told: Answered) -> dict[str, Any]:
    """``verdict`` and ``hints`` are codes. Ranks count from 1; ``rank`` null: below ``looked``, or nowhere."""
    explained = told.explanation
    return {
        "verdict": told.verdict,
        "expected": _expected(explained.expected),
        "chunk": passage_json(explained.chunk) if explained.chunk else None,
        "rank": explained.rank,
        "fused_rank": explained.fused,
        "score": explained.score,
        "best_score": explained.best,
        "least_score": explained.least,
        "dense": _standing(explained.dense),
        "lexical": _standing(explained.lexical),
        "words": asdict(explained.words) if explained.words else None,
        "hints": list(explained.hints),
        "limit": explained.limit,
        "passages": told.passages,
        "confidence": told.confidence,
    }


def _expected(expected: Expected) -> dict[str, Any]:
    document = expected.document
    return {
        "kind": expected.kind,
        "document": document.name if document else None,
        "document_id": document.id if document else None,
        "share": expected.share,
        "older_version": expected.older,
        "elsewhere": expected.elsewhere or None,
        "reason": expected.reason or None,
    }


def _standing(standing: Standing | None) -> dict[str, Any] | None:
    return asdict(standing) if standing is not None else None
