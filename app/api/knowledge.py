"""Knowledge bases, documents, chunks and the hit test over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi import Path as PathParam
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, Field
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from app.api.bodies import MOST, Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.explanations import explanation_json
from app.api.problems import problems
from app.api.render import change_json, document_json, kb_json, listed_json, search_json, version_json
from app.api.sources import whence_json
from app.services import Received
from knowledge.models import DocumentStatus
from knowledge.validity import Window

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 413, 415, 422, 503))

PIECE = 1 << 18


class NewKnowledgeBase(Body):
    name: str


class DocumentChanges(Body):
    """What is left out stays as it is; null takes a bound away."""

    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None


class PageAddress(Body):
    url: str = Field(min_length=1, max_length=2000)


class SearchRequest(Body):
    """``explain``: what should be found (the name or id of a document, the id of a chunk, or a text), to be told in
    ``explanation`` why it is, or is not."""

    query: str
    limit: int = Field(default=10, ge=1, le=100)
    sections: bool = False
    explain: str = Field(default="", max_length=4000)


@router.get("/knowledge-bases")
async def list_knowledge_bases(who: Reader, services: TheServices) -> dict[str, Any]:
    """All knowledge bases with their counts."""
    found = await services.knowledge.catalog.knowledge_bases(who.tenant)
    return {"knowledge_bases": [kb_json(kb) for kb in found]}


@router.post("/knowledge-bases", status_code=201)
async def create_knowledge_base(body: NewKnowledgeBase, who: Writer, services: TheServices) -> dict[str, Any]:
    """A new, empty knowledge base."""
    return kb_json(await services.knowledge.create(who.tenant, body.name))


@router.get("/knowledge-bases/{kb}")
async def get_knowledge_base(kb: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """One, with its counts and what was learned for it."""
    return kb_json(await services.knowledge.catalog.counted(who.tenant, kb))


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


class JsonRoute(APIRoute):
    """Meant only when the body is JSON: the same path takes files, too."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        sent = Headers(scope=scope).get("content-type", "") if scope["type"] == "http" else ""
        return (match, child) if sent.partition(";")[0].strip().lower() == "application/json" else (Match.NONE, {})


async def add_page(kb: str, body: PageAddress, who: Writer, services: TheServices) -> dict[str, Any]:
    """Take in the page at an address."""
    return _received_json(await services.knowledge.add_url(who.tenant, kb, body.url))


router.routes.append(
    JsonRoute(
        "/v1/knowledge-bases/{kb}/documents",
        add_page,
        methods=["POST"],
        status_code=202,
        include_in_schema=False,
    )
)
_BY_ADDRESS = {"requestBody": {"content": {"application/json": {"schema": PageAddress.model_json_schema()}}}}


@router.post("/knowledge-bases/{kb}/documents", status_code=202, openapi_extra=_BY_ADDRESS)
async def upload_document(
    kb: str,
    who: Writer,
    services: TheServices,
    file: UploadFile = File(),  # noqa: B008 (FastAPI's way)
    name: str | None = Form(default=None),
    valid_from: AwareDatetime | None = Form(default=None),  # noqa: B008
    valid_until: AwareDatetime | None = Form(default=None),  # noqa: B008
) -> dict[str, Any]:
    """Take in a document; follow it at ``GET /v1/documents/{id}``. The same bytes again are no work.

    A ZIP becomes a document for each file in it, named ``archive.zip/path/in/it``; its own says what was left out.
    With ``valid_from`` or ``valid_until``, it is in answers from the one on and before the other, from now on.
    With ``{"url": …}`` as JSON it is fetched from there, by a worker.
    """
    window = Window(valid_from, valid_until) if valid_from or valid_until else None
    received = await services.knowledge.upload(
        who.tenant, kb, name or file.filename or "", _pieces(file), window=window, by=who.label
    )
    return _received_json(received)


@router.get("/documents/{document_id}")
async def get_document(document_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """Where a document stands, and where it comes from."""
    document = await services.knowledge.catalog.document(who.tenant, document_id)
    return {**document_json(document), "origin": whence_json(await services.sources.whence(document.id))}


@router.patch("/documents/{document_id}")
async def change_document(
    document_id: str, body: DocumentChanges, who: Writer, services: TheServices
) -> dict[str, Any]:
    """When a document is valid: it is in answers, and out of them, to the moment."""
    known = await services.knowledge.catalog.document(who.tenant, document_id)
    given = body.model_fields_set
    start = body.valid_from if "valid_from" in given else known.window.start
    end = body.valid_until if "valid_until" in given else known.window.end
    return document_json(await services.knowledge.set_window(who.tenant, document_id, Window(start, end)))


@router.get("/documents/{document_id}/versions")
async def list_versions(document_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """The last publications of a document, newest first."""
    document = await services.knowledge.catalog.document(who.tenant, document_id)
    versions = await services.knowledge.past.of(document)
    return {"versions": [version_json(version, document) for version in versions]}


@router.get("/documents/{document_id}/diff")
async def diff_versions(
    document_id: str,
    who: Reader,
    services: TheServices,
    before: Annotated[int, Query(ge=1, le=MOST)],
    after: Annotated[int, Query(ge=1, le=MOST)],
) -> dict[str, Any]:
    """What was added, removed and changed from one version to another; rows of tables row by row."""
    changes = await services.knowledge.diff(who.tenant, document_id, before, after)
    return {"before": before, "after": after, "changes": [change_json(change) for change in changes]}


@router.post("/documents/{document_id}/versions/{number}/restore", status_code=202)
async def restore_version(
    document_id: str, number: Annotated[int, PathParam(ge=1, le=MOST)], who: Writer, services: TheServices
) -> dict[str, Any]:
    """Have an earlier version answer again, at once. Vectors that are gone are made anew behind it."""
    return document_json(await services.knowledge.restore(who.tenant, document_id, number, by=who.label))


@router.post("/documents/{document_id}/undo", status_code=202)
async def undo_publication(document_id: str, who: Writer, services: TheServices) -> dict[str, Any]:
    """Undo the last publication of a document: the version before it answers again, at once."""
    return document_json(await services.knowledge.restore(who.tenant, document_id, by=who.label))


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
    """The chunks of the live version, in reading order, and what people changed of them.

    ``disabled`` ones are in no answer; ``read`` is what an edited one was made from.
    """
    document, chunks, total = await services.knowledge.chunks(who.tenant, document_id, limit=limit, offset=offset)
    return {"document": document_json(document), "chunks": [listed_json(c) for c in chunks], "total": total}


@router.post("/knowledge-bases/{kb}/search")
async def search(kb: str, body: SearchRequest, who: Reader, services: TheServices) -> dict[str, Any]:
    """The hit test: passages with the scores of each stage. With ``sections`` as answers are given them: ``before`` and
    ``after`` have what stands around a hit, and hits of one section are one passage."""
    found = await services.knowledge.search(who.tenant, body.query, kbs=[kb], limit=body.limit, sections=body.sections)
    if not body.explain.strip():
        return search_json(found)
    told = await services.why_not.explain(who.tenant, body.query, kb, body.explain, limit=body.limit)
    return {**search_json(found), "explanation": explanation_json(told)}


def _received_json(received: Received) -> dict[str, Any]:
    return {**document_json(received.document), "job_id": received.job_id, "unchanged": not received.fresh}


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece
