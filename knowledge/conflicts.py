"""Contradictions that the radar found, as people see them: both passages as they are now, and what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update

from knowledge.conflict_tables import conflicts
from knowledge.database import Database, now
from knowledge.errors import NotFound
from knowledge.models import Place
from knowledge.tables import chunks, documents, knowledge_bases

ConflictState: TypeAlias = Literal["open", "ignored", "resolved"]


@dataclass(frozen=True, slots=True)
class Side:
    """A passage. Its value stands from ``start`` to ``end`` of ``text``."""

    document_id: str
    document: str
    chunk_id: str
    text: str
    place: Place
    start: int
    end: int

    @property
    def value(self) -> str:
        """As it is written."""
        return self.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class ValueConflict:
    """Two live passages that give ``subject`` different values; ``closed_by`` left it at that."""

    id: str
    kb: str
    state: ConflictState
    subject: str
    left: Side
    right: Side
    found_at: datetime
    closed_by: str | None
    closed_at: datetime | None


class Conflicts:
    """Reads and closes them. One whose passage has changed is gone by itself.

    Not shown is what can't be in one answer: documents that are never valid at one time, or not any more.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    async def page(
        self, tenant: str, *, state: ConflictState = "open", kb_id: str | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[list[ValueConflict], int]:
        """Newest first, and how many there are in all."""
        where = and_(conflicts.c.tenant == tenant, conflicts.c.state == state)
        if kb_id is not None:
            where = and_(where, conflicts.c.kb_id == kb_id)
        shown = _shown(where, self._clock())
        order = (conflicts.c.found_at.desc(), conflicts.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(shown.order_by(*order).limit(limit).offset(offset))).all()
            total = (await connection.execute(select(func.count()).select_from(shown.subquery()))).scalar_one()
        return [_conflict(row) for row in rows], total

    async def get(self, tenant: str, conflict_id: str) -> ValueConflict:
        """Raises NotFound ``conflict_not_found``."""
        where = and_(conflicts.c.tenant == tenant, conflicts.c.id == conflict_id)
        async with self._database.read() as connection:
            row = (await connection.execute(_shown(where, self._clock()))).first()
        if row is None:
            raise NotFound("There is no such conflict (any more).", code="conflict_not_found")
        return _conflict(row)

    async def set_state(self, tenant: str, conflict_id: str, state: ConflictState, *, by: str | None) -> ValueConflict:
        """Leave it at that, or look at it again. Raises NotFound ``conflict_not_found``."""
        await self.get(tenant, conflict_id)
        closed = {"closed_by": None, "closed_at": None} if state == "open" else {"closed_by": by, "closed_at": now()}
        mine = update(conflicts).where(conflicts.c.tenant == tenant, conflicts.c.id == conflict_id)
        async with self._database.write() as connection:
            await connection.execute(mine.values(state=state, **closed))
        return await self.get(tenant, conflict_id)


_SIDES = {side: (chunks.alias(f"{side}_c"), documents.alias(f"{side}_d")) for side in ("left", "right")}
_OF_CHUNK = ("text", "heading", "page", "sheet", "row")


def _shown(where: ColumnElement[bool], moment: datetime) -> Any:  # the select's type says nothing
    joined: Any = conflicts.join(knowledge_bases, knowledge_bases.c.id == conflicts.c.kb_id)
    columns: list[Any] = [conflicts, knowledge_bases.c.name.label("kb")]
    for side, (chunk, document) in _SIDES.items():
        joined = joined.join(chunk, chunk.c.id == conflicts.c[f"{side}_chunk"])
        joined = joined.join(document, document.c.id == chunk.c.document_id)
        columns += [chunk.c[name].label(f"{side}_c_{name}") for name in _OF_CHUNK]
        columns.append(document.c.name.label(f"{side}_name"))
        where = and_(where, or_(document.c.valid_until.is_(None), document.c.valid_until > moment))
    (_, one), (_, other) = _SIDES.values()
    return select(*columns).select_from(joined).where(where, _begins_before(one, other), _begins_before(other, one))


def _begins_before(one: Any, other: Any) -> ColumnElement[bool]:
    """The one's window begins before the other's ends."""
    open_ended = or_(one.c.valid_from.is_(None), other.c.valid_until.is_(None))
    return or_(open_ended, one.c.valid_from < other.c.valid_until)


def _conflict(row: Row[Any]) -> ValueConflict:
    left, right = (_side(row, side) for side in _SIDES)
    return ValueConflict(
        row.id, row.kb, row.state, row.subject, left, right, row.found_at, row.closed_by, row.closed_at
    )


def _side(row: Row[Any], side: str) -> Side:
    text, heading, page, sheet, line = (getattr(row, f"{side}_c_{name}") for name in _OF_CHUNK)
    document_id, chunk_id, start, end = _at(row, side, ("document", "chunk", "start", "end"))
    place = Place(heading, page, sheet, line)
    return Side(document_id, getattr(row, f"{side}_name"), chunk_id, text, place, start, end)


def _at(row: Row[Any], side: str, names: Sequence[str]) -> list[Any]:
    return [getattr(row, f"{side}_{name}") for name in names]
