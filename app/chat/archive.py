"""Conversations as they were kept, to be looked at and taken along."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from app.chat.tables import conversations, feedback, turns
from knowledge.database import Database
from knowledge.errors import NotFound

AT_ONCE = 200  # turns of an export that are in memory


@dataclass(frozen=True, slots=True)
class Conversation:
    """``title`` is its first question; ``requester`` who began it, where that is known."""

    id: str
    channel: str
    requester: str | None
    title: str
    turns: int
    created_at: datetime
    last_turn_at: datetime


@dataclass(frozen=True, slots=True)
class KeptTurn:
    """A turn with what people thought of it. ``condensed`` is the question as it was read, ``sources`` the names of the
    cited documents, ``regenerates`` the turn that it is another answer of."""

    id: str
    conversation_id: str
    channel: str
    requester: str | None
    created_at: datetime
    regenerates: str | None
    status: str
    finish: str | None
    question: str
    condensed: str
    answer: str
    citations: tuple[int, ...]
    sources: tuple[str, ...]
    refused: bool
    error_code: str | None
    cached: str | None
    model: str
    prompt_version: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    knowledge_bases: tuple[str, ...]
    attachments: tuple[str, ...]
    rating: str | None
    reason: str | None
    comment: str | None


class Archive:
    """Reads; every call is of one tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, tenant: str, *, requester: str | None = None) -> int:
        query = select(func.count()).select_from(conversations).where(_mine(tenant, requester))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def newest(
        self, tenant: str, *, requester: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[Conversation]:
        """The last used first."""
        query = _listed().where(_mine(tenant, requester)).order_by(conversations.c.last_turn_at.desc())
        async with self._database.read() as connection:
            rows = await connection.execute(query.limit(limit).offset(offset))
            return [Conversation(*row) for row in rows]

    async def conversation(self, tenant: str, conversation_id: str) -> Conversation:
        """Raises NotFound ``conversation_not_found``."""
        query = _listed().where(conversations.c.id == conversation_id, conversations.c.tenant == tenant)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound("There is no such conversation.", code="conversation_not_found")
        return Conversation(*row)

    async def turns(self, tenant: str, conversation_id: str, *, limit: int, offset: int = 0) -> list[KeptTurn]:
        """The oldest first."""
        query = _kept(tenant).where(turns.c.conversation_id == conversation_id).limit(limit).offset(offset)
        async with self._database.read() as connection:
            return [_turn(row) for row in await connection.execute(query)]

    async def export(
        self, tenant: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[list[KeptTurn]]:
        """Turns from ``since`` to before ``until``, the oldest first, some at a time; each lot is read by itself."""
        query = _kept(tenant).limit(AT_ONCE)
        query = query if since is None else query.where(turns.c.created_at >= since)
        query = query if until is None else query.where(turns.c.created_at < until)
        after: KeptTurn | None = None
        while True:
            page = query if after is None else query.where(_after(after))
            async with self._database.read() as connection:
                found = [_turn(row) for row in await connection.execute(page)]
            if not found:
                return
            yield found
            after = found[-1]


def _mine(tenant: str, requester: str | None) -> ColumnElement[bool]:
    mine = conversations.c.tenant == tenant
    return mine if requester is None else mine & (conversations.c.requester == requester)


def _listed() -> Select[Any]:
    of_it = turns.c.conversation_id == conversations.c.id
    title = select(turns.c.question).where(of_it).order_by(turns.c.created_at).limit(1).scalar_subquery()
    count = select(func.count()).select_from(turns).where(of_it).scalar_subquery()
    shown = conversations.c
    return select(
        shown.id,
        shown.channel,
        shown.requester,
        func.coalesce(title, ""),
        count,
        shown.created_at,
        shown.last_turn_at,
    )


def _kept(tenant: str) -> Select[Any]:
    rated = (feedback.c.rating, feedback.c.reason, feedback.c.comment)
    return (
        select(turns, conversations.c.channel, conversations.c.requester, *rated)
        .join(conversations, conversations.c.id == turns.c.conversation_id)
        .outerjoin(feedback, feedback.c.turn_id == turns.c.id)
        .where(turns.c.tenant == tenant)
        .order_by(turns.c.created_at, turns.c.id)
    )


def _after(turn: KeptTurn) -> ColumnElement[bool]:
    moment = turns.c.created_at
    return or_(moment > turn.created_at, and_(moment == turn.created_at, turns.c.id > turn.id))


_MADE = ("citations", "sources", "knowledge_bases", "attachments")


def _turn(row: Row[Any]) -> KeptTurn:
    plain = {name: getattr(row, name) for name in KeptTurn.__dataclass_fields__ if name not in _MADE}
    evidence = row.evidence
    cited = [evidence[number - 1]["document"] for number in row.citations if 1 <= number <= len(evidence)]
    return KeptTurn(
        **plain,
        citations=tuple(row.citations),
        sources=tuple(dict.fromkeys(cited)),
        knowledge_bases=tuple(row.knowledge_bases or ()),
        attachments=tuple(row.attachments or ()),
    )
