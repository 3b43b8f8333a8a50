"""Knowledge bases, documents, chunks and the hit test over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import Field

from app.api.bodies import MOST, Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from app.api.render import chunk_json, document_json, kb_json, search_json
from knowledge.models import DocumentStatus

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 413, 415, 422, 503))

PIECE = 1 << 18


class NewKnowledgeBase(Body):
    name: str


class SearchRequest(Body):
    query: str
    limit: int = Field(default=10, ge=1, le=100)


@router.get("/knowledge-bases")
async def list_knowledge_bases(who: Reader, services: TheServices) -> dict[str, Any]:
    """All knowledge bases with their counts."""
    found = await services.knowledge.catalog.knowledge_bases(who.tenant)
    return {"knowledge_bases": [kb_json(kb) for kb in found]}


@router.post("/knowledge-bases", status_code=201)
async def create_knowledge_base(body: NewKnowledgeBase, who: Writer, services: TheServices) -> dict[str, Any]:
    """A new, empty knowledge base."""
    return kb_json(await services.knowledge.create(who.tenant, body.name))


@router.delete("/knowledge-bases/{kb}", status_code=204)
async def delete_knowledge_base(kb: str, who: Writer, services: TheServices) -> None:
    """Forget a knowledge base with everything in it."""
    await services.knowledge.delete(who.tenant, kb)


@router.get("/knowledge-bases/{kb}/documents")
async def list_documents(
    kb: str,
    who: Reader,
    services: TheServices,
    status: list[DocumentStatus] = Query(default=[]),  # noqa: B008 (FastAPI's way)
    q: str = "",
    limit: int = Query(default=100, ge=1, le=500),
    offset: int = Query(default=0, ge=0, le=MOST),
) -> dict[str, Any]:
    """A page of documents, newest change first."""
    base = await services.knowledge.catalog.knowledge_base(who.tenant, kb)
    page, total = await services.knowledge.catalog.documents(
        base, statuses=status, contains=q, limit=limit, offset=offset
    )
    return {"documents": [document_json(document) for document in page], "total": total}


@router.post("/knowledge-bases/{kb}/documents", status_code=202)
async def upload_document(
    kb: str,
    who: Writer,
    services: TheServices,
    file: UploadFile = File(),  # noqa: B008 (FastAPI's way)
    name: str | None = Form(default=None),
) -> dict[str, Any]:
    """Take in a document; follow it at ``GET /v1/documents/{id}``. The same bytes again are no work."""
    received = await services.knowledge.upload(who.tenant, kb, name or file.filename or "", _pieces(file))
    return {**document_json(received.document), "job_id": received.job_id, "unchanged": not received.fresh}


@router.get("/documents/{document_id}")
async def get_document(document_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """Where a document stands."""
    return document_json(await services.knowledge.catalog.document(who.tenant, document_id))


@router.delete("/documents/{document_id}", status_code=204)
async def delete_document(document_id: str, who: Writer, services: TheServices) -> None:
    """Take a document out of every answer, at once."""
    await services.knowledge.delete_document(who.tenant, document_id)


@router.post("/documents/{document_id}/reingest", status_code=202)
async def reingest_document(document_id: str, who: Writer, services: TheServices) -> dict[str, Any]:
    """Process the bytes last received once more."""
    return document_json(await services.knowledge.reingest(who.tenant, document_id))


@router.get("/documents/{document_id}/chunks")
async def list_chunks(
    document_id: str,
    who: Reader,
    services: TheServices,
    limit: int = Query(default=100, ge=1, le=500),
    offset: int = Query(default=0, ge=0, le=MOST),
) -> dict[str, Any]:
    """The chunks of the live version, in reading order."""
    document, chunks = await services.knowledge.chunks(who.tenant, document_id, limit=limit, offset=offset)
    return {"document": document_json(document), "chunks": [chunk_json(c) for c in chunks], "total": document.chunks}


@router.post("/knowledge-bases/{kb}/search")
async def search(kb: str, body: SearchRequest, who: Reader, services: TheServices) -> dict[str, Any]:
    """The hit test: passages with the scores of each stage."""
    found = await services.knowledge.search(who.tenant, body.query, kbs=[kb], limit=body.limit)
    return search_json(found)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece
