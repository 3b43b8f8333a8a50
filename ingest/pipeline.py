"""load → clean → chunk → diff → embed → publish: one document, safe to stop anywhere and to run twice.

Only chunks whose indexed text has no surely written vector are embedded, so an unchanged document costs nothing, an
edited one its edits, and an interrupted run only what was not yet written. The old version answers until the last
transaction, which swaps the chunks; vectors that nothing needs any more are deleted after it. While a knowledge base
moves to another embedding model, its chunks are embedded for both.
"""

import asyncio
import hashlib
import logging
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ingest import sniff
from ingest.archives import Archives
from ingest.blocks import LoadedDocument
from ingest.chunk import chunk, heading_text, indexed_text
from ingest.files import FileStore
from ingest.loaders.source import ArchiveFound
from ingest.parsing.ports import Load, Unpack
from ingest.reading import beside, read_beside
from ingest.runs import LOADED, Report, Run, silent
from ingest.vector_writer import EMBED_BATCH, VectorWriter
from knowledge.catalog import Catalog
from knowledge.chunk_edits import Edit, Laid, laid, lay_over
from knowledge.chunking import Chunking
from knowledge.claims import Claim, LeaseLost
from knowledge.embedders import Embedders
from knowledge.errors import DocumentRefused, Unavailable
from knowledge.models import Chunk, KnowledgeBase
from knowledge.orphans import delete_orphans
from knowledge.ports import VectorStore
from knowledge.radar import Stated, stated
from knowledge.retired import ModelSwitched
from knowledge.vector_ledger import Known, VectorLedger
from knowledge.versions import ELSEWHERE, IndexedChunk, Versions

