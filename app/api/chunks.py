"""Chunks changed by people. A chunk's id is made from what it says, so who changes one names what was seen:
where somebody was quicker, the answer is 409 ``chunk_changed``.
"""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from app.api.bodies import Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from app.api.render import document_json, edit_json, listed_json
from ingest.clean import clean
from knowledge.chunk_editor import ListedChunk
from knowledge.chunk_edits import MOST_PARTS, EditKind, merged, retold, reverted, split, switched
from knowledge.errors import InvalidInput
from knowledge.models import Document

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 422))

LONGEST = 100_000  # characters; the limit of a chunk is lower and has a sentence of its own


class ChunkChanges(Body):
    """One of both."""

    text: str | None = Field(default=None, max_length=LONGEST)
    disabled: bool | None = None


class Parts(Body):
    texts: list[str] = Field(min_length=2, max_length=MOST_PARTS)


class Following(Body):
    """``next`` is the id of the chunk after it."""

    next: str = Field(max_length=40)


@router.patch("/chunks/{chunk_id}", status_code=202)
async def change_chunk(chunk_id: str, body: ChunkChanges, who: Writer, services: TheServices) -> dict[str, Any]:
    """Correct a chunk, or take it out of every answer, or back. It is a new version of its document, at once."""
    if (body.text is None) == (body.disabled is None):
        raise InvalidInput("Send either text or disabled.", code="chunk_change_invalid")
    change = switched(disabled=body.disabled) if body.disabled is not None else retold(clean(body.text or ""))
    kind: EditKind = "text" if body.disabled is None else "disable" if body.disabled else "enable"
    return _changed(*await services.knowledge.change_chunk(who.tenant, chunk_id, change, kind=kind, by=who.label))


@router.post("/chunks/{chunk_id}/split", status_code=202)
async def split_chunk(chunk_id: str, body: Parts, who: Writer, services: TheServices) -> dict[str, Any]:
    """Several chunks in the place of one."""
    change = split([clean(text) for text in body.texts])
    return _changed(*await services.knowledge.change_chunk(who.tenant, chunk_id, change, kind="split", by=who.label))


@router.post("/chunks/{chunk_id}/merge", status_code=202)
async def merge_chunks(chunk_id: str, body: Following, who: Writer, services: TheServices) -> dict[str, Any]:
    """One chunk of this one and the next; what the next repeats is said once."""
    change = merged(body.next)
    return _changed(*await services.knowledge.change_chunk(who.tenant, chunk_id, change, kind="merge", by=who.label))


@router.post("/chunks/{chunk_id}/revert", status_code=202)
async def revert_chunk(chunk_id: str, who: Writer, services: TheServices) -> dict[str, Any]:
    """What was read from the file, again."""
    made = await services.knowledge.change_chunk(who.tenant, chunk_id, reverted(), kind="revert", by=who.label)
    return _changed(*made)


@router.get("/documents/{document_id}/lost-edits")
async def list_lost_edits(document_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """Edits of chunks that no longer apply, because a newer upload says something else there."""
    document = await services.knowledge.catalog.document(who.tenant, document_id)
    return {"lost_edits": [edit_json(edit) for edit in await services.knowledge.editor.lost(document)]}


@router.delete("/documents/{document_id}/lost-edits", status_code=204)
async def forget_lost_edits(document_id: str, who: Writer, services: TheServices) -> None:
    """People have seen them."""
    document = await services.knowledge.catalog.document(who.tenant, document_id)
    await services.knowledge.editor.forget_lost(document)


def _changed(document: Document, chunks: list[ListedChunk]) -> dict[str, Any]:
    return {"document": document_json(document), "chunks": [listed_json(chunk) for chunk in chunks]}
