"""The hit test: what is found for a question, what each stage said of it, and whether it would be answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Query, Response

from app.console.guard import ConsoleRoute, Reading
from app.console.highlight import Piece, pieces
from app.console.pages import Visit, page
from app.console.texts import language_of, sentence_of, word
from app.why_not import Answered
from knowledge.answerability import Answerability
from knowledge.errors import CopilotError, InvalidInput, Unavailable
from knowledge.models import KnowledgeBase, Passage
from knowledge.retriever import Retrieval

LIMITS = (5, 10, 20, 50)
# The shortest bar: the last of the list is still something.
SHORTEST = 0.12
LONGEST = 4000  # characters of what is expected

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A passage with what was matched in it, and the lengths of its bars, 0–1, within this list."""

    passage: Passage
    document: list[Piece]
    heading: list[Piece]
    text: list[Piece]
    bars: dict[str, float]


@dataclass(frozen=True, slots=True)
class Told:
    """Why something is found or not, and the chunk it is about as the list shows chunks."""

    answered: Answered
    found: Found | None


@router.get("/kb/{kb}/search")
async def hit_test(
    visit: Reading, kb: str, q: str = "", limit: int = Query(10, ge=1, le=100), expected: str = ""
) -> Response:
    """``expected`` is what should be found: a document, a chunk, or a text."""
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    shown = partial(_page, visit, base, q, limit, expected[:LONGEST].strip())
    if not q.strip():
        return shown()
    try:
        retrieval = await visit.services.knowledge.search(visit.tenant, q, kbs=[base.id], limit=limit)
        told = await _explained(visit, base, q, expected[:LONGEST], limit) if expected.strip() else None
    except (InvalidInput, Unavailable) as error:
        return shown(error=error)
    verdict = await visit.services.chat.evidence.judge(q, retrieval)
    return shown(retrieval=retrieval, verdict=verdict, told=told)


async def _explained(visit: Visit, base: KnowledgeBase, q: str, expected: str, limit: int) -> Told:
    told = await visit.services.why_not.explain(visit.tenant, q, base.id, expected, limit=limit)
    chunk = told.explanation.chunk
    return Told(told, found_for(q, [chunk])[0] if chunk is not None else None)


def _page(
    visit: Visit,
    base: KnowledgeBase,
    q: str,
    limit: int,
    expected: str,
    *,
    told: Told | None = None,
    retrieval: Retrieval | None = None,
    verdict: Answerability | None = None,
    error: CopilotError | None = None,
) -> Response:
    return page(
        visit,
        "hit_test.html",
        status=503 if isinstance(error, Unavailable) else 200,
        base=base,
        q=q,
        limit=limit,
        limits=sorted({*LIMITS, limit}),
        expected=expected,
        told=told,
        found=found_for(q, retrieval.passages) if retrieval else [],
        timings=retrieval.timings_ms if retrieval else {},
        notes=[word(language_of(visit.request), "error", code) for code in retrieval.notes] if retrieval else [],
        phrasings=retrieval.phrasings[1:] if retrieval else (),
        verdict=verdict,
        problem=sentence_of(language_of(visit.request), error) if error else "",
    )


def found_for(question: str, passages: Sequence[Passage]) -> list[Found]:
    """As the list of hits shows them."""
    dense = _bars([passage.scores.dense for passage in passages], from_lowest=True)
    lexical = _bars([passage.scores.lexical for passage in passages])
    fused = _bars([passage.score for passage in passages])
    rerank = _bars([passage.scores.rerank for passage in passages], from_lowest=True)
    return [
        Found(
            passage,
            document=pieces(passage.document, question),
            heading=pieces(passage.place.heading, question),
            text=pieces(passage.text, question),
            bars={"dense": a, "lexical": b, "fused": c, "rerank": d},
        )
        for passage, a, b, c, d in zip(passages, dense, lexical, fused, rerank, strict=True)
    ]


def _bars(scores: Sequence[float | None], *, from_lowest: bool = False) -> list[float]:
    """Lengths relative to the list's best; ``from_lowest`` for cosines, which differ in the second decimal only."""
    known = [score for score in scores if score is not None]
    if not known:
        return [0.0 for _ in scores]
    floor = min(known) if from_lowest else min(0.0, *known)
    span = max(known) - floor
    return [
        0.0 if score is None else SHORTEST + (1 - SHORTEST) * ((score - floor) / span if span else 1.0)
        for score in scores
    ]
