"""Words in tantivy: a local replica of the catalog's live chunks, caught up by epoch.

SQL is the truth. A replica stands at an epoch, written beside the index after each commit; before a search it is
brought to the epoch the caller saw in SQL. Applying the same changes twice is harmless, so a crash between commit
and epoch file costs a repetition and nothing else. Several processes of a host share one folder: whoever gets the
file lock applies, the others wait and re-read.

A replica is made anew beside the one that answers, and takes its place in one renaming. Who has the old one open goes
on with it until it sees that the folder is another, or has none: then it opens, or makes, the new one.
"""

import asyncio
import logging
import math
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from knowledge.catalog import Catalog, RemovalsForgotten
from knowledge.models import KnowledgeBase
from knowledge.ports import Hit
from knowledge.replica import ReplicaReplaced, TantivyReplica, begun_beside
from knowledge.tokens import TERMS_VERSION

__all__ = ["LexicalIndex", "TantivyReplica"]

FORMAT = 1  # with TERMS_VERSION part of the folder name: a new one rebuilds from SQL
BACKGROUND = 200

log = logging.getLogger(__name__)


class LexicalIndex:
    """Every knowledge base's replica on this host, each caught up when it is asked."""

    def __init__(self, catalog: Catalog, folder: Path | None) -> None:
        self._catalog = catalog
        self._folder = folder
        self._replicas: dict[str, TantivyReplica] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rebuilding: dict[str, asyncio.Task[None]] = {}

    async def search(self, kb: KnowledgeBase, question: str, limit: int) -> list[Hit]:
        """Hits as of ``kb.epoch`` or later."""
        replica = await self.at_epoch(kb)
        return await asyncio.to_thread(replica.search, question, limit)

    def rarity(self, bases: Sequence[KnowledgeBase]) -> Callable[[str], float]:
        """term → its inverse document frequency, ln(1 + (n − f + ½)/(f + ½)) as in BM25, over these bases as last seen.

        ``n`` is at least ``BACKGROUND``: with one document, every term that it has would be worth nothing. Terms that
        stand nowhere have the highest; without any chunk it is 0 for all.
        """
        replicas = [self._replicas[kb.id] for kb in bases if kb.id in self._replicas]

        @cache
        def of(term: str) -> float:
            counted = [replica.frequency(term) for replica in replicas]
            frequency, count = sum(f for f, _ in counted), sum(n for _, n in counted)
            assumed = max(count, BACKGROUND)
            return math.log(1 + (assumed - frequency + 0.5) / (frequency + 0.5)) if count else 0.0

        return of

    async def at_epoch(self, kb: KnowledgeBase) -> TantivyReplica:
        """The replica, brought to ``kb.epoch`` or later; while it is made anew, the one before it as it stands."""
        replica = self._replicas.get(kb.id)
        if replica is not None and replica.epoch >= kb.epoch and replica.in_place:
            return replica
        async with self._locks[kb.id]:
            while True:
                replica = await self._opened(kb)
                if kb.id in self._rebuilding:
                    return replica
                try:
                    if await asyncio.to_thread(replica.refresh) < kb.epoch:
                        await self._catch_up(replica, kb)
                except ReplicaReplaced:
                    continue
                except RemovalsForgotten:
                    self._make_anew(kb, "has been away for too long")
                return replica

    async def rebuild(self, kb: KnowledgeBase) -> int:
        """Make the replica anew from SQL, while the one there is goes on answering; → how many chunks it has."""
        path = self._path(kb)
        fresh = await asyncio.to_thread(begun_beside, path)
        await self._catch_up(fresh, kb)
        if path is not None:
            await asyncio.to_thread(fresh.take_place, path)
            fresh = await asyncio.to_thread(TantivyReplica, path)
        self._replicas[kb.id] = fresh
        return fresh.count

    async def close(self) -> None:
        """What is being made anew is left; the next process begins again."""
        for task in self._rebuilding.values():
            task.cancel()
        await asyncio.gather(*self._rebuilding.values(), return_exceptions=True)

    async def _catch_up(self, replica: TantivyReplica, kb: KnowledgeBase) -> None:
        async for changes in self._catalog.changes(kb.id, since=replica.epoch):
            await asyncio.to_thread(replica.apply, changes)

    async def _rebuilt(self, kb: KnowledgeBase) -> None:
        """Nobody waits for it: if it fails, the next question has it begun again."""
        try:
            await self.rebuild(kb)
        except (OSError, ValueError, SQLAlchemyError) as error:
            log.warning("lexical replica of %s not made anew: %s", kb.id, error)
        finally:
            self._rebuilding.pop(kb.id, None)

    async def _opened(self, kb: KnowledgeBase) -> TantivyReplica:
        known, path = self._replicas.get(kb.id), self._path(kb)
        if known is not None and known.in_place:
            return known
        if known is None or (path is not None and (path / "meta.json").exists()):
            try:
                known = self._replicas[kb.id] = await asyncio.to_thread(TantivyReplica, path)
            except ValueError as broken:  # as tantivy, and JSON, say that a file is not what it should be
                log.warning("lexical replica of %s made anew: %s", kb.id, broken)
                await self.rebuild(kb)
                known = self._replicas[kb.id]
        elif kb.id not in self._rebuilding:
            self._make_anew(kb, "is gone")
        return known

    def _make_anew(self, kb: KnowledgeBase, why: str) -> None:
        log.warning("lexical replica of %s %s and is made anew", kb.id, why)
        self._rebuilding[kb.id] = asyncio.get_running_loop().create_task(self._rebuilt(kb))

    async def drop(self, kb: KnowledgeBase) -> None:
        """Forget a knowledge base's replica."""
        async with self._locks[kb.id]:
            self._replicas.pop(kb.id, None)
            path = self._path(kb)
            if path is not None:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    def _path(self, kb: KnowledgeBase) -> Path | None:
        return None if self._folder is None else self._folder / f"v{FORMAT}.{TERMS_VERSION}" / kb.tenant / kb.id
