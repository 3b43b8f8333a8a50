"""What was published in a knowledge base lately, as people did it, and its undoing: every document as it was before.

Documents published one soon after the other by the same person are one publication: an upload of a folder, a run of a
source. What comes back is a publication of its own, so an undoing can be undone, too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, select, update

from knowledge import chunk_rows, past, radar
from knowledge.chunk_rows import Owner
from knowledge.database import Database, now
from knowledge.models import Document, DocumentStatus, KnowledgeBase
from knowledge.tables import document_versions, documents

APART = timedelta(minutes=2)  # between two documents of one publication, at most
LOOKED_AT = 5_000  # versions of a knowledge base, newest first: what is older is undone by document


@dataclass(frozen=True, slots=True)
class Published:
    """A document in a publication. ``back_to`` is the version that undoing it brings back, 0 for none: it was new.

    None where there is nothing to undo: it was published again since, or taken back already.
    """

    document_id: str
    name: str
    number: int
    restored_from: int | None
    back_to: int | None


@dataclass(frozen=True, slots=True)
class Publication:
    """``by`` published these documents from ``since`` to ``until``; ``restored``: they were brought back."""

    since: datetime
    until: datetime
    by: str | None
    restored: bool
    documents: tuple[Published, ...]

    @property
    def undoable(self) -> int:
        """How many of its documents an undoing would change."""
        return sum(document.back_to is not None for document in self.documents)


class Publications:
    """Of all knowledge bases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, kb: KnowledgeBase, *, limit: int = 50) -> list[Publication]:
        """The last ones, newest first."""
        async with self._database.read() as connection:
            rows = (await connection.execute(_versions(kb).limit(LOOKED_AT))).all()
        return [_publication(group) for group in _groups(rows)][:limit]

    async def within(self, kb: KnowledgeBase, since: datetime, until: datetime) -> list[Published]:
        """What was published from the one moment to the other, each document once, as it was before the first time."""
        at = document_versions.c.published_at
        query = _versions(kb).where(at >= since, at <= until)
        async with self._database.read() as connection:
            return _documents((await connection.execute(query)).all())

    async def withdraw(self, document: Document) -> None:
        """Take a document that was new out of every answer, at once. Its version stays, to be brought back."""
        owner = Owner(document.tenant, document.kb_id, document.id)
        mine = documents.c.id == document.id
        ended = {"status": DocumentStatus.FAILED, "reason": "withdrawn", "message": _WITHDRAWN, "live_hash": None}
        freed = {"owner": None, "lease_until": None, "stage": None, "settles": False, "updated_at": now()}
        async with self._database.write() as connection:
            row = (await connection.execute(select(documents).where(mine).with_for_update())).one()
            if row.status == DocumentStatus.DELETED or row.version != document.version:
                return
            replaced = await connection.run_sync(chunk_rows.replace, owner, ())
            await connection.run_sync(past.put_aside, owner, replaced, row.version)
            await connection.run_sync(radar.watch, owner, (), replaced, {})
            await connection.execute(update(documents).where(mine).values(**ended, **freed))


_WITHDRAWN = "The publication of this document was undone. Process it again when you want it."
_live = document_versions.alias("live")


def _versions(kb: KnowledgeBase) -> Select[Any]:
    """Newest first, each with the number of the version that its document's live one comes from."""
    mine = and_(documents.c.id == document_versions.c.document_id, documents.c.kb_id == kb.id)
    live = and_(_live.c.document_id == documents.c.id, _live.c.number == documents.c.version)
    names = ("document_id", "number", "published_at", "published_by", "restored_from")
    return (
        select(
            *(document_versions.c[name] for name in names),
            documents.c.name,
            documents.c.version.label("live"),
            documents.c.live_hash,
            _live.c.restored_from.label("live_from"),
        )
        .join(documents, mine)
        .outerjoin(_live, live)
        .where(document_versions.c.tenant == kb.tenant, documents.c.status != DocumentStatus.DELETED)
        .order_by(document_versions.c.published_at.desc(), document_versions.c.document_id)
    )


def _groups(rows: Iterable[Row[Any]]) -> list[list[Row[Any]]]:
    found: list[list[Row[Any]]] = []
    for row in rows:
        if found and _together(found[-1][-1], row):
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _together(later: Row[Any], earlier: Row[Any]) -> bool:
    same = later.published_by == earlier.published_by
    alike = (later.restored_from is None) == (earlier.restored_from is None)
    return bool(same and alike and later.published_at - earlier.published_at <= APART)


def _publication(rows: Sequence[Row[Any]]) -> Publication:
    newest, oldest = rows[0], rows[-1]
    restored = newest.restored_from is not None
    return Publication(oldest.published_at, newest.published_at, newest.published_by, restored, tuple(_documents(rows)))


def _documents(rows: Iterable[Row[Any]]) -> list[Published]:
    by_document: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_document.setdefault(row.document_id, []).append(row)
    return [_published(of_one) for of_one in by_document.values()]


def _published(rows: Sequence[Row[Any]]) -> Published:
    """Of one document's versions, newest first."""
    newest, oldest = rows[0], rows[-1]
    numbers = {row.number for row in rows}
    answers = newest.live_hash is not None and not numbers.isdisjoint({newest.live, newest.live_from})
    back_to = oldest.number - 1 if answers else None
    return Published(newest.document_id, newest.name, newest.number, newest.restored_from, back_to)
