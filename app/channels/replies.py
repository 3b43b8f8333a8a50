"""What people see of an answer or a job: one row each, from its opening to its end, whichever process shows it.

``open`` may still change; ``sending`` is a message under way, which is not sent again when its process dies, because it
may have arrived; ``unclosed`` was said in a message because its card could not be ended, which is tried again;
``done`` and ``failed`` will not change; ``stored`` was not shown and waits for the next message in its place; of an
``unsure`` one nobody knows whether it was shown, so with the next message people are told how to get it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Row, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.channels.tables import channel_replies
from knowledge.database import Database, now
from knowledge.errors import NotFound

State: TypeAlias = Literal["open", "sending", "unclosed", "done", "failed", "stored", "unsure"]
Rung: TypeAlias = Literal["stream", "coarse", "final", "markdown", "stored"]

UNSURE = "delivery_unknown"  # the reason of those that may not have been shown
REPEATED = "repeated"  # and of those that were asked for again

_ON_CARD = (
    channel_replies.c.kind.in_(("answer", "job"))
    & channel_replies.c.card_id.is_not(None)
    & (channel_replies.c.rung != "markdown")
)


@dataclass(frozen=True, slots=True)
class Reply:
    """``id`` is the message's, as 32 hex digits, or the job's; ``place`` names the conversation it is shown in.

    ``rung`` is how it is shown and ``reason`` the code of why; ``calls`` were spent on it.
    """

    id: str
    tenant: str
    channel: str
    kind: str
    place: str
    target: Mapping[str, Any]
    rung: Rung
    reason: str
    state: State = "open"
    turn_id: str | None = None
    job_id: str | None = None
    card_id: str | None = None
    text: str | None = None
    calls: int = 0
    created_at: datetime = field(default_factory=now)
    closed_at: datetime | None = None


class Replies:
    """Every change of state happens once: the call that made it is told so."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, reply: Reply) -> Reply:
        """Write it down; one that is there already is returned as it is."""
        try:
            async with self._database.write(of=None) as connection:
                await connection.execute(insert(channel_replies).values(**asdict(reply)))
        except IntegrityError:
            return await self.get(reply.id)
        return replace(reply)

    async def get(self, reply_id: str) -> Reply:
        """Raises NotFound ``reply_not_found``."""
        found = await self._some(channel_replies.c.id == reply_id)
        if not found:
            raise NotFound("There is no such reply.", code="reply_not_found")
        return found[0]

    async def find(self, reply_id: str) -> Reply | None:
        return next(iter(await self._some(channel_replies.c.id == reply_id)), None)

    async def set_turn(self, reply_id: str, turn_id: str) -> None:
        """Name the turn that answers."""
        async with self._database.write(of=None) as connection:
            await connection.execute(update(channel_replies).filter_by(id=reply_id).values(turn_id=turn_id))

    async def fall(self, reply_id: str, rung: Rung, reason: str) -> None:
        """It is shown another way than it was begun."""
        async with self._database.write(of=None) as connection:
            await connection.execute(update(channel_replies).filter_by(id=reply_id).values(rung=rung, reason=reason))

    async def sending(self, reply_id: str, text: str) -> bool:
        """A message is about to be sent; → whether it is this call's to send."""
        return await self._move(reply_id, ("open",), {"state": "sending", "text": text})

    async def close(
        self,
        reply_id: str,
        state: Literal["done", "failed", "stored", "unclosed", "unsure"] = "done",
        *,
        text: str | None = None,
        calls: int | None = None,
    ) -> bool:
        """End one that is open or being sent; → whether this call ended it. ``text`` is what a stored one will say."""
        values: dict[str, Any] = {"state": state, "closed_at": now()}
        values |= {"reason": UNSURE} if state == "unsure" else {}
        values |= {name: value for name, value in (("text", text), ("calls", calls)) if value is not None}
        return await self._move(reply_id, ("open", "sending"), values)

    async def give_up_sending(self, reply: Reply) -> None:
        """Whoever was sending it is gone, and it may have arrived."""
        if reply.state == "sending":
            await self.close(reply.id, "unsure")

    async def unclosed(self, channel: str) -> list[Reply]:
        """Those whose card still looks as if something came; some of them wait to be shown otherwise."""
        state = channel_replies.c.state
        kept = state.in_(("stored", "unsure")) & _ON_CARD
        return await self._some(channel_replies.c.channel == channel, (state == "unclosed") | kept)

    async def card_closed(self, reply_id: str) -> bool:
        """An unclosed one's card was ended, or cannot be: it is a message from now on."""
        state = case((channel_replies.c.state == "unclosed", "done"), else_=channel_replies.c.state)
        return await self._move(reply_id, ("unclosed", "stored", "unsure"), {"rung": "markdown", "state": state})

    async def taken(self, reply_id: str) -> bool:
        """A stored one is about to be sent, or people are about to be told of an unsure one; → whether that is this
        call's to do."""
        table = channel_replies.c
        state = case((table.state == "stored", "sending"), (_ON_CARD, "unclosed"), else_="done")
        return await self._move(reply_id, ("stored", "unsure"), {"state": state, "closed_at": now()})

    async def shown(self, reply_id: str) -> bool:
        """A stored one was sent."""
        return await self._move(reply_id, ("sending",), {"state": case((_ON_CARD, "unclosed"), else_="done")})

    async def by_card(self, card_id: str) -> Reply | None:
        """The newest that is shown on a card."""
        found = await self._some(channel_replies.c.card_id == card_id)
        return found[-1] if found else None

    async def still_open(self, channel: str, kind: str, *, older_than: timedelta = timedelta(0)) -> list[Reply]:
        """Oldest first."""
        table = channel_replies.c
        mine = (table.channel == channel) & (table.state == "open") & (table.kind == kind)
        return await self._some(mine, table.created_at <= now() - older_than)

    async def being_sent(self, channel: str, *, older_than: timedelta) -> list[Reply]:
        """Oldest first. Whoever sends them may be gone."""
        table = channel_replies.c
        mine = (table.channel == channel) & (table.state == "sending")
        return await self._some(mine, table.created_at <= now() - older_than)

    async def latest(self, place: str, kinds: Sequence[str]) -> Reply | None:
        """The newest of these kinds in a place."""
        table = channel_replies.c
        query = select(channel_replies).where(table.place == place, table.kind.in_(kinds))
        async with self._database.read() as connection:
            row = (await connection.execute(query.order_by(table.created_at.desc()).limit(1))).first()
        return None if row is None else _reply(row)

    async def waiting(self, place: str) -> list[Reply]:
        """Those that are stored or unsure, which wait for the next message in a place, oldest first."""
        state = channel_replies.c.state
        return await self._some(channel_replies.c.place == place, state.in_(("stored", "unsure")))

    async def waits_on(self, reply_id: str, state: Literal["stored", "unsure"]) -> None:
        """What was taken could not be shown this time either (``stored``), or nobody knows (``unsure``)."""
        reason = {"reason": UNSURE} if state == "unsure" else {}
        await self._move(reply_id, ("sending", "done", "unclosed"), {"state": state, **reason})

    async def unseen(self, place: str, since: datetime) -> list[Reply]:
        """Those that may not have been shown, oldest first."""
        table = channel_replies.c
        return await self._some(table.place == place, table.reason == UNSURE, table.closed_at >= since)

    async def repeated(self, replies: Sequence[Reply]) -> None:
        """They are shown again."""
        mine = channel_replies.c.id.in_([reply.id for reply in replies])
        async with self._database.write(of=None) as connection:
            await connection.execute(update(channel_replies).where(mine).values(reason=REPEATED))

    async def recent(self, tenant: str, limit: int = 20) -> list[Reply]:
        """Newest first."""
        query = select(channel_replies).filter_by(tenant=tenant).order_by(channel_replies.c.created_at.desc())
        async with self._database.read() as connection:
            return [_reply(row) for row in await connection.execute(query.limit(limit))]

    async def _move(self, reply_id: str, states: Sequence[State], values: Mapping[str, Any]) -> bool:
        async with self._database.write(of=None) as connection:
            mine = (channel_replies.c.id == reply_id) & channel_replies.c.state.in_(states)
            moved = await connection.execute(update(channel_replies).where(mine).values(**values))
        return moved.rowcount == 1

    async def _some(self, *conditions: ColumnElement[bool]) -> list[Reply]:
        query = select(channel_replies).where(*conditions).order_by(channel_replies.c.created_at)
        async with self._database.read() as connection:
            return [_reply(row) for row in await connection.execute(query)]


def _reply(row: Row[Any]) -> Reply:
    return Reply(**{name: getattr(row, name) for name in Reply.__dataclass_fields__})