READ_AT_ONCE = 2  # documents, as many as there are processes that read
FILE_SECONDS = 3600  # bytes are there before the document that they are received for
SWITCHES = 3  # of a knowledge base to another model during one run; more is a quarrel of two workers' settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did: ``live``, ``failed`` (with reason), ``postponed`` (a part is down) or ``superseded``.

    ``waiting`` are ids of the documents that were taken out of an archive and are to be processed.
    """

    state: str
    chunks: int = 0
    embedded: int = 0
    reason: str | None = None
    message: str | None = None
    waiting: tuple[str, ...] = ()


class Bring(Protocol):
    """Brings the bytes of a document that was named by its address; None: they are those that are live.

    Raises DocumentRefused, LeaseLost.
    """

    def __call__(self, claim: Claim) -> Coroutine[Any, Any, Claim | None]: ...


class Pipeline:
    """Takes received documents to live ones."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        versions: Versions,
        vector_ledger: VectorLedger,
        vectors: VectorStore,
        embedders: Embedders,
        files: FileStore,
        load: Load,
        unpack: Unpack,
        bring: Bring | None = None,
    ) -> None:
        self._catalog = catalog
        self._versions = versions
        self._vector_ledger = vector_ledger
        self._vectors = vectors
        self._embedders = embedders
        self._files = files
        self._load = load
        self._reading = asyncio.Semaphore(READ_AT_ONCE)
        self._writer = VectorWriter(vector_ledger, vectors, embedders)
        self._bring = bring
        self._archives = Archives(catalog=catalog, versions=versions, files=files, unpack=unpack)

    async def run(self, document_id: str, *, owner: str, report: Report = silent) -> Outcome | None:
        """Work on a document; None when there is nothing left to do. Raises nothing of its own."""
        claim = await self._versions.claim(document_id, owner)
        if claim is None:
            return None
        run = Run(claim, report, self._versions)
        try:
            return await self._process(run)
        except DocumentRefused as refusal:
            await self._versions.fail(run.claim, refusal.reason, refusal.message)
            log.info("document refused id=%s reason=%s", document_id, refusal.reason)
            return Outcome("failed", reason=refusal.reason, message=refusal.message)
        except Unavailable as down:
            await self._versions.release(run.claim)
            log.warning("document postponed id=%s code=%s", document_id, down.error_code)
            return Outcome("postponed", reason=down.error_code, message=down.message)
        except asyncio.CancelledError:
            await asyncio.shield(self._versions.release(run.claim))
            raise
        except LeaseLost:
            log.info("document superseded id=%s", document_id)
            return Outcome("superseded")

    async def sweep(self) -> int:
        """Delete vectors that nothing needs, left by deletions and interrupted runs; → how many."""
        return await delete_orphans(self._catalog, self._vector_ledger, self._vectors)

    async def sweep_files(self, *, older_than: float = FILE_SECONDS) -> int:
        """Remove bytes that no document and no version is made from; → how many. For now and then: it looks at all."""
        removed = 0
        for tenant, there in (await asyncio.to_thread(self._files.kept, longer_than=older_than)).items():
            unneeded = there - await self._versions.needed(tenant)
            await asyncio.to_thread(self._files.remove, tenant, unneeded)
            removed += len(unneeded)
        return removed

    async def _process(self, run: Run) -> Outcome:
        if run.claim.settles:
            return await self._settle(run)
        if not await self._brought(run):
            return Outcome("live")
        claim = run.claim
        try:
            loaded = await self._loaded(run)
        except ArchiveFound:
            return await self._taken_out(run)
        await run.progress("chunking", LOADED)
        kb = await self._catalog.knowledge_base(claim.tenant, claim.kb_id)
        edits = await self._versions.edits(claim)
        document, says = await asyncio.to_thread(_cut, loaded, claim, kb.chunking, edits)
        embedded = await self._published(run, kb, loaded, document, says)
        log.info("document live id=%s chunks=%d embedded=%d", claim.document_id, len(document.pieces), embedded)
        return Outcome("live", chunks=len(document.pieces), embedded=embedded)

    async def _published(
        self, run: Run, kb: KnowledgeBase, loaded: LoadedDocument, document: Laid, says: Stated
    ) -> int:
        """→ how many chunks had to be embedded. ``kb`` is as it was when the document was cut."""
        embedded: set[str] = set()
        cut = kb.chunking
        for _ in range(SWITCHES):
            known = await self._vector_ledger.known(run.claim.document_id)
            models = self._models(kb)
            for model in models:
                embedded |= await self._embed_missing(run, kb, model, document.pieces, known)
            await run.progress("publishing", 98)
            with suppress(ModelSwitched):
                await self._versions.publish(
                    run.claim,
                    document,
                    says,
                    title=loaded.title,
                    media_type=loaded.media_type,
                    embedded=len(embedded),
                    notes=loaded.notes,
                    window=loaded.window,
                    models=models,
                    cut=cut,
                )
                await self._delete_orphans(run.claim.document_id, known, document.pieces)
                return len(embedded)
            kb = await self._catalog.knowledge_base(run.claim.tenant, run.claim.kb_id)
        raise Unavailable("The knowledge base keeps moving between embedding models.", code="embedder_unavailable")

    def _models(self, kb: KnowledgeBase) -> list[str]:
        """Shelves that a knowledge base's chunks need vectors on: where it stands, and where it goes."""
        current = kb.shelf_of(self._embedders.current.model_id)
        return list(dict.fromkeys((kb.shelf, kb.next_shelf or current, current)))

    async def _settle(self, run: Run) -> Outcome:
        """An earlier version answers again: have the vectors that are missing, and only those."""
        claim = run.claim
        kb = await self._catalog.knowledge_base(claim.tenant, claim.kb_id)
        pieces = await self._versions.pieces(claim)
        known = await self._vector_ledger.known(claim.document_id)
        embedded: set[str] = set()
        for model in self._models(kb):
            embedded |= await self._embed_missing(run, kb, model, pieces, known)
        await self._versions.settle(claim)
        await self._delete_orphans(claim.document_id, known, pieces)
        log.info("document restored id=%s chunks=%d embedded=%d", claim.document_id, len(pieces), len(embedded))
        return Outcome("live", chunks=len(pieces), embedded=len(embedded))

    async def _loaded(self, run: Run) -> LoadedDocument:
        path, name = self._path(run.claim), run.claim.name
        return await read_beside(
            lambda heard: self._load(path, name=name, max_bytes=self._files.max_bytes, progress=heard),
            run.heard,
            self._reading,
        )

    async def _taken_out(self, run: Run) -> Outcome:
        """An archive is live with nothing of its own to be found, and says what became of its members."""
        claim = run.claim
        kb = await self._catalog.knowledge_base(claim.tenant, claim.kb_id)
        taken = await self._archives.take_out(claim, kb, self._path(claim), run.heard)
        nothing, note = Laid(()), (taken.note,)
        await self._versions.publish(claim, nothing, {}, title=None, media_type=sniff.ZIP, embedded=0, notes=note)
        for document_id in taken.gone:
            await delete_orphans(self._catalog, self._vector_ledger, self._vectors, document_id=document_id)
        log.info("archive unpacked id=%s documents=%d", claim.document_id, len(taken.waiting))
        return Outcome("live", message=taken.note, waiting=taken.waiting)

    async def _delete_orphans(self, document_id: str, known: Sequence[Known], pieces: Sequence[IndexedChunk]) -> None:
        """``known`` are the vectors there were before; of a new document there are none to look for."""
        if not {each.chunk_id for each in known} <= {piece.chunk.id for piece in pieces}:
            await delete_orphans(self._catalog, self._vector_ledger, self._vectors, document_id=document_id)

    def _path(self, claim: Claim) -> Path:
        path = self._files.path(claim.tenant, claim.content_hash)
        if not path.exists():
            raise DocumentRefused("corrupt", "The uploaded file is not there any more. Upload it again.")
        return path

    async def _brought(self, run: Run) -> bool:
        """Have the bytes here; False when they are those that are live. Keeps the lease while it takes."""
        if run.claim.content_hash != ELSEWHERE or self._bring is None:
            return True
        await run.beat("fetching", 1)
        brought = await beside(self._bring(run.claim), lambda: run.beat("fetching", 1))
        if brought is not None:
            run.claim = brought
        return brought is not None

    async def _embed_missing(
        self, run: Run, kb: KnowledgeBase, model: str, pieces: Sequence[IndexedChunk], known: Sequence[Known]
    ) -> set[str]:
        """→ the ids of chunks that had no vector of the model. One that is gone gets none: words find what is new."""
        start = run.percent + 5
        written = {each.chunk_id: each.fingerprint for each in known if each.written and each.model == model}
        missing = [piece for piece in pieces if written.get(piece.chunk.id) != piece.fingerprint]
        for done, batch in enumerate(_batches(missing)):
            percent = start + (95 - start) * done * EMBED_BATCH // len(missing)
            await run.progress("embedding", percent)
            writing = self._writer.write(run.claim, kb, model, batch)
            if not await beside(writing, partial(run.beat, "embedding", percent)):
                return set()
        return {piece.chunk.id for piece in missing}


def _cut(loaded: LoadedDocument, claim: Claim, cut: Chunking, edits: Sequence[Edit]) -> tuple[Laid, Stated]:
    """A document's chunks with what people changed of them, and what they state. Raises DocumentRefused ``empty``."""
    index = partial(indexed, name=claim.name, title=loaded.title)
    pieces = [index(piece) for piece in chunk(loaded, document_id=claim.document_id, cut=cut)]
    if not pieces:
        raise DocumentRefused("empty", "There is no text in this document.")
    document = laid(*lay_over(pieces, edits), index)
    return document, stated(document.pieces, document=claim.name)


def indexed(piece: Chunk, *, name: str, title: str | None) -> IndexedChunk:
    """With what is embedded and indexed for a chunk of the document of this name and title."""
    text = indexed_text(title or name, piece)
    heading = heading_text(name, title, piece)
    fingerprint = hashlib.sha256(f"{text}\0{heading}".encode()).hexdigest()[:40]
    return IndexedChunk(piece, text, heading, fingerprint)


def _batches(pieces: Sequence[IndexedChunk]) -> Iterator[Sequence[IndexedChunk]]:
    for start in range(0, len(pieces), EMBED_BATCH):
        yield pieces[start : start + EMBED_BATCH]
