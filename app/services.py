"""Knowledge as operators use it: the same calls for HTTP, the console and the CLI."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.jobs.ingestion import KIND, MAX_ATTEMPTS
from app.jobs.models import Job
from app.jobs.service import JobService, Wanted
from ingest.files import FileStore, StoredFile
from knowledge.catalog import Catalog
from knowledge.errors import InvalidInput, Unavailable
from knowledge.lexical import LexicalIndex
from knowledge.models import Chunk, Document, DocumentStatus, KnowledgeBase
from knowledge.ports import Embedder, VectorStore
from knowledge.retriever import Retrieval, Retriever
from knowledge.vector_ledger import VectorLedger
from knowledge.vectors import collection_name
from knowledge.versions import Versions

MAX_NAME = 500
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
    ) -> None:
        self.catalog = catalog
        self._versions = versions
        self._vector_ledger = vector_ledger
        self._vectors = vectors
        self._lexical = lexical
        self._embedder = embedder
        self._retriever = retriever
        self._files = files
        self._jobs = jobs

    async def create(self, tenant: str, name: str) -> KnowledgeBase:
        return await self.catalog.create_knowledge_base(tenant, name, embedding_model=self._embedder.model_id)

    async def ensure(self, tenant: str, name: str) -> KnowledgeBase:
        """The knowledge base of this name, made if it is not there."""
        for kb in await self.catalog.named(tenant, None):
            if name in (kb.name, kb.id):
                return kb
        return await self.create(tenant, name)

    async def delete(self, tenant: str, name: str) -> None:
        kb = await self.catalog.delete_knowledge_base(tenant, name)
        await self._vectors.drop(collection_name(kb))
        await self._lexical.drop(kb)

    async def upload(self, tenant: str, kb_name: str, name: str, pieces: AsyncIterator[bytes]) -> Received:
        """Bytes from the network. Raises InvalidInput ``document_name_invalid``, DocumentRefused ``too_large``."""
        kb = await self.catalog.knowledge_base(tenant, kb_name)
        name = clean_name(name)
        return await self._receive(kb, name, await self._files.save(tenant, pieces))

    async def add_file(self, kb: KnowledgeBase, name: str, path: Path) -> Received:
        """A file of this machine. Raises DocumentRefused ``too_large``."""
        stored = await asyncio.to_thread(self._files.add, kb.tenant, path)
        return await self._receive(kb, clean_name(name), stored)

    async def reingest(self, tenant: str, document_id: str) -> Document:
        """Process the bytes last received once more."""
        document = await self.catalog.document(tenant, document_id)
        await self._versions.reopen(document)
        await self.process(document)
        return await self.catalog.document(tenant, document_id)

    async def delete_document(self, tenant: str, document_id: str) -> None:
        """Out of every answer at once; its vectors follow."""
        document = await self.catalog.document(tenant, document_id)
        await self._versions.delete(document)
        kb = await self.catalog.knowledge_base(tenant, document.kb_id)
        try:
            orphans = [chunk_id for _, chunk_id in await self._vector_ledger.orphans(document_id=document_id)]
            await self._vectors.delete(collection_name(kb), orphans)
            await self._vector_ledger.forget(orphans)
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

    async def chunks(self, tenant: str, document_id: str, *, limit: int, offset: int) -> tuple[Document, list[Chunk]]:
        document = await self.catalog.document(tenant, document_id)
        return document, await self.catalog.chunks_of(document, limit=limit, offset=offset)

    async def search(self, tenant: str, query: str, *, kbs: Sequence[str] | None, limit: int) -> Retrieval:
        """The hit test: passages with the scores of each stage."""
        return await self._retriever.search(tenant, query, kbs=kbs, limit=min(limit, MAX_RESULTS))

    async def _receive(self, kb: KnowledgeBase, name: str, stored: StoredFile) -> Received:
        document_id, fresh = await self._versions.receive(kb, name, content_hash=stored.content_hash, size=stored.size)
        document = await self.catalog.document(kb.tenant, document_id)
        job_id = (await self.process(document)).id if fresh and self._jobs.queued else None
        if not fresh and document.status is DocumentStatus.PROCESSING:
            document = replace(document, status=DocumentStatus.RECEIVED)
        return Received(document, fresh, job_id)


def clean_name(name: str) -> str:
    """A document's name: a relative path with ``/``. Raises InvalidInput ``document_name_invalid``."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    cleaned = "/".join("".join(char for char in part if char.isprintable()).strip() for part in parts)
    if not cleaned or len(cleaned) > MAX_NAME:
        raise InvalidInput("A document needs a name of 1 to 500 characters.", code="document_name_invalid")
    return cleaned
