"""The log of chunks that are gone, by which replicas catch up, kept short.

A replica that would have more to forget than it is worth is made anew: so the newest removals are kept, and an epoch
says up to where they are not.
"""

import logging

from sqlalchemy import delete, func, select, tuple_, update

from knowledge.database import Database
from knowledge.tables import chunk_removals, chunks, knowledge_bases

LEAST = 10_000  # some 2 MB of a knowledge base
SHARE = 4  # a quarter of the live ones, where that is more
AT_ONCE = 5_000  # rows a transaction: others write between two

log = logging.getLogger(__name__)


class Removals:
    """Of all knowledge bases."""

    def __init__(self, database: Database, *, least: int = LEAST) -> None:
        self._database = database
        self._least = least

    async def trim(self) -> int:
        """Forget what is too old, and say so first: it may be interrupted at any time; → how many rows."""
        async with self._database.read() as connection:
            ids = list((await connection.execute(select(knowledge_bases.c.id))).scalars())
        return sum([await self._trimmed(kb_id) for kb_id in ids])

    async def _trimmed(self, kb_id: str) -> int:
        if (last := await self._superfluous(kb_id)) is None:
            return 0
        mine = knowledge_bases.c.id == kb_id
        async with self._database.write(of=None) as connection:
            await connection.execute(update(knowledge_bases).where(mine).values(removals_after=last))
        count = 0
        while deleted := await self._deleted(kb_id, last):
            count += deleted
        log.info("removals forgotten kb=%s up to epoch=%d count=%d", kb_id, last, count)
        return count

    async def _superfluous(self, kb_id: str) -> int | None:
        """The newest epoch whose removals are too old; None while there are few."""
        live = select(func.count()).where(chunks.c.kb_id == kb_id)
        async with self._database.read() as connection:
            kept = max(self._least, int((await connection.execute(live)).scalar_one()) // SHARE)
            epochs = select(chunk_removals.c.epoch).where(chunk_removals.c.kb_id == kb_id)
            older = epochs.order_by(chunk_removals.c.epoch.desc()).offset(kept).limit(1)
            found: int | None = (await connection.execute(older)).scalar()
        return found

    async def _deleted(self, kb_id: str, last: int) -> int:
        names = (chunk_removals.c.kb_id, chunk_removals.c.epoch, chunk_removals.c.chunk_id)
        some = select(*names).where(chunk_removals.c.kb_id == kb_id, chunk_removals.c.epoch <= last).limit(AT_ONCE)
        async with self._database.write(of=None) as connection:
            return (await connection.execute(delete(chunk_removals).where(tuple_(*names).in_(some)))).rowcount
