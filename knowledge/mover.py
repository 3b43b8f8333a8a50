"""Moves knowledge bases to the configured embedding model in the background, while the one they stand on answers.

It may be killed at any time: what has a vector by then is not embedded again.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from knowledge.catalog import Catalog
from knowledge.models import KnowledgeBase
from knowledge.moves import LiveText, MoveLost, Moves
from knowledge.ports import Embedder, VectorStore
from knowledge.vectors import collection_name

EMBED_BATCH = 32
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
        log.info("moving kb=%s from=%s to=%s", kb.id, kb.embedding_model, self._moves.model)
        for _ in range(PASSES):
            found = await self._catalog.by_ids([kb.id])
            if not found:
                return False
            if found[0].embedding_model == self._moves.model and found[0].next_model is None:
                await self._moves.release(kb.id)  # another worker was done with it since we looked
                return False
            await self._pass(found[0])
            if await self._moves.finish(found[0]):
                log.info("moved kb=%s to=%s", kb.id, self._moves.model)
                return True
        return False

    async def _pass(self, kb: KnowledgeBase) -> None:
        documents = await self._moves.documents(kb.id)
        for at in range(0, len(documents), DOCUMENTS):
            missing = await self._moves.missing(documents[at : at + DOCUMENTS])
            for start in range(0, len(missing), EMBED_BATCH):
                await self._embed(kb, missing[start : start + EMBED_BATCH])

    async def _embed(self, kb: KnowledgeBase, batch: Sequence[LiveText]) -> None:
        vectors = await asyncio.to_thread(self._embedder.embed_passages, [each.text for each in batch])
        await self._moves.intend(kb, batch)
        await self._vectors.upsert(collection_name(kb, self._moves.model), [each.chunk_id for each in batch], vectors)
        await self._moves.confirm(kb.id, batch)

    async def _drop_retired(self) -> None:
        """The ledger first: a collection may be dropped twice, but a vector that is noted must be there."""
        for kb_id, model in await self._moves.retired(before=self._grace):
            for kb in await self._catalog.by_ids([kb_id]):
                if await self._moves.claim(kb_id) and await self._moves.give_up(kb_id, model):
                    await self._vectors.drop(collection_name(kb, model))
                    await self._moves.dropped(kb_id, model)
                    log.info("dropped kb=%s model=%s", kb_id, model)
                await self._moves.release(kb_id)
