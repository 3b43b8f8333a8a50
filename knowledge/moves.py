"""A knowledge base on its way to another embedding model: what SQL knows of it, each step one transaction.

``next_model`` is where it goes; the ledger of vectors says how far it is. A lease, renewed with every batch, keeps two
workers from embedding the same twice. Switching checks that every live chunk has its vector, counts up the epoch, and
retires the old collection, which is dropped a while later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.catalog import Catalog, next_epoch
from knowledge.database import Database, now
from knowledge.models import KnowledgeBase
from knowledge.retired import retire, unretire
from knowledge.tables import chunks, documents, knowledge_bases, retired_collections, vectors
from knowledge.vector_ledger import confirm

LEASE = timedelta(seconds=20)  # a slower batch loses it at worst, and is embedded by another worker, too


@dataclass(frozen=True, slots=True)
class LiveText:
    """A live chunk as it is embedded."""

    chunk_id: str
    document_id: str
    text: str
    fingerprint: str


class MoveLost(Exception):
    """Another worker moves this knowledge base now, or it is gone; stop quietly."""


class Moves:
    """Of all knowledge bases, to one model: the configured one."""

    def __init__(self, database: Database, catalog: Catalog, model: str, owner: str) -> None:
        self.model = model
        self._database = database
        self._catalog = catalog
        self._owner = owner

    async def wanted(self) -> list[KnowledgeBase]:
        """Those that stand on another model, or had begun to leave this one."""
        away = or_(knowledge_bases.c.embedding_model != self.model, knowledge_bases.c.next_model.is_not(None))
        async with self._database.read() as connection:
            ids = list((await connection.execute(select(knowledge_bases.c.id).where(away))).scalars())
        return await self._catalog.by_ids(ids)

    async def claim(self, kb_id: str) -> bool:
        """Begin, or go on. False when another worker does."""
        free = or_(
            knowledge_bases.c.mover.is_(None),
            knowledge_bases.c.mover == self._owner,
            knowledge_bases.c.mover_until < now(),
        )
        mine = {"mover": self._owner, "mover_until": now() + LEASE}
        leaves = and_(knowledge_bases.c.id == kb_id, knowledge_bases.c.embedding_model != self.model)
        async with self._database.write(kb_id) as connection:
            claimed = update(knowledge_bases).where(knowledge_bases.c.id == kb_id, free).values(**mine)
            if (await connection.execute(claimed)).rowcount != 1:
                return False
            before = (await connection.execute(_row(kb_id))).one()
            await connection.execute(update(knowledge_bases).where(leaves).values(next_model=self.model))
            if before.next_model not in (None, self.model):  # it was on its way to a third one
                await connection.run_sync(retire, before, before.next_model)
        return True

    async def documents(self, kb_id: str) -> list[str]:
        query = select(documents.c.id).where(documents.c.kb_id == kb_id).order_by(documents.c.id)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def missing(self, document_ids: Sequence[str]) -> list[LiveText]:
        """Live chunks of these documents that have no surely written vector of the model."""
        async with self._database.read() as connection:
            rows = await connection.execute(_missing(self.model, chunks.c.document_id.in_(document_ids)))
            return [LiveText(row.id, row.document_id, row.indexed, row.fingerprint) for row in rows]

    async def intend(self, kb: KnowledgeBase, batch: Sequence[LiveText]) -> None:
        """Record vectors that are about to be written, and renew the lease. Raises MoveLost."""
        rows = [
            {
                "chunk_id": each.chunk_id,
                "model": self.model,
                "tenant": kb.tenant,
                "kb_id": kb.id,
                "document_id": each.document_id,
                "fingerprint": each.fingerprint,
                "written": False,
            }
            for each in batch
        ]
        async with self._database.write(kb.id) as connection:
            await self._renew(connection, kb.id)
            await connection.execute(delete(vectors).where(self._of([each.chunk_id for each in batch])))
            await connection.execute(insert(vectors), rows)

    async def confirm(self, kb_id: str, batch: Sequence[LiveText]) -> None:
        """They are written. Where a publication intended a newer one meanwhile, ours may stand in its place: again."""
        fingerprints = {each.chunk_id: each.fingerprint for each in batch}
        async with self._database.write(kb_id) as connection:
            if await connection.run_sync(confirm, self.model, fingerprints) != len(batch):
                await connection.execute(update(vectors).where(self._of(list(fingerprints))).values(written=False))

    async def finish(self, kb: KnowledgeBase) -> bool:
        """Stand on the model, in one transaction; False when a chunk published after ``kb.epoch`` has no vector yet.

        ``kb`` was read before the pass over its documents began. Raises MoveLost.
        """
        newer = and_(chunks.c.kb_id == kb.id, chunks.c.epoch > kb.epoch)
        async with self._database.write(kb.id) as connection:
            await self._renew(connection, kb.id)
            before = (await connection.execute(_row(kb.id))).one()
            if (await connection.execute(_missing(self.model, newer).limit(1))).first() is not None:
                return False
            for left in {before.embedding_model, before.next_model} - {None, self.model}:
                await connection.run_sync(retire, before, left)
            arrived = {"embedding_model": self.model, "next_model": None, "mover": None, "mover_until": None}
            await connection.execute(update(knowledge_bases).where(knowledge_bases.c.id == kb.id).values(**arrived))
            if before.embedding_model != self.model:
                await connection.run_sync(next_epoch, kb.id)
        return True

    async def release(self, kb_id: str) -> None:
        mine = and_(knowledge_bases.c.id == kb_id, knowledge_bases.c.mover == self._owner)
        async with self._database.write(of=None) as connection:
            await connection.execute(update(knowledge_bases).where(mine).values(mover=None, mover_until=None))

    # what was left behind

    async def retired(self, *, before: timedelta) -> list[tuple[str, str]]:
        """(kb id, model) of collections that were left at least so long ago."""
        query = select(retired_collections).where(retired_collections.c.retired_at <= now() - before)
        async with self._database.read() as connection:
            return [(row.kb_id, row.model) for row in await connection.execute(query)]

    async def give_up(self, kb_id: str, model: str) -> bool:
        """Forget the vectors of a retired collection, which may then be dropped; False when it is in use again."""
        async with self._database.write(kb_id) as connection:
            row = (await connection.execute(_row(kb_id))).one()
            used = model in (row.embedding_model, row.next_model, self.model)
            if used:
                await connection.execute(unretire(kb_id, model))
            else:
                mine = and_(vectors.c.kb_id == kb_id, vectors.c.model == model)
                await connection.execute(delete(vectors).where(mine))
        return not used

    async def dropped(self, kb_id: str, model: str) -> None:
        """The collection is gone."""
        async with self._database.write(kb_id) as connection:
            await connection.execute(unretire(kb_id, model))

    async def _renew(self, connection: AsyncConnection, kb_id: str) -> None:
        mine = and_(knowledge_bases.c.id == kb_id, knowledge_bases.c.mover == self._owner)
        renewed = update(knowledge_bases).where(mine).values(mover_until=now() + LEASE)
        if (await connection.execute(renewed)).rowcount != 1:
            raise MoveLost(kb_id)

    def _of(self, chunk_ids: Sequence[str]) -> ColumnElement[bool]:
        return and_(vectors.c.chunk_id.in_(chunk_ids), vectors.c.model == self.model)


def _row(kb_id: str) -> Select[Any]:
    return select(knowledge_bases).where(knowledge_bases.c.id == kb_id).with_for_update()


def _missing(model: str, where: ColumnElement[bool]) -> Select[Any]:
    has = and_(
        vectors.c.chunk_id == chunks.c.id,
        vectors.c.model == model,
        vectors.c.fingerprint == chunks.c.fingerprint,
        vectors.c.written.is_(True),
    )
    return (
        select(chunks.c.id, chunks.c.document_id, chunks.c.indexed, chunks.c.fingerprint)
        .outerjoin(vectors, has)
        .where(where, vectors.c.chunk_id.is_(None))
        .order_by(chunks.c.document_id, chunks.c.ordinal)
    )
