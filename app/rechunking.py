"""How a knowledge base is cut into chunks: a look at what it would be, choosing it, and having it done."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from app.services import KnowledgeService
from ingest.blocks import LoadedDocument
from ingest.chunk import chunk
from ingest.files import FileStore
from ingest.parsing.ports import Load
from ingest.reading import Heard, read_beside
from knowledge.catalog import Catalog
from knowledge.chunking import Chunking
from knowledge.cuts import Cuts, Standing
from knowledge.errors import Conflict, InvalidInput
from knowledge.models import Chunk, Document, KnowledgeBase
from knowledge.widths import width

PREVIEW_SECONDS = 15  # that reading a document may take while somebody looks at a page
READ = 2  # documents kept as they were read: a preview is asked for with every number that is typed
AT_ONCE = 200  # jobs that are made while somebody waits; the worker's sweep makes the rest
MOST_CHUNKS = 200_000  # of a document


@dataclass(frozen=True, slots=True)
class Side:
    """A document's chunks, and how wide they are (see :func:`knowledge.widths.width`)."""

    chunks: tuple[Chunk, ...]
    least: int
    median: int
    most: int


@dataclass(frozen=True, slots=True)
class Preview:
    """``before`` is what answers now. ``kept`` are the ids of chunks that stay as they are, and need no new vector."""

    document: Document
    before: Side
    after: Side
    kept: frozenset[str]

    @property
    def new(self) -> int:
        return len(self.after.chunks) - len(self.kept)


class Rechunking:
    """Chunk settings of knowledge bases."""

    def __init__(
        self,
        cuts: Cuts,
        catalog: Catalog,
        knowledge: KnowledgeService,
        files: FileStore,
        load: Load,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cuts = cuts
        self._catalog = catalog
        self._knowledge = knowledge
        self._files = files
        self._load = load
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._read: OrderedDict[tuple[str, str], LoadedDocument] = OrderedDict()

    async def standing(self, kb: KnowledgeBase) -> Standing:
        """How far the documents are cut as it was chosen."""
        return await self._cuts.standing(kb)

    async def choose(self, kb: KnowledgeBase, chunking: Chunking, *, rechunk: bool) -> KnowledgeBase:
        """For documents that come; with ``rechunk`` those that are there are cut anew, by ordinary jobs.

        Raises InvalidInput ``chunk_size_invalid`` or ``chunk_overlap_invalid``.
        """
        await self._cuts.choose(kb, chunking)
        if rechunk:
            for document_id in (await self._cuts.reopen(kb, chunking))[:AT_ONCE]:
                await self._knowledge.process(await self._catalog.document(kb.tenant, document_id))
        return await self._catalog.knowledge_base(kb.tenant, kb.id)

    async def preview(self, kb: KnowledgeBase, document_id: str, chunking: Chunking) -> Preview:
        """What a document's chunks would be. Nothing is kept of it.

        Raises InvalidInput as :meth:`choose` and ``preview_too_long``; NotFound ``document_not_found``; Conflict
        ``preview_needs_chunks``; DocumentRefused.
        """
        document = await self._catalog.document(kb.tenant, document_id)
        if document.kb_id != kb.id or document.live_hash is None or not document.chunks:
            raise Conflict("Choose a document of this knowledge base that has chunks.", code="preview_needs_chunks")
        cut = chunking.checked()
        loaded = await self._loaded(document, document.live_hash)
        listed, _ = await self._knowledge.editor.page(document, limit=MOST_CHUNKS, offset=0)
        before = [one.chunk for one in listed if not one.disabled]
        after = await asyncio.to_thread(chunk, loaded, document_id=document.id, cut=cut)
        kept = frozenset(one.id for one in before) & {one.id for one in after}
        return Preview(document, _side(before), _side(after), kept)

    async def _loaded(self, document: Document, content_hash: str) -> LoadedDocument:
        async with self._one_at_a_time:
            if (content_hash, document.name) not in self._read:
                loaded = await self._read_from(document, content_hash)
                self._read[content_hash, document.name] = loaded
                if len(self._read) > READ:
                    self._read.popitem(last=False)
            return self._read[content_hash, document.name]

    async def _read_from(self, document: Document, content_hash: str) -> LoadedDocument:
        path, until = self._files.path(document.tenant, content_hash), self._clock() + PREVIEW_SECONDS

        async def beat(_: Heard) -> None:
            if self._clock() > until:
                raise InvalidInput("Reading this document takes too long for a preview.", code="preview_too_long")

        return await read_beside(
            lambda heard: self._load(path, name=document.name, max_bytes=self._files.max_bytes, progress=heard), beat
        )


def _side(chunks: Sequence[Chunk]) -> Side:
    widths = [round(width(one.text)) for one in chunks] or [0]
    return Side(tuple(chunks), min(widths), round(median(widths)), max(widths))
