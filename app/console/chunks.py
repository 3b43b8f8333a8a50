"""What people do to chunks on a document's page."""

from fastapi import APIRouter, Form, Response

from app.console.authors import label_of
from app.console.guard import ConsoleRoute, Writing
from app.console.pages import Visit, path_of, see
from ingest.clean import clean
from knowledge.chunk_edits import ChunkChange, EditKind, merged, retold, reverted, split, switched

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.post("/chunks/{chunk_id}/text")
async def retell(visit: Writing, chunk_id: str, text: str = Form("")) -> Response:
    return await _changed(visit, chunk_id, retold(clean(text)), "text")


@router.post("/chunks/{chunk_id}/split")
async def split_up(visit: Writing, chunk_id: str, text: str = Form(""), rest: str = Form("")) -> Response:
    return await _changed(visit, chunk_id, split([clean(text), clean(rest)]), "split")


@router.post("/chunks/{chunk_id}/merge")
async def merge(visit: Writing, chunk_id: str, following: str = Form("")) -> Response:
    return await _changed(visit, chunk_id, merged(following), "merge")


@router.post("/chunks/{chunk_id}/disable")
async def disable(visit: Writing, chunk_id: str) -> Response:
    return await _changed(visit, chunk_id, switched(disabled=True), "disable")


@router.post("/chunks/{chunk_id}/enable")
async def enable(visit: Writing, chunk_id: str) -> Response:
    return await _changed(visit, chunk_id, switched(disabled=False), "enable")


@router.post("/chunks/{chunk_id}/revert")
async def revert(visit: Writing, chunk_id: str) -> Response:
    return await _changed(visit, chunk_id, reverted(), "revert")


@router.post("/documents/{document_id}/lost-edits")
async def forget_lost_edits(visit: Writing, document_id: str) -> Response:
    """They were seen."""
    knowledge = visit.services.knowledge
    await knowledge.editor.forget_lost(await knowledge.catalog.document(visit.tenant, document_id))
    return see(path_of("documents", document_id))


async def _changed(visit: Visit, chunk_id: str, change: ChunkChange, kind: EditKind) -> Response:
    document, chunks = await visit.services.knowledge.change_chunk(
        visit.tenant, chunk_id, change, kind=kind, by=label_of(visit)
    )
    return see(f"{path_of('documents', document.id)}?chunk={chunks[0].chunk.id}#{chunks[0].chunk.id}")
