"""Chunks of several documents embedded together and written together: small documents fill batches, too.

Whoever comes first embeds what waits in its knowledge base, up to a batch; those whose chunks were among it are told.
Two batches are embedded at a time: while the words of one become tokens, the other one keeps the cores busy. What is
embedded is written at once, or with the next batch where that is known to come.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from knowledge.claims import Claim, LeaseLost
from knowledge.embedders import Embedders
from knowledge.models import KnowledgeBase
from knowledge.ports import Vector, VectorStore
from knowledge.shelves import model_of
from knowledge.vector_ledger import VectorLedger
from knowledge.vectors import collection_name
from knowledge.versions import IndexedChunk

EMBED_BATCH = 32
EMBED_AT_ONCE = 2
WRITE_BATCH = 64  # to a vector store that takes 8 ms of processor time for a request and 0.2 ms for a vector in it


class _LeaderGone(Exception):
    """Whoever embedded or was to write for others was cancelled; they do it themselves."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A document's chunks, and what became of them: whether they have vectors, or why not."""

    claim: Claim
    pieces: Sequence[IndexedChunk]
    told: "asyncio.Future[bool | Exception]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, what: bool | Exception) -> None:
        if not self.told.done():  # cancelled meanwhile
            self.told.set_result(what)


@dataclass(slots=True)
class _Line:
    """What waits for vectors of a shelf: to be embedded, and to be written. ``embedding`` batches come in between."""

    waiting: "deque[_Waiting]" = field(default_factory=deque)
    embedding: int = 0
    embedded: list[tuple[_Waiting, Vector]] = field(default_factory=list)

    @property
    def writes(self) -> bool:
        """Whether what is embedded is enough for a request, or no full batch follows that it could be written with."""
        return _size(each for each, _ in self.embedded) >= WRITE_BATCH or _size(self.waiting) < EMBED_BATCH

    def left(self, mine: _Waiting) -> None:
        """One has its vectors, or was cancelled. What nobody comes by to write any more is told so."""
        if mine in self.waiting:
            self.waiting.remove(mine)
        self.embedded = [(each, vectors) for each, vectors in self.embedded if each is not mine]
        if not (self.waiting or self.embedding):
            for each, _ in self.embedded:
                each.tell(_LeaderGone())
            self.embedded = []


class VectorWriter:
    """For any number of documents at a time."""

    def __init__(self, ledger: VectorLedger, vectors: VectorStore, embedders: Embedders) -> None:
        self._ledger = ledger
        self._vectors = vectors
        self._embedders = embedders
        self._lines: defaultdict[tuple[str, str], _Line] = defaultdict(_Line)
        self._turn = asyncio.Semaphore(EMBED_AT_ONCE)

    async def write(self, claim: Claim, kb: KnowledgeBase, shelf: str, pieces: Sequence[IndexedChunk]) -> bool:
        """Have vectors of at most a batch of a document's chunks on a shelf, and noted so.

        False where the model can't give them any more. Raises LeaseLost, Unavailable.
        """
        while True:
            try:
                return await self._written(_Waiting(claim, pieces), kb, shelf)
            except _LeaderGone:
                continue

    async def _written(self, mine: _Waiting, kb: KnowledgeBase, shelf: str) -> bool:
        line = self._lines[kb.id, shelf]
        line.waiting.append(mine)
        try:
            async with self._turn:
                if mine in line.waiting:
                    await self._embed(line, shelf)
            if line.embedded and line.writes:
                await self._store(line, kb, shelf)
            told = await mine.told
        finally:
            line.left(mine)
        if isinstance(told, Exception):
            raise told
        return told

    async def _embed(self, line: _Line, shelf: str) -> None:
        together = _batch(line.waiting)
        texts = [piece.indexed for each in together for piece in each.pieces]
        line.embedding += 1
        with _told(together):
            try:
                vectors = await self._embedders.passages(model_of(shelf), texts)
            finally:
                line.embedding -= 1
        if vectors is None:
            for each in together:
                each.tell(False)
            return
        start = 0
        for each in together:
            line.embedded.append((each, vectors[start : start + len(each.pieces)]))
            start += len(each.pieces)

    async def _store(self, line: _Line, kb: KnowledgeBase, shelf: str) -> None:
        """Noted before they are written, confirmed after."""
        embedded, line.embedded = line.embedded, []
        with _told([each for each, _ in embedded]):
            still = await self._ledger.intend(kb.id, shelf, [(each.claim, each.pieces) for each, _ in embedded])
            held = {claim for claim, _ in still}
            wanted = [(each, vectors) for each, vectors in embedded if each.claim in held]
            if wanted:
                ids = [piece.chunk.id for each, _ in wanted for piece in each.pieces]
                rows = np.concatenate([vectors for _, vectors in wanted])
                await self._vectors.upsert(collection_name(kb, shelf), ids, rows)
                await self._ledger.confirm(kb.id, shelf, still)
        for each, _ in embedded:
            each.tell(True if each.claim in held else LeaseLost(each.claim.document_id))


@contextmanager
def _told(together: Sequence[_Waiting]) -> Generator[None]:
    """What ends the work for several documents is told to each of them."""
    try:
        yield
    except BaseException as failure:
        gone = failure if isinstance(failure, Exception) else _LeaderGone()
        for each in together:
            each.tell(gone)
        raise


def _batch(waiting: "deque[_Waiting]") -> list[_Waiting]:
    """The first ones, as many as fit a batch."""
    taken = [waiting.popleft()]
    room = EMBED_BATCH - len(taken[0].pieces)
    while waiting and len(waiting[0].pieces) <= room:
        taken.append(waiting.popleft())
        room -= len(taken[-1].pieces)
    return taken


def _size(some: Iterable[_Waiting]) -> int:
    return sum(len(each.pieces) for each in some)
