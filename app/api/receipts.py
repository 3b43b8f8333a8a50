"""The receipt of an answer, for operators."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from app.api.dependencies import Reader, TheServices
from app.api.problems import problems
from app.chat.events import passage_json
from app.chat.receipts import Receipt
from app.chat.waterfall import spans
from app.llm.calls import KeptCall

router = APIRouter(prefix="/v1/turns", tags=["chat"], responses=problems(404, 422, 500))

_AS_THEY_ARE = (
    "id", "conversation_id", "channel", "question", "condensed", "knowledge_bases", "status", "finish", "answer",
    "citations", "refused", "error_code", "model", "prompt_version", "cached", "saved_tokens", "timings_ms",
)  # fmt: skip


@router.get("/{turn_id}")
async def receipt(turn_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """How an answer came about: evidence with its scores, verdict, prompts, model calls, times, cost, feedback.

    ``prompts``, ``calls``, ``verdict`` and the scores are kept for ``COPILOT_CALL_LOG_DAYS``.
    """
    return receipt_json(await services.receipts.of(who.tenant, turn_id))


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    trail = receipt.trail
    usage = {"prompt_tokens": receipt.prompt_tokens, "completion_tokens": receipt.completion_tokens}
    return {
        **{name: getattr(receipt, name) for name in _AS_THEY_ARE},
        "usage": usage,
        "created_at": receipt.created_at.isoformat(),
        "passages": [
            {"n": n, **passage_json(each), "scores": asdict(each.scores), "given": n <= receipt.given}
            for n, each in enumerate(receipt.passages, 1)
        ],
        "verdict": asdict(trail.verdict) if trail and trail.verdict else None,
        "citations_removed": list(trail.pointless) if trail else [],
        "shared": bool(trail and trail.shared),
        "retrieval_ms": trail.retrieval_ms if trail else {},
        "retrieval_notes": list(trail.notes) if trail else [],
        "prompts": [asdict(sent) for sent in trail.sent] if trail else [],
        "calls": [_call_json(call) for call in receipt.calls],
        "cost": {"amounts": receipt.amounts, "unpriced_calls": receipt.unpriced},
        "waterfall": [asdict(span) for span in spans(receipt)],
        "feedback": _dated(asdict(receipt.feedback)) if receipt.feedback else None,
        "versions": [_dated(asdict(version)) for version in receipt.versions],
    }


def _call_json(call: KeptCall) -> dict[str, Any]:
    return {**asdict(call), "ended_at": call.ended_at.isoformat()}


def _dated(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "created_at": found["created_at"].isoformat()}
