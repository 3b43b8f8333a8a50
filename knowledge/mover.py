"""Moves knowledge bases to the configured embedding model, and from a worn shelf to a new one, in the background, while
the one they stand on answers.

It may be killed at any time: what has a vector by then is not embedded or copied again.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from knowledge.catalog import Catalog
from knowledge.models import KnowledgeBase
from knowledge.moves import LiveText, MoveLost, Moves
from knowledge.ports import Embedder, Vector, VectorStore
from knowledge.shelves import model_of
from knowledge.slices import slices
from knowledge.vectors import collection_name

EMBED_BATCH = 32
COPIED = 500  # vectors at a time
DOCUMENTS = 50  # looked at together, so that small ones fill a batch
PASSES = 20  # over documents published meanwhile; then others have their turn
GRACE = timedelta(seconds=60)  # questions that read the old model just before the switch are answered by then

log = logging.getLogger(__name__)


class Mover:
    """One worker's share. ``grace``: how long a collection that was left is kept."""

    def __init__(
        self, moves: Moves, catalog: Catalog, vectors: VectorStore, embedder: Embedder, *, grace: timedelta = GRACE
    ) -> None:
        self._moves = moves
        self._catalog = catalog
        self._vectors = vectors
        self._embedder = embedder
        self._grace = grace

    async def move(self) -> int:
        """Every knowledge base that is not there yet, then drop what was left; → how many arrived.

        Raises Unavailable where the embedder or the vector store does not answer; the next call goes on.
        """
        arrived = 0
        for kb in await self._moves.wanted():
            try:
                arrived += await self._moved(kb)
            except MoveLost:
                log.info("another worker moves kb=%s", kb.id)
        await self._drop_retired()
        return arrived

    async def _moved(self, kb: KnowledgeBase) -> bool:
        if not await self._moves.claim(kb.id):
            return False
        log.info("moving kb=%s from=%s to=%s", kb.id, kb.shelf, self._moves.model)
        for _ in range(PASSES):
            found = await self._catalog.by_ids([kb.id])
            if not found:
                return False
            there = found[0].shelf_of(self._moves.model)
            if found[0].shelf == there and found[0].next_shelf is None:
                await self._moves.release(kb.id)  # another worker was done with it since we looked
                return False
            await self._pass(found[0], there)
            if await self._moves.finish(found[0], there):
                log.info("moved kb=%s to=%s", kb.id, there)
                return True
        return False

    async def _pass(self, kb: KnowledgeBase, there: str) -> None:
        renews = kb.shelf != there and kb.embedding_model == model_of(there)
        for some in slices(await self._moves.documents(kb.id), DOCUMENTS):
            missing = await self._moves.missing(there, some)
            if renews:
                missing = await self._copied(kb, there, missing)
            for batch in slices(missing, EMBED_BATCH):
                texts = [each.text for each in batch]
                await self._write(kb, there, batch, await asyncio.to_thread(self._embedder.embed_passages, texts))

    async def _copied(self, kb: KnowledgeBase, there: str, wanted: Sequence[LiveText]) -> list[LiveText]:
        """From the shelf that is left; → those that have no vector on it."""
        lacking: list[LiveText] = []
        for some in slices(wanted, COPIED):
            found = await self._vectors.get(collection_name(kb), [each.chunk_id for each in some])
            lacking += [each for each in some if each.chunk_id not in found]
            if known := [each for each in some if each.chunk_id in found]:
                await self._write(kb, there, known, np.stack([found[each.chunk_id] for each in known]))
        return lacking

    async def _write(self, kb: KnowledgeBase, there: str, batch: Sequence[LiveText], vectors: Vector) -> None:
        await self._moves.intend(kb, there, batch)
        await self._vectors.upsert(collection_name(kb, there), [each.chunk_id for each in batch], vectors)
        await self._moves.confirm(kb.id, there, batch)

    async def _drop_retired(self) -> None:
        """The ledger first: a collection may be dropped twice, but a vector that is noted must be there."""
        for kb_id, model in await self._moves.retired(before=self._grace):
            for kb in await self._catalog.by_ids([kb_id]):
                if await self._moves.claim(kb_id) and await self._moves.give_up(kb_id, model):
                    await self._vectors.drop(collection_name(kb, model))
                    await self._moves.dropped(kb_id, model)
                    log.info("dropped kb=%s model=%s", kb_id, model)
                await self._moves.release(kb_id)
