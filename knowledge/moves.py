"""A knowledge base on its way to another embedding model, or to a new shelf of the same: what SQL knows of it, each
step one transaction.

``next_model`` is where it goes; the ledger of vectors says how far it is. A lease, renewed with every batch, keeps two
workers from embedding the same twice. Switching checks that every live chunk has its vector, counts up the epoch, and
retires the old collection, which is dropped a while later.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.catalog import Catalog, next_epoch
from knowledge.database import Database, now
from knowledge.models import KnowledgeBase
from knowledge.retired import retire, unretire
from knowledge.shelves import DEAD_SHARE, LEAST_DEAD, model_of, renewed, shelf_prefix
from knowledge.tables import chunks, documents, knowledge_bases, retired_collections, vectors
from knowledge.vector_ledger import confirm

LOOK_SECONDS = 60.0  # between two looks for worn shelves: it counts vectors
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
    """Of all knowledge bases, to one model: the configured one. Its worn shelves are looked for once in a while."""

    def __init__(
        self, database: Database, catalog: Catalog, model: str, owner: str, *, least_dead: int = LEAST_DEAD
    ) -> None:
        self.model = model
        self._database = database
        self._catalog = catalog
        self._owner = owner
        self._least_dead = least_dead
        self._looked = -math.inf

    async def wanted(self) -> list[KnowledgeBase]:
        """Those that stand on another model or a worn shelf, or had begun to leave."""
        away = or_(not_(stands_on(self.model)), knowledge_bases.c.next_model.is_not(None))
        async with self._database.read() as connection:
            ids = list((await connection.execute(select(knowledge_bases.c.id).where(away))).scalars())
            if time.monotonic() - self._looked > LOOK_SECONDS:
                self._looked = time.monotonic()
                ids += await self._worn(connection)
        return await self._catalog.by_ids(ids)

    async def claim(self, kb_id: str) -> bool:
        """Begin, or go on. False when another worker does."""
        free = or_(
            knowledge_bases.c.mover.is_(None),
            knowledge_bases.c.mover == self._owner,
            knowledge_bases.c.mover_until < now(),
        )
        mine = {"mover": self._owner, "mover_until": now() + LEASE}
        async with self._database.write(kb_id) as connection:
            claimed = update(knowledge_bases).where(knowledge_bases.c.id == kb_id, free).values(**mine)
            if (await connection.execute(claimed)).rowcount != 1:
                return False
            before = (await connection.execute(_row(kb_id))).one()
            if before.next_model is None or model_of(before.next_model) != self.model:
                await self._aim(connection, before)
        return True

    async def _aim(self, connection: AsyncConnection, before: Row[Any]) -> None:
        if model_of(before.embedding_model) != self.model:
            there: str | None = self.model
        else:
            there = renewed(before.embedding_model) if await self._is_worn(connection, before) else before.next_model
        this = knowledge_bases.c.id == before.id
        await connection.execute(update(knowledge_bases).where(this).values(next_model=there))
        if before.next_model is not None:  # it was on its way to a third one
            await connection.run_sync(retire, before, before.next_model)

    async def documents(self, kb_id: str) -> list[str]:
        query = select(documents.c.id).where(documents.c.kb_id == kb_id).order_by(documents.c.id)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def missing(self, shelf: str, document_ids: Sequence[str]) -> list[LiveText]:
        """Live chunks of these documents that have no surely written vector on a shelf."""
        async with self._database.read() as connection:
            rows = await connection.execute(_missing(shelf, chunks.c.document_id.in_(document_ids)))
            return [LiveText(row.id, row.document_id, row.indexed, row.fingerprint) for row in rows]

    async def intend(self, kb: KnowledgeBase, shelf: str, batch: Sequence[LiveText]) -> None:
        """Record vectors that are about to be written, and renew the lease. Raises MoveLost."""
        rows = [
            {
                "chunk_id": each.chunk_id,
                "model": shelf,
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
            await connection.execute(delete(vectors).where(_on(shelf, [each.chunk_id for each in batch])))
            await connection.execute(insert(vectors), rows)

    async def confirm(self, kb_id: str, shelf: str, batch: Sequence[LiveText]) -> None:
        """They are written. Where a publication intended a newer one meanwhile, ours may stand in its place: again."""
        fingerprints = {each.chunk_id: each.fingerprint for each in batch}
        async with self._database.write(kb_id) as connection:
            if await connection.run_sync(confirm, shelf, fingerprints) != len(batch):
                await connection.execute(update(vectors).where(_on(shelf, list(fingerprints))).values(written=False))

    async def finish(self, kb: KnowledgeBase, shelf: str) -> bool:
        """Stand on the shelf, in one transaction; False when a chunk published after ``kb.epoch`` has no vector yet.

        ``kb`` was read before the pass over its documents began. Raises MoveLost.
        """
        newer = and_(chunks.c.kb_id == kb.id, chunks.c.epoch > kb.epoch)
        async with self._database.write(kb.id) as connection:
            await self._renew(connection, kb.id)
            before = (await connection.execute(_row(kb.id))).one()
            if (await connection.execute(_missing(shelf, newer).limit(1))).first() is not None:
                return False
            for left in {before.embedding_model, before.next_model} - {None, shelf}:
                await connection.run_sync(retire, before, left)
            arrived = {"embedding_model": shelf, "next_model": None, "mover": None, "mover_until": None}
            this = update(knowledge_bases).where(knowledge_bases.c.id == kb.id)
            await connection.execute(this.values(**arrived))
            if before.embedding_model != shelf:
                await connection.execute(this.values(dead=0))
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
            stands = {row.embedding_model, row.next_model} - {None}
            used = model in stands or (model == self.model and model not in map(model_of, stands))
            if used:  # or will be: what is published is written ahead for the configured model
                await connection.execute(unretire(kb_id, model))
            else:
                mine = and_(vectors.c.kb_id == kb_id, vectors.c.model == model)
                await connection.execute(delete(vectors).where(mine))
        return not used

    async def dropped(self, kb_id: str, model: str) -> None:
        """The collection is gone."""
        async with self._database.write(kb_id) as connection:
            await connection.execute(unretire(kb_id, model))

    async def _worn(self, connection: AsyncConnection) -> list[str]:
        used = select(knowledge_bases).where(knowledge_bases.c.dead >= self._least_dead)
        rows = (await connection.execute(used)).all()
        return [row.id for row in rows if await self._is_worn(connection, row)]

    async def _is_worn(self, connection: AsyncConnection, row: Row[Any]) -> bool:
        if row.dead < self._least_dead:
            return False
        here = and_(vectors.c.kb_id == row.id, vectors.c.model == row.embedding_model)
        live = (await connection.execute(select(func.count()).select_from(vectors).where(here))).scalar_one()
        return bool(row.dead >= DEAD_SHARE * live)

    async def _renew(self, connection: AsyncConnection, kb_id: str) -> None:
        mine = and_(knowledge_bases.c.id == kb_id, knowledge_bases.c.mover == self._owner)
        renewed = update(knowledge_bases).where(mine).values(mover_until=now() + LEASE)
        if (await connection.execute(renewed)).rowcount != 1:
            raise MoveLost(kb_id)


def stands_on(model: str) -> ColumnElement[bool]:
    """Whether a knowledge base's vectors are of a model."""
    shelf = knowledge_bases.c.embedding_model
    return or_(shelf == model, shelf.startswith(shelf_prefix(model), autoescape=True))


def _on(shelf: str, chunk_ids: Sequence[str]) -> ColumnElement[bool]:
    return and_(vectors.c.chunk_id.in_(chunk_ids), vectors.c.model == shelf)


def _row(kb_id: str) -> Select[Any]:
    return select(knowledge_bases).where(knowledge_bases.c.id == kb_id).with_for_update()


def _missing(shelf: str, where: ColumnElement[bool]) -> Select[Any]:
    has = and_(
        vectors.c.chunk_id == chunks.c.id,
        vectors.c.model == shelf,
        vectors.c.fingerprint == chunks.c.fingerprint,
        vectors.c.written.is_(True),
    )
    return (
        select(chunks.c.id, chunks.c.document_id, chunks.c.indexed, chunks.c.fingerprint)
        .outerjoin(vectors, has)
        .where(where, vectors.c.chunk_id.is_(None))
        .order_by(chunks.c.document_id, chunks.c.ordinal)
    )
