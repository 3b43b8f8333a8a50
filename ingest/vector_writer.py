"""Chunks of several documents embedded together and written together: small documents fill batches, too.

Whoever comes first embeds what waits in its knowledge base, up to a batch; those whose chunks were among it are told.
A batch is written while the next one is embedded.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from knowledge.claims import Claim, LeaseLost
from knowledge.embedders import Embedders
from knowledge.models import KnowledgeBase
from knowledge.ports import Vector, VectorStore
from knowledge.shelves import model_of
from knowledge.vector_ledger import VectorLedger
from knowledge.vectors import collection_name
from knowledge.versions import IndexedChunk

EMBED_BATCH = 32


class _LeaderGone(Exception):
    """Whoever embedded for others was cancelled; they do it themselves."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A document's chunks, and what became of them: whether they have vectors, or why not."""

    claim: Claim
    pieces: Sequence[IndexedChunk]
    told: "asyncio.Future[bool | Exception]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, what: bool | Exception) -> None:
        if not self.told.done():  # cancelled meanwhile
            self.told.set_result(what)


class VectorWriter:
    """For any number of documents at a time, of which one batch is embedded at a time."""

    def __init__(self, ledger: VectorLedger, vectors: VectorStore, embedders: Embedders) -> None:
        self._ledger = ledger
        self._vectors = vectors
        self._embedders = embedders
        self._waiting: defaultdict[tuple[str, str], deque[_Waiting]] = defaultdict(deque)
        self._turn = asyncio.Lock()

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
        waiting = self._waiting[kb.id, shelf]
        waiting.append(mine)
        together: list[_Waiting] = []
        try:
            async with self._turn:
                if mine in waiting:
                    together = _batch(waiting)
                    texts = [piece.indexed for each in together for piece in each.pieces]
                    vectors = await self._embedders.passages(model_of(shelf), texts)
            if together:
                await self._store(together, kb, shelf, vectors)
        except BaseException as failure:
            gone = failure if isinstance(failure, Exception) else _LeaderGone()
            for each in together:
                each.tell(gone)
            raise
        finally:
            if mine in waiting:
                waiting.remove(mine)
        told = await mine.told
        if isinstance(told, Exception):
            raise told
        return told

    async def _store(self, together: list[_Waiting], kb: KnowledgeBase, shelf: str, vectors: Vector | None) -> None:
        """Noted before they are written, confirmed after."""
        if vectors is None:
            for each in together:
                each.tell(False)
            return
        still = await self._ledger.intend(kb.id, shelf, [(each.claim, each.pieces) for each in together])
        held = {claim for claim, _ in still}
        rows = [(piece.chunk.id, each.claim in held) for each in together for piece in each.pieces]
        if held:
            ids = [chunk_id for chunk_id, wanted in rows if wanted]
            await self._vectors.upsert(collection_name(kb, shelf), ids, vectors[[wanted for _, wanted in rows]])
            await self._ledger.confirm(kb.id, shelf, still)
        for each in together:
            each.tell(True if each.claim in held else LeaseLost(each.claim.document_id))


def _batch(waiting: "deque[_Waiting]") -> list[_Waiting]:
    """The first ones, as many as fit a batch."""
    taken = [waiting.popleft()]
    room = EMBED_BATCH - len(taken[0].pieces)
    while waiting and len(waiting[0].pieces) <= room:
        taken.append(waiting.popleft())
        room -= len(taken[-1].pieces)
    return taken
