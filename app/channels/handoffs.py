"""Questions that went to people. An operator's reply goes back to the asker, and is proposed as a curated answer.

``waiting`` → ``answered``. A reply reaches the asker through the channel's own process: it looks for what is
:meth:`Handoffs.untold`, whoever wrote the reply and wherever. In the same way it announces what is ``unannounced`` to
the operators' group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.tables import handoffs
from knowledge.curated import propose
from knowledge.database import Database, now
from knowledge.errors import Conflict, InvalidInput, NotFound, Unavailable

MAX_REPLY = 4000  # characters
_TRIES = 8  # numbers that others took at the same moment

HandoffState: TypeAlias = Literal["waiting", "answered"]


class Asked(Protocol):
    """A turn, as far as it is handed over; ``knowledge_bases`` is what it was answered from, None is all."""

    @property
    def id(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def evidence(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def knowledge_bases(self) -> Sequence[str] | None: ...


@dataclass(frozen=True, slots=True)
class Handoff:
    """``number`` is what people type: it counts from 1 in a tenant. ``target`` is where the asker is."""

    id: str
    tenant: str
    number: int
    channel: str
    turn_id: str
    state: HandoffState
    question: str
    answer: str
    evidence: tuple[Mapping[str, Any], ...]
    knowledge_bases: tuple[str, ...] | None
    asker: str | None
    target: Mapping[str, Any]
    reply: str | None
    replied_by: str | None
    created_at: datetime
    replied_at: datetime | None
    announced_at: datetime | None
    told_at: datetime | None


class Handoffs:
    """One a turn, however often it is asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, tenant: str, turn: Asked, *, channel: str, asker: str | None, target: Mapping[str, Any]
    ) -> Handoff:
        """Hand a turn to people; the handoff that it has already, if it has one. ``asker`` is their name."""
        row = {
            "id": uuid4().hex,
            "tenant": tenant,
            "channel": channel,
            "turn_id": turn.id,
            "state": "waiting",
            "question": turn.question,
            "answer": turn.answer,
            "evidence": [dict(passage) for passage in turn.evidence],
            "knowledge_bases": None if turn.knowledge_bases is None else list(turn.knowledge_bases),
            "asker": asker,
            "target": dict(target),
        }
        for _ in range(_TRIES):
            try:
                async with self._database.write() as connection:
                    return await _of_turn(connection, turn.id) or await _add(connection, row)
            except IntegrityError:  # its number was taken meanwhile, or it was handed over meanwhile
                continue
        raise Unavailable("Too many questions are being handed over right now.", code="handoffs_busy")

    async def answer(self, tenant: str, number: int, text: str, *, by: str) -> Handoff:
        """Write the reply down, to be brought to the asker, and propose it as a curated answer: both or neither.

        Raises InvalidInput ``reply_empty`` or ``reply_too_long``, NotFound ``handoff_not_found``, Conflict
        ``handoff_answered``.
        """
        reply = _checked(text)
        waiting = update(handoffs).filter_by(tenant=tenant, number=number, state="waiting")
        given = {"state": "answered", "reply": reply, "replied_by": by, "replied_at": now()}
        async with self._database.write() as connection:
            row = (await connection.execute(waiting.values(**given).returning(handoffs))).first()
            if row is not None:
                await _propose(connection, _handoff(row), by)
                return _handoff(row)
        await self.find(tenant, number)
        raise Conflict(f"Question {number} was answered already.", code="handoff_answered", number=number)

    async def find(self, tenant: str, number: int) -> Handoff:
        """Raises NotFound ``handoff_not_found``."""
        found = await self._some(handoffs.c.tenant == tenant, handoffs.c.number == number)
        if not found:
            raise NotFound(f"There is no question {number}.", code="handoff_not_found", number=number)
        return found[0]

    async def waiting(self, tenant: str) -> list[Handoff]:
        """Open questions, the oldest first."""
        return await self._some(handoffs.c.tenant == tenant, handoffs.c.state == "waiting")

    async def unannounced(self, channel: str, *, since: datetime) -> list[Handoff]:
        """Open questions that the operators' group has not been shown, the oldest first."""
        table = handoffs.c
        waits = (table.state == "waiting") & table.announced_at.is_(None) & (table.created_at >= since)
        return await self._some(table.channel == channel, waits)

    async def untold(self, channel: str) -> list[Handoff]:
        """Answered ones whose asker has not been told."""
        table = handoffs.c
        return await self._some(table.channel == channel, table.state == "answered", table.told_at.is_(None))

    async def announced(self, handoff_id: str) -> bool:
        """The operators' group was shown it; → whether this call is the first to say so."""
        return await self._mark(handoff_id, handoffs.c.announced_at)

    async def not_announced(self, handoff_id: str) -> None:
        """It could not be shown to them after all."""
        mine = update(handoffs).where(handoffs.c.id == handoff_id)
        async with self._database.write() as connection:
            await connection.execute(mine.values(announced_at=None))

    async def told(self, handoff_id: str) -> bool:
        """The asker was told; → whether this call is the first to say so."""
        return await self._mark(handoff_id, handoffs.c.told_at)

    async def _mark(self, handoff_id: str, column: ColumnElement[Any]) -> bool:
        unmarked = update(handoffs).where(handoffs.c.id == handoff_id, column.is_(None))
        async with self._database.write() as connection:
            return (await connection.execute(unmarked.values({column: now()}))).rowcount == 1

    async def _some(self, *conditions: ColumnElement[bool]) -> list[Handoff]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(handoffs).where(*conditions).order_by(handoffs.c.created_at))
            return [_handoff(row) for row in rows]


async def _of_turn(connection: AsyncConnection, turn_id: str) -> Handoff | None:
    row = (await connection.execute(select(handoffs).filter_by(turn_id=turn_id))).first()
    return None if row is None else _handoff(row)


async def _add(connection: AsyncConnection, row: Mapping[str, Any]) -> Handoff:
    last = select(func.max(handoffs.c.number)).filter_by(tenant=row["tenant"])
    number = ((await connection.execute(last)).scalar() or 0) + 1
    new = insert(handoffs).values(**row, number=number, created_at=now()).returning(handoffs)
    return _handoff((await connection.execute(new)).one())


async def _propose(connection: AsyncConnection, handoff: Handoff, by: str) -> None:
    source = {"handoff": handoff.id, "number": handoff.number, "turn": handoff.turn_id}
    await propose(
        connection,
        handoff.tenant,
        handoff.question,
        handoff.reply or "",
        source=source,
        by=by,
        knowledge_bases=handoff.knowledge_bases,
    )


def _checked(text: str) -> str:
    reply = text.strip()
    if not reply:
        raise InvalidInput("Write the answer.", code="reply_empty")
    if len(reply) > MAX_REPLY:
        raise InvalidInput(f"At most {MAX_REPLY} characters.", code="reply_too_long", limit=MAX_REPLY)
    return reply


def _handoff(row: Row[Any]) -> Handoff:
    special = {"evidence", "knowledge_bases"}
    plain = {name: getattr(row, name) for name in Handoff.__dataclass_fields__ if name not in special}
    names = None if row.knowledge_bases is None else tuple(row.knowledge_bases)
    return Handoff(**plain, evidence=tuple(row.evidence), knowledge_bases=names)
