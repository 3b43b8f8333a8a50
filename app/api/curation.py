"""Curated answers, and the questions that could not be answered, over HTTP."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from app.api.bodies import MOST, Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from app.chat.curation import GAPS
from app.chat.gaps import Gap, GapCluster
from knowledge.curated import CuratedAnswer, CuratedState
from knowledge.curated_draft import CuratedDraft

router = APIRouter(prefix="/v1", tags=["curation"], responses=problems(400, 404, 409, 413, 422))


class CuratedBody(Body):
    """``variants`` are other wordings of the question; ``knowledge_bases`` null is all of them.

    It answers from ``valid_from`` on and before ``valid_until``, where they are given. ``gap`` is the id of a gap that
    it is written for: that is closed, with those alike, when it is live.
    """

    question: str
    answer: str
    variants: list[str] = Field(default_factory=list)
    knowledge_bases: list[str] | None = None
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    state: Literal["proposed", "live"] = "live"
    gap: str | None = None


class CuratedChanges(Body):
    """What is left out stays as it is. ``state`` publishes, retires, or puts back among the proposed."""

    question: str = ""
    answer: str = ""
    variants: list[str] = Field(default_factory=list)
    knowledge_bases: list[str] | None = None
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    state: CuratedState = "live"


class Resolution(Body):
    """The curated answer, which is live, that answers the gap."""

    curated_answer_id: str


@router.get("/curated-answers")
async def list_curated(
    who: Reader,
    services: TheServices,
    state: CuratedState | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> dict[str, Any]:
    """A page of curated answers, newest first."""
    page, total = await services.curation.answers.page(who.tenant, state, limit=limit, offset=offset)
    return {"curated_answers": [curated_json(each) for each in page], "total": total}


@router.post("/curated-answers", status_code=201)
async def create_curated(body: CuratedBody, who: Writer, services: TheServices) -> dict[str, Any]:
    """Write an answer. A live one answers from the next question on, before any document and any model."""
    source: dict[str, Any] = {}
    if body.gap is not None:
        source[GAPS] = _ids((await services.curation.gaps.cluster(who.tenant, body.gap)).gaps)
    live = body.state == "live"
    made = await services.curation.create(who.tenant, _draft(body), live=live, by=who.label, source=source)
    return curated_json(made)


@router.get("/curated-answers/{curated_id}")
async def get_curated(curated_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """One of them."""
    return curated_json(await services.curation.answers.get(who.tenant, curated_id))


@router.patch("/curated-answers/{curated_id}")
async def change_curated(curated_id: str, body: CuratedChanges, who: Writer, services: TheServices) -> dict[str, Any]:
    """Change what is given; publish it (``live``) or retire it (``retired``)."""
    curation, given = services.curation, body.model_fields_set
    known = await curation.answers.get(who.tenant, curated_id)
    wanted = _draft(body)
    changes = {name: getattr(wanted, name) for name in given - {"state"}}
    if changes:
        known = await curation.edit(who.tenant, curated_id, replace(known.draft, **changes), by=who.label)
    if "state" in given:
        known = await curation.set_state(who.tenant, curated_id, body.state, by=who.label)
    return curated_json(known)


@router.delete("/curated-answers/{curated_id}", status_code=204)
async def delete_curated(curated_id: str, who: Writer, services: TheServices) -> None:
    """Forget it. What it answered before stays with the turns."""
    await services.curation.answers.delete(who.tenant, curated_id)


@router.get("/gaps")
async def list_gaps(
    who: Reader,
    services: TheServices,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> dict[str, Any]:
    """Questions that could not be answered, those alike together: the most frequent first, then the newest."""
    clusters = await services.curation.gaps.clusters(who.tenant)
    return {"gaps": [cluster_json(each) for each in clusters[offset : offset + limit]], "total": len(clusters)}


@router.post("/gaps/{gap_id}/dismiss")
async def dismiss_gap(gap_id: str, who: Writer, services: TheServices) -> dict[str, Any]:
    """It is not to be answered, nor are those alike. Asked again, it is a gap again."""
    return {"closed": await services.curation.dismiss(who.tenant, gap_id, by=who.label)}


@router.post("/gaps/{gap_id}/resolve")
async def resolve_gap(gap_id: str, body: Resolution, who: Writer, services: TheServices) -> dict[str, Any]:
    """A curated answer answers it, and those alike."""
    closed = await services.curation.resolve(who.tenant, gap_id, body.curated_answer_id, by=who.label)
    return {"closed": closed}


def curated_json(answer: CuratedAnswer) -> dict[str, Any]:
    shown = asdict(answer)
    del shown["tenant"]
    return shown


def cluster_json(cluster: GapCluster) -> dict[str, Any]:
    return {
        "id": cluster.id,
        "question": cluster.question,
        "count": len(cluster.gaps),
        "last_asked": cluster.last_asked,
        "knowledge_bases": cluster.knowledge_bases,
        "questions": [_gap_json(gap) for gap in cluster.gaps],
    }


def _gap_json(gap: Gap) -> dict[str, Any]:
    return {
        "turn_id": gap.turn_id,
        "question": gap.question,
        "knowledge_bases": gap.knowledge_bases,
        "created_at": gap.created_at,
    }


def _ids(gaps: Sequence[Gap]) -> list[str]:
    return [gap.turn_id for gap in gaps]


def _draft(body: CuratedBody | CuratedChanges) -> CuratedDraft:
    names = None if body.knowledge_bases is None else tuple(body.knowledge_bases)
    return CuratedDraft(body.question, body.answer, tuple(body.variants), names, body.valid_from, body.valid_until)
