"""Documents of a tenant that wait to be taken in, are being taken in, or could not be: across its knowledge bases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update

from knowledge.catalog import document_of, documents_query
from knowledge.database import Database, now
from knowledge.models import Document, DocumentStatus
from knowledge.tables import documents, knowledge_bases
from knowledge.versions import cancelled, reopened

RECENT = timedelta(hours=24)  # done is listed so long


@dataclass(frozen=True, slots=True)
class Which:
    """Of one knowledge base, or all; of one reason, or any."""

    tenant: str
    kb_id: str | None = None
    reason: str | None = None


class Backlog:
    """Reads it, and changes all of it at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, which: Which) -> dict[DocumentStatus, int]:
        """How many there are of each status; live ones only where they became so lately."""
        query = select(documents.c.status, func.count()).where(_shown(which, list(DocumentStatus)))
        async with self._database.read() as connection:
            rows = (await connection.execute(query.group_by(documents.c.status))).all()
        return {DocumentStatus(status): count for status, count in rows}

    async def reasons(self, which: Which) -> dict[str, int]:
        """Why documents failed, and how many, most first."""
        failed = _shown(which, [DocumentStatus.FAILED])
        query = select(documents.c.reason, func.count().label("many")).where(failed).group_by(documents.c.reason)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(func.count().desc(), documents.c.reason))).all()
        return {row.reason or "": row.many for row in rows}

    async def page(
        self, which: Which, statuses: Sequence[DocumentStatus], *, limit: int, offset: int
    ) -> list[tuple[Document, str]]:
        """Documents with the names of their knowledge bases. What runs comes first, what waits longest next; of what
        has ended the newest first."""
        waits = DocumentStatus.RECEIVED in statuses
        first = [documents.c.status, documents.c.updated_at] if waits else [documents.c.updated_at.desc()]
        query = documents_query().add_columns(knowledge_bases.c.name.label("kb_name"))
        query = query.join(knowledge_bases, knowledge_bases.c.id == documents.c.kb_id).where(_shown(which, statuses))
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(*first, documents.c.id).limit(limit).offset(offset))
            return [(document_of(row, now()), row.kb_name) for row in rows]

    async def give_up_waiting(self, which: Which) -> list[str]:
        """Everything that nobody has begun with is wanted no more; → the ids. What was live stays live."""
        waits = and_(_shown(which, [DocumentStatus.RECEIVED]), documents.c.settles.is_(False))
        return await self._changed(waits, cancelled())

    async def reopen_failed(self, which: Which, *, at_most: int) -> list[str]:
        """Have what failed tried again, but for what was withdrawn; → the ids, newest failures first."""
        failed = and_(_shown(which, [DocumentStatus.FAILED]), documents.c.reason != "withdrawn")
        some = select(documents.c.id).where(failed).order_by(documents.c.updated_at.desc()).limit(at_most)
        return await self._changed(documents.c.id.in_(some), reopened())

    async def _changed(self, those: ColumnElement[bool], values: dict[str, Any]) -> list[str]:
        change = update(documents).where(those).values(**values).returning(documents.c.id)
        async with self._database.write() as connection:
            return list((await connection.execute(change)).scalars())


def _shown(which: Which, statuses: Sequence[DocumentStatus]) -> ColumnElement[bool]:
    those = and_(documents.c.tenant == which.tenant, documents.c.status.in_(statuses))
    if DocumentStatus.LIVE in statuses:
        since: datetime = now() - RECENT
        those &= (documents.c.status != DocumentStatus.LIVE) | (documents.c.updated_at >= since)
    if which.kb_id is not None:
        those &= documents.c.kb_id == which.kb_id
    return those & (documents.c.reason == which.reason) if which.reason else those
