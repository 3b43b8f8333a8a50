"""How a knowledge base is cut into chunks, over HTTP."""

from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Query
from pydantic import Field

from app.api.bodies import Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from app.api.render import chunk_json
from app.rechunking import Side
from app.wiring import Services
from knowledge.chunking import DEFAULT, Chunking
from knowledge.models import KnowledgeBase

router = APIRouter(
    prefix="/v1/knowledge-bases/{kb}/chunking",
    tags=["knowledge"],
    responses=problems(400, 404, 409, 413, 415, 422, 503),
)


class Changes(Body):
    """What is left out stays as it is. Sizes are in Chinese characters; other scripts are counted as what makes as many
    tokens."""

    size: int | None = None
    overlap: int | None = None
    join_small: bool | None = None
    row_by_row: bool | None = None

    def to(self, chunking: Chunking) -> Chunking:
        names = ("size", "overlap", "join_small", "row_by_row")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(chunking, **given)


class Chosen(Changes):
    rechunk: bool = True


class Tried(Changes):
    document_id: str = Field(min_length=1, max_length=64)


@router.get("")
async def get_chunking(kb: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """How documents are cut, and how many of those that are there are cut so."""
    return await _chunking_json(services, await services.knowledge.catalog.knowledge_base(who.tenant, kb))


@router.patch("")
async def change_chunking(kb: str, body: Chosen, who: Writer, services: TheServices) -> dict[str, Any]:
    """Cut otherwise from now on. Unless ``rechunk`` is false, the documents that are there are cut anew by jobs of the
    worker: each answers as it is until it is done, and only chunks that are new are embedded."""
    base = await services.knowledge.catalog.knowledge_base(who.tenant, kb)
    chosen = body.to(base.chunking)
    return await _chunking_json(services, await services.rechunking.choose(base, chosen, rechunk=body.rechunk))


@router.post("/preview")
async def preview_chunking(
    kb: str, body: Tried, who: Reader, services: TheServices, limit: int = Query(default=20, ge=1, le=500)
) -> dict[str, Any]:
    """A document's chunks as they are and as they would be, the first ``limit`` of both; nothing is changed."""
    base = await services.knowledge.catalog.knowledge_base(who.tenant, kb)
    seen = await services.rechunking.preview(base, body.document_id, body.to(base.chunking))
    sides = {"before": _side_json(seen.before, limit), "after": _side_json(seen.after, limit)}
    return {"document": seen.document.name, **sides, "kept": len(seen.kept), "new": seen.new}


async def _chunking_json(services: Services, base: KnowledgeBase) -> dict[str, Any]:
    documents = asdict(await services.rechunking.standing(base))
    return {**base.chunking.stored(), "default": DEFAULT.stored(), "documents": documents}


def _side_json(side: Side, limit: int) -> dict[str, Any]:
    return {
        "total": len(side.chunks),
        "width": {"least": side.least, "median": side.median, "most": side.most},
        "chunks": [chunk_json(one) for one in side.chunks[:limit]],
    }
