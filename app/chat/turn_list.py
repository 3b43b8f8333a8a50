"""Turns as a list, the newest first, to find the one that somebody speaks of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import ColumnElement, case, func, or_, select, true

from app.chat.tables import conversations, feedback, turns
from knowledge.database import Database

Group: TypeAlias = Literal["all", "refused", "failed", "down", "cached"]
GROUPS: tuple[Group, ...] = get_args(Group)
BEGINNING = 200  # characters of an answer

_OF: dict[Group, ColumnElement[bool]] = {
    "all": true(),
    "refused": turns.c.refused.is_(True),
    "failed": turns.c.status == "failed",
    "down": feedback.c.rating == "down",
    "cached": turns.c.cached.is_not(None),
}


@dataclass(frozen=True, slots=True)
class ListedTurn:
    """``answer`` is its beginning; ``total_ms`` None where it has not ended, or not by itself."""

    id: str
    question: str
    answer: str
    status: str
    refused: bool
    error_code: str | None
    cached: str | None
    regenerates: str | None
    model: str
    channel: str
    rating: str | None
    total_ms: float | None
    created_at: datetime


class TurnList:
    """Of a tenant. ``text`` is looked for in questions and answers, or is the id of a turn; empty: all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tally(self, tenant: str, *, text: str = "") -> dict[Group, int]:
        """How many there are of each group."""
        counts = [func.coalesce(func.sum(case((which, 1), else_=0)), 0) for which in _OF.values()]
        query = select(*counts).select_from(_RATED).where(*_mine(tenant, text))
        async with self._database.read() as connection:
            counted = (await connection.execute(query)).one()
        return dict(zip(_OF, map(int, counted), strict=True))

    async def newest(
        self, tenant: str, *, group: Group = "all", text: str = "", limit: int = 30, offset: int = 0
    ) -> list[ListedTurn]:
        query = (
            select(*_COLUMNS)
            .select_from(_RATED.join(conversations, conversations.c.id == turns.c.conversation_id))
            .where(*_mine(tenant, text), _OF[group])
            .order_by(turns.c.created_at.desc(), turns.c.id)
            .limit(limit)
            .offset(offset)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_listed(dict(row)) for row in rows]


_RATED = turns.outerjoin(feedback, feedback.c.turn_id == turns.c.id)
_COLUMNS = (
    turns.c.id,
    turns.c.question,
    func.substr(turns.c.answer, 1, BEGINNING).label("answer"),
    turns.c.status,
    turns.c.refused,
    turns.c.error_code,
    turns.c.cached,
    turns.c.regenerates,
    turns.c.model,
    conversations.c.channel,
    feedback.c.rating,
    turns.c.timings_ms,
    turns.c.created_at,
)


def _listed(row: dict[str, Any]) -> ListedTurn:
    timings = row.pop("timings_ms")
    return ListedTurn(**row, total_ms=timings.get("total"))


def _mine(tenant: str, text: str) -> list[ColumnElement[bool]]:
    mine = [turns.c.tenant == tenant]
    if text:
        said = (column.icontains(text, autoescape=True) for column in (turns.c.question, turns.c.answer))
        mine.append(or_(turns.c.id == text, *said))
    return mine
