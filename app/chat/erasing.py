"""Conversations deleted, on request or because of their age, with everything that belongs to them.

That is turns, what people thought of them, gaps, receipts, examples, handoffs, what the bot showed, streams, and the
pictures that came with messages unless a job or another turn uses them (their bytes go with the next sweep of files).
Jobs stay in their ledger, with what they made, but no longer name the conversation; calls of models stay, which hold no
word of it.

Kept answers stay, too. They are made from documents alone, for questions with no conversation, picture or instruction
before them (:meth:`app.chat.kept.KeptAnswers.admit`), say nothing of who asked, and are gone after a day in which
nothing is kept beside them; whoever wants them gone now purges the cache.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, String, cast, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.tables import channel_replies, handoffs
from app.chat.prompt_tables import prompt_examples
from app.chat.streams import Owned, TurnStreams
from app.chat.tables import conversations, feedback, gaps, receipts, second_looks, turns
from app.jobs.tables import artifacts, jobs
from knowledge.database import Database, now
from knowledge.errors import NotFound, Unavailable

AT_ONCE = 20  # conversations in a transaction: 20 ms on SQLite, whose other writers wait for it
_IN_A_STATEMENT = 500  # ids
_REFER = (
    feedback.c.turn_id,
    gaps.c.turn_id,
    receipts.c.turn_id,
    second_looks.c.turn_id,
    prompt_examples.c.turn_id,
    handoffs.c.turn_id,
    channel_replies.c.turn_id,
)

log = logging.getLogger(__name__)


class Eraser:
    """A turn that is being written is stopped; what it still writes down changes no row."""

    def __init__(self, database: Database, streams: TurnStreams) -> None:
        self._database = database
        self._streams = streams

    async def conversation(self, tenant: str, conversation_id: str) -> None:
        """Raises NotFound ``conversation_not_found``."""
        mine = (conversations.c.id == conversation_id) & (conversations.c.tenant == tenant)
        if not await self._all(mine):
            raise NotFound("There is no such conversation.", code="conversation_not_found")

    async def of_requester(self, tenant: str, requester: str) -> int:
        """All that somebody began; → how many."""
        return await self._all((conversations.c.tenant == tenant) & (conversations.c.requester == requester))

    async def unused(self, *, longer_than: timedelta) -> int:
        """Of every tenant; → how many."""
        return await self._all(conversations.c.last_turn_at < now() - longer_than)

    async def _all(self, which: ColumnElement[bool]) -> int:
        deleted = 0
        while True:
            async with self._database.write() as connection:
                some, erased = await _erase(connection, which)
            await self._forget(erased)
            deleted += some
            if some < AT_ONCE:
                return deleted
            await asyncio.sleep(0)

    async def _forget(self, erased: Sequence[Owned]) -> None:
        try:
            await self._streams.forget(erased)
        except Unavailable as error:  # they end by themselves after an hour
            log.warning("streams of deleted turns left: %d, %s", len(erased), error.params.get("reason"))


async def _erase(connection: AsyncConnection, which: ColumnElement[bool]) -> tuple[int, list[Owned]]:
    """→ how many conversations, and their turns."""
    oldest = select(conversations.c.id).where(which).order_by(conversations.c.last_turn_at).limit(AT_ONCE)
    ids = list((await connection.execute(oldest.with_for_update())).scalars())
    of_them = select(turns.c.id, turns.c.tenant, turns.c.attachments).where(turns.c.conversation_id.in_(ids))
    rows = (await connection.execute(of_them.with_for_update())).all()
    for some in _slices([row.id for row in rows]):
        for column in _REFER:
            await connection.execute(delete(column.table).where(column.in_(some)))
        await connection.execute(delete(turns).where(turns.c.id.in_(some)))
    await connection.execute(update(jobs).where(jobs.c.conversation_id.in_(ids)).values(conversation_id=None))
    await connection.execute(delete(conversations).where(conversations.c.id.in_(ids)))
    pictures = {(row.tenant, picture) for row in rows for picture in row.attachments or ()}
    for tenant, picture in sorted(pictures):
        await _drop_picture(connection, tenant, picture)
    return len(ids), [(row.tenant, row.id) for row in rows]


async def _drop_picture(connection: AsyncConnection, tenant: str, picture: str) -> None:
    used = or_(
        select(jobs.c.id).where(jobs.c.tenant == tenant, cast(jobs.c.request, String).contains(picture)).exists(),
        select(turns.c.id)
        .where(turns.c.tenant == tenant, cast(turns.c.attachments, String).contains(picture))
        .exists(),
    )
    uploaded = (artifacts.c.id == picture) & (artifacts.c.tenant == tenant) & artifacts.c.job_id.is_(None)
    await connection.execute(delete(artifacts).where(uploaded, ~used))


def _slices(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _IN_A_STATEMENT] for start in range(0, len(ids), _IN_A_STATEMENT)]
