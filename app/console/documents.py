"""The documents of a knowledge base, and one document with its chunks."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Response

from app.console.authors import names_of
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import Visit, back_to, page, path_of, see
from app.console.paging import CHUNKS_PER_PAGE, Pages
from app.console.texts import language_of, sentence_of
from app.console.versions import typed_window
from app.identity.keys import Scope
from knowledge.catalog import Catalog
from knowledge.chunk_editor import ListedChunk
from knowledge.database import now
from knowledge.errors import CopilotError, DocumentRefused, InvalidInput
from knowledge.models import Document, DocumentStatus, KnowledgeBase
from knowledge.widths import width

DOCUMENTS_PER_PAGE = 50
# A received document is taken within seconds when a worker runs; after this long, none does.
WAITED_LONG = timedelta(seconds=30)

UNDER_WAY = (DocumentStatus.RECEIVED, DocumentStatus.PROCESSING)
GROUPS: dict[str, tuple[DocumentStatus, ...]] = {
    "all": (),
    "active": UNDER_WAY,
    "live": (DocumentStatus.LIVE,),
    "failed": (DocumentStatus.FAILED,),
}
Group: TypeAlias = str

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/kb/{kb}")
async def documents(
    visit: Reading,
    kb: str,
    status: str = "all",
    q: str = "",
    number: int = Query(1, alias="page", ge=1),
    question: str = "",
) -> Response:
    """``question`` is one that a document is to answer."""
    return await _documents(visit, kb, status=status, q=q, number=number, question=question)


async def _documents(
    visit: Visit,
    kb: str,
    *,
    status: str = "all",
    q: str = "",
    number: int = 1,
    question: str = "",
    url: str = "",
    error: CopilotError | None = None,
) -> Response:
    """``url`` is an address that was not taken, ``error`` why."""
    catalog = visit.services.knowledge.catalog
    base = await catalog.knowledge_base(visit.tenant, kb)
    group = status if status in GROUPS else "all"
    parts = {name: await _count(catalog, base, GROUPS[name], q.strip()) for name in ("active", "live", "failed")}
    counts = {"all": sum(parts.values()), **parts}
    pages = Pages.holding(number, DOCUMENTS_PER_PAGE, counts[group])
    shown, _ = await catalog.documents(
        base, statuses=GROUPS[group], contains=q.strip(), limit=pages.per_page, offset=pages.offset
    )
    return page(
        visit,
        "documents.html",
        status=422 if error else 200,
        url=url,
        problem=sentence_of(language_of(visit.request), error) if error else "",
        base=base,
        documents=shown,
        counts=counts,
        group=group,
        q=q,
        question=question.strip(),
        pages=pages,
        waiting=_waits_for_nobody(shown),
        address=_addresses(base, group, q),
        max_mb=visit.services.settings.max_upload_mb,
    )


@router.post("/kb/{kb}/page")
async def add_page(visit: Writing, kb: str, url: str = Form("", max_length=2000)) -> Response:
    """Take in the page at an address."""
    try:
        await visit.services.knowledge.add_url(visit.tenant, kb, url)
    except (InvalidInput, DocumentRefused) as error:
        return await _documents(visit, kb, url=url, error=error)
    return see(path_of("kb", kb))


@router.get("/documents/{document_id}")
async def document(
    visit: Reading, document_id: str, number: int = Query(1, alias="page", ge=1), chunk: str = ""
) -> Response:
    """``chunk`` opens the page that has this chunk and points at it."""
    knowledge = visit.services.knowledge
    shown = await knowledge.catalog.document(visit.tenant, document_id)
    base = await knowledge.catalog.knowledge_base(visit.tenant, shown.kb_id)
    ordinal = await knowledge.editor.ordinal_of(shown, chunk) if chunk else None
    if ordinal is not None:
        number = ordinal // CHUNKS_PER_PAGE + 1
    _, total = await knowledge.editor.page(shown, limit=1, offset=0)
    pages = Pages.holding(number, CHUNKS_PER_PAGE, total)
    chunks, _ = await knowledge.editor.page(shown, limit=pages.per_page + 1, offset=pages.offset)
    following = [each.chunk.id for each in chunks[1:]] + [""]
    return page(
        visit,
        "document.html",
        base=base,
        document=shown,
        whence=await visit.services.sources.whence(shown.id),
        chunks=list(zip(chunks, map(_width, chunks), following, strict=False))[: pages.per_page],
        pages=pages,
        lost=await knowledge.editor.lost(shown),
        names=await names_of(visit),
        editable=visit.may(Scope.WRITE) and _is_editable(shown),
        target=chunk if ordinal is not None else "",
        target_gone=bool(chunk) and ordinal is None,
        waiting=_waits_for_nobody([shown]),
        address=lambda number: f"{path_of('documents', shown.id)}?page={number}",
        max_mb=visit.services.settings.max_upload_mb,
        versions=await knowledge.past.of(shown),
        window=typed_window(shown),
    )


def _width(listed: ListedChunk) -> int:
    return round(width(listed.chunk.text))


def _is_editable(document: Document) -> bool:
    """While new bytes are processed, whatever is changed now would be about the old ones."""
    return document.live_hash is not None and (
        document.status not in UNDER_WAY or document.live_hash == document.content_hash
    )


@router.post("/documents/{document_id}/reingest")
async def reingest(visit: Writing, document_id: str, next: str = Form("")) -> Response:  # noqa: A002
    await visit.services.knowledge.reingest(visit.tenant, document_id)
    return see(back_to(next, path_of("documents", document_id)))


@router.post("/documents/{document_id}/delete")
async def delete(visit: Writing, document_id: str, next: str = Form("")) -> Response:  # noqa: A002
    knowledge = visit.services.knowledge
    gone = await knowledge.catalog.document(visit.tenant, document_id)
    base = await knowledge.catalog.knowledge_base(visit.tenant, gone.kb_id)
    await knowledge.delete_document(visit.tenant, document_id)
    return see(back_to(next, path_of("kb", base.name)))


async def _count(catalog: Catalog, base: KnowledgeBase, statuses: Sequence[DocumentStatus], contains: str) -> int:
    _, total = await catalog.documents(base, statuses=statuses, contains=contains, limit=1)
    return total


def _waits_for_nobody(documents: Sequence[Document]) -> bool:
    """Something was received long ago and nothing is being processed: is there a worker at all?"""
    if any(document.status is DocumentStatus.PROCESSING for document in documents):
        return False
    since = now() - WAITED_LONG
    received = [document for document in documents if document.status is DocumentStatus.RECEIVED]
    return any(document.updated_at is not None and document.updated_at < since for document in received)


class _addresses:  # noqa: N801 (called like a function in the templates)
    """The address of this list with another page or group."""

    def __init__(self, base: KnowledgeBase, group: Group, q: str) -> None:
        self._path, self._group, self._q = path_of("kb", base.name), group, q

    def __call__(self, number: int = 1, *, group: Group | None = None) -> str:
        wanted = {"status": group or self._group, "q": self._q, "page": number}
        return f"{self._path}?{urlencode(wanted)}"
