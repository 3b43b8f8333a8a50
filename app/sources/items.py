"""What was seen in a source, thing by thing, and which documents it became."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update

from app.sources.models import Item, Source
from app.sources.tables import source_items, sources
from knowledge.database import Database, now
from knowledge.origins import Validators, document_origins
from knowledge.tables import documents

BATCH = 500  # keys a statement; SQLite allows 32,766 variables


@dataclass(frozen=True, slots=True)
class Whence:
    """Where a document comes from. ``place`` is its address or its path in its source; ``seen_at`` when it was last
    found there."""

    place: str
    seen_at: datetime | None
    source_id: str | None = None
    source: str | None = None


class SourceItems:
    """The things of sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, source_id: str) -> dict[str, Item]:
        """By key."""
        async with self._database.read() as connection:
            query = select(source_items).where(source_items.c.source_id == source_id)
            return {row.key: _item(row) for row in await connection.execute(query)}

    async def note(self, source: Source, item: Item) -> None:
        """It is there now, like this."""
        values = {
            "document_id": item.document_id,
            "mark": item.mark,
            "etag": item.validators.etag,
            "last_modified": item.validators.last_modified,
            "content_hash": item.content_hash,
            "reason": item.reason,
            "missing": item.missing,
            "seen_at": now(),
        }
        mine = and_(source_items.c.source_id == source.id, source_items.c.key_hash == _hash(item.key))
        async with self._database.write() as connection:
            done = await connection.execute(update(source_items).where(mine).values(**values))
            if not done.rowcount:
                row = {"source_id": source.id, "tenant": source.tenant, "key": item.key, "key_hash": _hash(item.key)}
                await connection.execute(insert(source_items).values(**row, **values))

    async def seen(self, source_id: str, keys: Sequence[str]) -> None:
        """They are there, as they were."""
        await self._mark(source_id, keys, {"missing": 0, "seen_at": now()})

    async def missed(self, source_id: str, keys: Sequence[str]) -> None:
        """They were not there, once more."""
        await self._mark(source_id, keys, {"missing": source_items.c.missing + 1})

    async def forget(self, source_id: str, key: str) -> None:
        mine = and_(source_items.c.source_id == source_id, source_items.c.key_hash == _hash(key))
        async with self._database.write() as connection:
            await connection.execute(delete(source_items).where(mine))

    async def name_for(self, source: Source, item: Item | None, wanted: str) -> str:
        """What a thing's document is called: as before; else as wanted, unless another source has one of that name."""
        has = (documents.c.kb_id == source.kb_id) & (documents.c.name == wanted)
        others = (
            select(source_items.c.source_id)
            .join(documents, documents.c.id == source_items.c.document_id)
            .where(has, source_items.c.source_id != source.id)
        )
        async with self._database.read() as connection:
            if item is not None and item.document_id is not None:
                query = select(documents.c.name).where(documents.c.id == item.document_id)
                return str(await connection.scalar(query))
            taken = (await connection.execute(others.limit(1))).first() is not None
        return f"{source.name}/{wanted}" if taken else wanted

    async def whence(self, document_id: str) -> Whence | None:
        """None for a document that somebody uploaded."""
        seen = (
            select(source_items.c.key, source_items.c.seen_at, sources.c.id, sources.c.name)
            .join(sources, sources.c.id == source_items.c.source_id)
            .where(source_items.c.document_id == document_id)
        )
        named = select(document_origins).where(document_origins.c.document_id == document_id)
        async with self._database.read() as connection:
            if row := (await connection.execute(seen)).first():
                return Whence(row.key, row.seen_at, row.id, row.name)
            origin = (await connection.execute(named)).first()
        return None if origin is None else Whence(origin.url, origin.fetched_at)

    async def _mark(self, source_id: str, keys: Sequence[str], values: dict[str, Any]) -> None:
        for start in range(0, len(keys), BATCH):
            some = source_items.c.key_hash.in_([_hash(key) for key in keys[start : start + BATCH]])
            async with self._database.write() as connection:
                mine = and_(source_items.c.source_id == source_id, some)
                await connection.execute(update(source_items).where(mine).values(**values))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _item(row: Row[Any]) -> Item:
    return Item(
        key=row.key,
        document_id=row.document_id,
        mark=row.mark,
        validators=Validators(row.etag, row.last_modified),
        content_hash=row.content_hash,
        reason=row.reason,
        missing=row.missing,
    )
