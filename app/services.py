"""Knowledge as operators use it: the same calls for HTTP, the console and the CLI."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from app.jobs.ingestion import KIND, MAX_ATTEMPTS
from app.jobs.models import Job
from app.jobs.service import JobService, Wanted
from ingest.files import FileStore, StoredFile
from ingest.pipeline import indexed
from ingest.sniff import ZIP
from ingest.sources import clean_name
from ingest.unpacked import folder_of
from ingest.web.addresses import Allowed, checked_url
from ingest.web.names import name_of
from knowledge.catalog import Catalog
from knowledge.chunk_editor import ChunkEditor, ListedChunk
from knowledge.chunk_edits import ChunkChange, EditKind, Index
from knowledge.errors import Unavailable
from knowledge.lexical import LexicalIndex
from knowledge.models import Document, DocumentStatus, KnowledgeBase
from knowledge.orphans import delete_orphans
from knowledge.past import PastVersions
from knowledge.ports import Embedder, VectorStore
from knowledge.retriever import Retrieval, Retriever
from knowledge.validity import Window
from knowledge.vector_ledger import VectorLedger
from knowledge.vectors import collection_name
from knowledge.version_diff import Change, diff
from knowledge.versions import ELSEWHERE, Versions

MAX_RESULTS = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """A document that was taken in; ``fresh`` is False when these bytes are live or under way already: no job then."""

    document: Document
    fresh: bool
    job_id: str | None = None


class KnowledgeService:
    """Knowledge bases, documents, chunks and the hit test of one installation."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        versions: Versions,
        vector_ledger: VectorLedger,
        vectors: VectorStore,
        lexical: LexicalIndex,
        embedder: Embedder,
        retriever: Retriever,
        files: FileStore,
        jobs: JobService,
        past: PastVersions,
        editor: ChunkEditor,
        allowed: Allowed | None = None,
    ) -> None:
        self.past = past
        self.editor = editor
        self.catalog = catalog
        self._versions = versions
        self._vector_ledger = vector_ledger
        self._vectors = vectors
        self._lexical = lexical
        self._embedder = embedder
        self._retriever = retriever
        self._files = files
        self._jobs = jobs
        self._allowed = allowed or Allowed()

    async def create(self, tenant: str, name: str) -> KnowledgeBase:
        return await self.catalog.create_knowledge_base(tenant, name, embedding_model=self._embedder.model_id)

    async def ensure(self, tenant: str, name: str) -> KnowledgeBase:
        """The knowledge base of this name, made if it is not there."""
        for kb in await self.catalog.named(tenant, None):
            if name in (kb.name, kb.id):
                return kb
        return await self.create(tenant, name)

    async def delete(self, tenant: str, name: str) -> None:
        kb = await self.catalog.knowledge_base(tenant, name)
        had, shelves = await self._versions.hashes_of(kb), await self.catalog.shelves(kb)
        kb = await self.catalog.delete_knowledge_base(tenant, kb.id)
        await self._remove_files(tenant, had)
        for shelf in shelves:
            await self._vectors.drop(collection_name(kb, shelf))
        await self._lexical.drop(kb)

    async def upload(
        self,
        tenant: str,
        kb_name: str,
        name: str,
        pieces: AsyncIterator[bytes],
        *,
        window: Window | None = None,
        by: str | None = None,
    ) -> Received:
        """Bytes from the network; a ``window`` holds for the document at once.

        Raises InvalidInput ``document_name_invalid`` or ``validity_window``, DocumentRefused ``too_large``.
        """
        kb = await self.catalog.knowledge_base(tenant, kb_name)
        name = clean_name(name)
        window = None if window is None else window.checked()
        return await self.receive(kb, name, await self._files.save(tenant, pieces), window=window, by=by)

    async def add_url(self, tenant: str, kb_name: str, url: str) -> Received:
        """A page, fetched when its turn comes. Raises InvalidInput ``address_invalid``; DocumentRefused
        ``address_refused``."""
        kb = await self.catalog.knowledge_base(tenant, kb_name)
        url = checked_url(url, self._allowed)
        return await self._received(kb, *await self._versions.expect(kb, clean_name(name_of(url)), url))

    async def add_file(self, kb: KnowledgeBase, name: str, path: Path) -> Received:
        """A file of this machine. Raises DocumentRefused ``too_large``."""
        stored = await asyncio.to_thread(self._files.add, kb.tenant, path)
        return await self.receive(kb, clean_name(name), stored)

    async def set_window(self, tenant: str, document_id: str, window: Window) -> Document:
        """When a document is valid; it is in answers, and out of them, to the moment. Raises InvalidInput
        ``validity_window``.
        """
        await self._versions.set_window(await self.catalog.document(tenant, document_id), window)
        return await self.catalog.document(tenant, document_id)

    async def restore(self, tenant: str, document_id: str, number: int | None = None, *, by: str | None) -> Document:
        """An earlier version answers at once, as a new publication; None is the one before the live one.

        Raises NotFound ``version_not_found``, Conflict ``nothing_to_undo`` or ``document_deleted``.
        """
        document = await self.catalog.document(tenant, document_id)
        wanted = await self._versions.before(document) if number is None else number
        await self._versions.restore(document, wanted, by=by)
        await self.process(document)
        return await self.catalog.document(tenant, document_id)

    async def reingest(self, tenant: str, document_id: str) -> Document:
        """Process the bytes last received once more."""
        document = await self.catalog.document(tenant, document_id)
        await self._versions.reopen(document)
        await self.process(document)
        return await self.catalog.document(tenant, document_id)

    async def diff(self, tenant: str, document_id: str, before: int, after: int) -> list[Change]:
        """What differs between two versions of a document. Raises NotFound ``version_not_found``."""
        document = await self.catalog.document(tenant, document_id)
        old, new = await self.past.chunks(document, before), await self.past.chunks(document, after)
        return await asyncio.to_thread(diff, old, new)

    async def change_chunk(
        self, tenant: str, chunk_id: str, change: ChunkChange, *, kind: EditKind, by: str | None
    ) -> tuple[Document, list[ListedChunk]]:
        """What people change of a chunk answers at once, as a new version; → the chunks that stand there now.

        Raises NotFound ``chunk_not_found``, and as :meth:`knowledge.chunk_editor.ChunkEditor.change`.
        """
        document = await self.catalog.document(tenant, await self.editor.document_of(tenant, chunk_id))
        made = await self.editor.change(document, chunk_id, change, _index, kind=kind, by=by)
        if made.changed:
            await self.process(document)
        document = await self.catalog.document(tenant, document.id)
        return document, (await self.editor.page(document, limit=made.count, offset=made.first))[0]

    async def delete_document(self, tenant: str, document_id: str) -> None:
        """Out of every answer at once, an archive with all that was taken out of it; vectors and bytes follow."""
        document = await self.catalog.document(tenant, document_id)
        kb = await self.catalog.knowledge_base(tenant, document.kb_id)
        below = folder_of(document.name)
        members = await self.catalog.documents_below(kb, below) if document.media_type == ZIP else []
        for gone in (*members, document):
            await self._remove_files(tenant, await self._versions.delete(gone))
            await self._delete_vectors(gone.id)

    async def _delete_vectors(self, document_id: str) -> None:
        try:
            await delete_orphans(self.catalog, self._vector_ledger, self._vectors, document_id=document_id)
        except Unavailable:
            log.warning("vectors left to the sweep document=%s", document_id)

    async def process(self, document: Document) -> Job:
        """The job that takes a received document in; one that waits in the queue already is enough."""
        wanted = Wanted(
            document.tenant,
            KIND,
            {"document_id": document.id},
            subject=document.id,
            max_attempts=MAX_ATTEMPTS,
        )
        return await self._jobs.submit(wanted)

    async def chunks(
        self, tenant: str, document_id: str, *, limit: int, offset: int
    ) -> tuple[Document, list[ListedChunk], int]:
        """A page of a document's chunks, those that are disabled among them, and how many there are in all."""
        document = await self.catalog.document(tenant, document_id)
        return document, *await self.editor.page(document, limit=limit, offset=offset)

    async def search(
        self, tenant: str, query: str, *, kbs: Sequence[str] | None, limit: int, sections: bool = False
    ) -> Retrieval:
        """The hit test: passages with the scores of each stage; ``sections``: as answers are given them."""
        return await self._retriever.search(tenant, query, kbs=kbs, limit=min(limit, MAX_RESULTS), sections=sections)

    async def _remove_files(self, tenant: str, hashes: set[str]) -> None:
        unneeded = hashes - {ELSEWHERE} - await self._versions.needed(tenant, hashes)
        await asyncio.to_thread(self._files.remove, tenant, unneeded)

    async def receive(
        self, kb: KnowledgeBase, name: str, stored: StoredFile, *, window: Window | None = None, by: str | None = None
    ) -> Received:
        """Bytes that are in the file store already."""
        found = await self._versions.receive(
            kb, name, content_hash=stored.content_hash, size=stored.size, window=window, by=by
        )
        return await self._received(kb, *found)

    async def _received(self, kb: KnowledgeBase, document_id: str, fresh: bool) -> Received:
        document = await self.catalog.document(kb.tenant, document_id)
        job_id = (await self.process(document)).id if fresh and self._jobs.queued else None
        if not fresh and document.status is DocumentStatus.PROCESSING:
            document = replace(document, status=DocumentStatus.RECEIVED)
        return Received(document, fresh, job_id)


def _index(name: str, title: str | None) -> Index:
    return partial(indexed, name=name, title=title)
