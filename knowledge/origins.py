"""Documents that were named by an address: where they come from, and what tells whether they have changed there."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Row, String, Table, Text, insert, select, update

from knowledge.database import Database, Moment, metadata, now

# ``content_hash`` is of the bytes that the validators belong to.
document_origins = Table(
    "document_origins",
    metadata,
    Column("document_id", ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("etag", String(500)),
    Column("last_modified", String(100)),
    Column("content_hash", String(64)),
    Column("fetched_at", Moment),
)


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls the state of a page: sent along, so that it may answer “as it was”."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """``content_hash`` and ``validators`` are of what was fetched last; ``fetched_at`` when that was."""

    document_id: str
    url: str
    validators: Validators
    content_hash: str | None
    fetched_at: datetime | None


class Origins:
    """The addresses of documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, document_ids: Collection[str]) -> dict[str, Origin]:
        """Those of these documents that came from an address."""
        query = select(document_origins).where(document_origins.c.document_id.in_(document_ids))
        async with self._database.read() as connection:
            return {row.document_id: _origin(row) for row in await connection.execute(query)}

    async def fetched(self, document_id: str, validators: Validators, *, content_hash: str) -> None:
        """Note what was found there now."""
        values = {
            "etag": validators.etag,
            "last_modified": validators.last_modified,
            "content_hash": content_hash,
            "fetched_at": now(),
        }
        mine = document_origins.c.document_id == document_id
        async with self._database.write() as connection:
            await connection.execute(update(document_origins).where(mine).values(**values))


def note_origin(connection: Connection, document_id: str, tenant: str, url: str) -> None:
    """Where a document is to be fetched, in the transaction that asks for it."""
    mine = document_origins.c.document_id == document_id
    changed = connection.execute(update(document_origins).where(mine).values(url=url))
    if not changed.rowcount:
        row = {"document_id": document_id, "tenant": tenant, "url": url}
        connection.execute(insert(document_origins).values(**row))


def _origin(row: Row[Any]) -> Origin:
    return Origin(row.document_id, row.url, Validators(row.etag, row.last_modified), row.content_hash, row.fetched_at)
