"""load → clean → chunk → diff → embed → publish: one document, safe to stop anywhere and to run twice.

Only chunks whose indexed text has no surely written vector are embedded, so an unchanged document costs nothing, an
edited one its edits, and an interrupted run only what was not yet written. The old version answers until the last
transaction, which swaps the chunks; vectors that nothing needs any more are deleted after it.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest.blocks import LoadedDocument
from ingest.chunk import chunk, heading_text, indexed_text
from ingest.files import FileStore
from knowledge.catalog import Catalog
from knowledge.claims import Claim, LeaseLost
from knowledge.errors import DocumentRefused, Unavailable
from knowledge.models import Chunk, KnowledgeBase
from knowledge.ports import Embedder, VectorStore
from knowledge.vector_ledger import VectorLedger
from knowledge.vectors import collection_name
from knowledge.versions import IndexedChunk, Versions

EMBED_BATCH = 32
LOAD_SECONDS = 300
HEARTBEAT_SECONDS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did: ``live``, ``failed`` (with reason), ``postponed`` (a part is down) or ``superseded``."""

    state: str
    chunks: int = 0
    embedded: int = 0
    reason: str | None = None
    message: str | None = None


class Load(Protocol):
    """A file → its blocks. Blocking. Raises DocumentRefused."""

    def __call__(self, path: Path, *, name: str, max_bytes: int) -> LoadedDocument: ...


class Report(Protocol):
    """Hears how far a run is: a stage and 0–100. Must not block."""

    def __call__(self, stage: str, percent: int) -> None: ...


def _silent(stage: str, percent: int) -> None:
    """Nobody listens."""


class Pipeline:
    """Takes received documents to live ones."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        versions: Versions,
        vector_ledger: VectorLedger,
        vectors: VectorStore,
        embedder: Embedder,
        files: FileStore,
        load: Load,
    ) -> None:
        self._catalog = catalog
        self._versions = versions
        self._vector_ledger = vector_ledger
        self._vectors = vectors
        self._embedder = embedder
        self._files = files
        self._load = load

    async def run(self, document_id: str, *, owner: str, report: Report = _silent) -> Outcome | None:
        """Work on a document; None when there is nothing left to do. Raises nothing of its own."""
        claim = await self._versions.claim(document_id, owner)
        if claim is None:
            return None
        try:
            return await self._process(claim, report)
        except DocumentRefused as refusal:
            await self._versions.fail(claim, refusal.reason, refusal.message)
            log.info("document refused id=%s reason=%s", document_id, refusal.reason)
            return Outcome("failed", reason=refusal.reason, message=refusal.message)
        except Unavailable as down:
            await self._versions.release(claim)
            log.warning("document postponed id=%s code=%s", document_id, down.error_code)
            return Outcome("postponed", reason=down.error_code, message=down.message)
        except asyncio.CancelledError:
            await asyncio.shield(self._versions.release(claim))
            raise
        except LeaseLost:
            log.info("document superseded id=%s", document_id)
            return Outcome("superseded")

    async def sweep(self) -> int:
        """Delete vectors that nothing needs, left by deletions and interrupted runs; → how many."""
        return await self._delete_orphans(await self._vector_ledger.orphans())

    async def _process(self, claim: Claim, report: Report) -> Outcome:
        kb = await self._catalog.knowledge_base(claim.tenant, claim.kb_id)
        loaded = await self._loaded(claim, report)
        await self._progress(claim, report, "chunking", 10)
        pieces = await asyncio.to_thread(_pieces, loaded, claim)
        if not pieces:
            raise DocumentRefused("empty", "There is no text in this document.")
        embedded = await self._embed_missing(claim, kb, pieces, report)
        await self._progress(claim, report, "publishing", 98)
        await self._versions.publish(
            claim,
            pieces,
            title=loaded.title,
            media_type=loaded.media_type,
            embedded=embedded,
            notes=loaded.notes,
        )
        await self._delete_orphans(await self._vector_ledger.orphans(document_id=claim.document_id))
        log.info("document live id=%s chunks=%d embedded=%d", claim.document_id, len(pieces), embedded)
        return Outcome("live", chunks=len(pieces), embedded=embedded)

    async def _loaded(self, claim: Claim, report: Report) -> LoadedDocument:
        path = self._files.path(claim.tenant, claim.content_hash)
        if not path.exists():
            raise DocumentRefused("corrupt", "The uploaded file is not there any more. Upload it again.")
        work = asyncio.to_thread(self._load, path, name=claim.name, max_bytes=self._files.max_bytes)
        loading = asyncio.ensure_future(work)
        for beat in range(LOAD_SECONDS // HEARTBEAT_SECONDS):
            done, _ = await asyncio.wait({loading}, timeout=HEARTBEAT_SECONDS)
            if done:
                return loading.result()
            await self._progress(claim, report, "loading", min(9, 1 + beat))
        raise DocumentRefused("corrupt", f"Reading this document took longer than {LOAD_SECONDS} s; it was given up.")

    async def _progress(self, claim: Claim, report: Report, stage: str, percent: int) -> None:
        await self._versions.progress(claim, stage, percent)
        report(stage, percent)

    async def _embed_missing(
        self, claim: Claim, kb: KnowledgeBase, pieces: Sequence[IndexedChunk], report: Report
    ) -> int:
        written = await self._vector_ledger.written(claim.document_id)
        missing = [piece for piece in pieces if written.get(piece.chunk.id) != piece.fingerprint]
        for done, batch in enumerate(_batches(missing)):
            percent = 15 + 80 * done * EMBED_BATCH // len(missing)
            await self._progress(claim, report, "embedding", percent)
            vectors = await asyncio.to_thread(self._embedder.embed_passages, [piece.indexed for piece in batch])
            await self._vector_ledger.intend(claim, batch)
            await self._vectors.upsert(collection_name(kb), [piece.chunk.id for piece in batch], vectors)
            await self._vector_ledger.confirm(claim, batch)
        return len(missing)

    async def _delete_orphans(self, orphans: Sequence[tuple[str, str]]) -> int:
        for kb in await self._catalog.by_ids({kb_id for kb_id, _ in orphans}):
            ids = [chunk_id for kb_id, chunk_id in orphans if kb_id == kb.id]
            await self._vectors.delete(collection_name(kb), ids)
            await self._vector_ledger.forget(ids)
        return len(orphans)


def _pieces(loaded: LoadedDocument, claim: Claim) -> list[IndexedChunk]:
    pieces = chunk(loaded, document_id=claim.document_id)
    return [_indexed(piece, name=claim.name, title=loaded.title) for piece in pieces]


def _indexed(piece: Chunk, *, name: str, title: str | None) -> IndexedChunk:
    text = indexed_text(title or name, piece)
    heading = heading_text(name, title, piece)
    fingerprint = hashlib.sha256(f"{text}\0{heading}".encode()).hexdigest()[:40]
    return IndexedChunk(piece, text, heading, fingerprint)


def _batches(pieces: Sequence[IndexedChunk]) -> Iterator[Sequence[IndexedChunk]]:
    for start in range(0, len(pieces), EMBED_BATCH):
        yield pieces[start : start + EMBED_BATCH]
