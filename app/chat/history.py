"""Conversations and turns as they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.chat.events import Done, passage_json
from app.chat.language import say
from app.chat.tables import conversations, feedback, turns
from knowledge.database import Change, Database, now
from knowledge.errors import InvalidInput, NotFound
from knowledge.language import language_of
from knowledge.models import Passage

MOST_TURNS = 40  # of a conversation that are looked at for a new question
PICTURED = 6  # turns with pictures that a new question may mean
_REACHED = turns.alias("reached")
RATINGS = ("up", "down")

# Made once, because every question needs them: see knowledge.database.Change.
_OPEN, _BEGIN = insert(conversations), insert(turns)
_MINE = select(conversations.c.id).where(
    conversations.c.id == bindparam("conversation"), conversations.c.tenant == bindparam("tenant")
)
_USED = update(conversations).where(conversations.c.id == bindparam("conversation"))
_END = update(turns).where(turns.c.id == bindparam("turn"))
_REACHED_AT = select(_REACHED.c.created_at).where(_REACHED.c.id == conversations.c.summary_to).scalar_subquery()
_PAST = (
    select(turns.c.id, turns.c.regenerates, turns.c.question, turns.c.answer, conversations.c.summary)
    .join(conversations, conversations.c.id == turns.c.conversation_id)
    .where(turns.c.tenant == bindparam("tenant"), turns.c.conversation_id == bindparam("conversation"))
    .where(turns.c.status == "done", turns.c.refused.is_(False))
    .where(_REACHED_AT.is_(None) | (turns.c.created_at > _REACHED_AT))
    .order_by(turns.c.created_at.desc())
    .limit(MOST_TURNS)
)
_PICTURES = (
    select(turns.c.attachments)
    .where(turns.c.tenant == bindparam("tenant"), turns.c.conversation_id == bindparam("conversation"))
    .where(turns.c.attachments.is_not(None))
    .order_by(turns.c.created_at.desc())
    .limit(PICTURED)
)

REASONS = ("wrong", "outdated", "incomplete", "irrelevant", "other")


@dataclass(frozen=True, slots=True)
class PastTurn:
    """``summary``: no turn of the conversation, but what was said before those that follow; ``id`` is then empty."""

    question: str
    answer: str
    id: str = ""
    summary: bool = False


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A turn as asked, for doing it again."""

    id: str
    conversation_id: str
    question: str
    knowledge_bases: list[str] | None
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnsweredTurn:
    """A turn with what came of it. ``status`` is running, done, stopped or failed; ``evidence`` is passages as JSON.

    ``finish`` is that of :class:`app.chat.events.Done`; None before its end. ``curated`` is the id of the curated
    answer that answered it.
    """

    id: str
    conversation_id: str
    question: str
    status: str
    answer: str
    evidence: tuple[dict[str, Any], ...]
    citations: tuple[int, ...]
    refused: bool
    error_code: str | None
    knowledge_bases: list[str] | None
    created_at: datetime
    finish: str | None = None
    curated: str | None = None


class Conversations:
    """Reads and writes turns; every call is of one tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def past(self, tenant: str, conversation_id: str, *, without: str | None = None) -> list[PastTurn]:
        """The summary, if there is one, and the answered turns after it, oldest first; of versions of one answer the
        newest."""
        rows = await self._database.rows(_PAST, {"tenant": tenant, "conversation": conversation_id})
        seen: set[str] = {without} if without else set()
        kept = []
        for row in rows:
            root = row.regenerates or row.id
            if root not in seen:
                seen.add(root)
                kept.append(PastTurn(row.question, row.answer, row.id))
        if rows and rows[0].summary:
            kept.append(_summary_turn(rows[0].summary))
        return kept[::-1]

    async def keep_summary(self, conversation_id: str, text: str, *, to: str, instead_of: str) -> bool:
        """→ whether it was kept: the summary that it goes on from (none is "") must still be the conversation's."""
        unchanged = func.coalesce(conversations.c.summary, "") == instead_of
        mine = (conversations.c.id == conversation_id) & unchanged
        async with self._database.write() as connection:
            done = await connection.execute(update(conversations).where(mine).values(summary=text, summary_to=to))
        return done.rowcount == 1

    async def begin(
        self,
        tenant: str,
        *,
        turn_id: str,
        question: str,
        conversation_id: str | None = None,
        channel: str = "api",
        requester: str | None = None,
        kbs: Sequence[str] | None = None,
        regenerates: str | None = None,
        attachments: Sequence[str] = (),
    ) -> str:
        """A turn, in a conversation of the tenant's or, when None, a new one; → the conversation's id.

        Raises NotFound ``conversation_not_found``, also for one that is deleted at this moment.
        """
        moment = now()
        if conversation_id is None:
            conversation_id = uuid4().hex
            opened = {"id": conversation_id, "tenant": tenant, "channel": channel, "requester": requester}
            first: Change = (_OPEN, opened | {"created_at": moment, "last_turn_at": moment})
        else:
            if not await self._database.rows(_MINE, {"conversation": conversation_id, "tenant": tenant}):
                raise NotFound("There is no such conversation.", code="conversation_not_found")
            first = (_USED, {"conversation": conversation_id, "last_turn_at": moment})
        row: dict[str, Any] = {
            "id": turn_id,
            "tenant": tenant,
            "conversation_id": conversation_id,
            "regenerates": regenerates,
            "status": "running",
            "question": question,
            "condensed": question,
            "knowledge_bases": None if kbs is None else list(kbs),
            "attachments": list(attachments) or None,
            "citations": [],
            "evidence": [],
            "timings_ms": {},
            "created_at": moment,
        }
        try:
            await self._database.apply(first, (_BEGIN, row))
        except IntegrityError:
            raise NotFound("There is no such conversation.", code="conversation_not_found") from None
        return conversation_id

    async def finish(
        self,
        done: Done,
        *,
        condensed: str,
        evidence: Sequence[Passage],
        prompt_version: str | None,
        saved_tokens: int | None = None,
        curated: str | None = None,
        also: Sequence[Change] = (),
    ) -> None:
        """``also`` happens in the same transaction."""
        values = {
            "turn": done.turn_id,
            "status": "stopped" if done.finish == "stopped" else "done",
            "finish": done.finish,
            "condensed": condensed,
            "answer": done.answer,
            "citations": list(done.citations),
            "evidence": [passage_json(passage) for passage in evidence],
            "refused": done.refused,
            "model": done.model,
            "prompt_version": prompt_version,
            "prompt_tokens": done.usage.get("prompt_tokens"),
            "completion_tokens": done.usage.get("completion_tokens"),
            "timings_ms": done.timings_ms,
            "cached": done.cached,
            "saved_tokens": saved_tokens,
            "curated": curated,
        }
        await self._database.apply((_END, values), *also)

    async def fail(
        self,
        turn_id: str,
        *,
        code: str,
        partial: str,
        condensed: str,
        evidence: Sequence[Passage],
        timings_ms: Mapping[str, float],
        also: Sequence[Change] = (),
    ) -> None:
        """As far as it got; ``also`` as in :meth:`finish`."""
        values = {
            "status": "failed",
            "error_code": code,
            "answer": partial,
            "condensed": condensed,
            "evidence": [passage_json(passage) for passage in evidence],
            "timings_ms": dict(timings_ms),
        }
        await self._database.apply(update(turns).where(turns.c.id == turn_id).values(values), *also)

    async def interrupt(self, turn_id: str, *, partial: str) -> None:
        """A turn whose process died, if it has not ended after all."""
        mine = (turns.c.id == turn_id) & (turns.c.status == "running")
        values = {"status": "failed", "error_code": "interrupted", "answer": partial}
        await self._database.apply(update(turns).where(mine).values(values))

    async def turn(self, tenant: str, turn_id: str) -> TurnRecord:
        """Raises NotFound ``turn_not_found``."""
        row = await self._row(tenant, turn_id)
        attachments = tuple(row.attachments or ())
        return TurnRecord(row.id, row.conversation_id, row.question, row.knowledge_bases, attachments)

    async def answered(self, tenant: str, turn_id: str) -> AnsweredTurn:
        """Raises NotFound ``turn_not_found``."""
        return _answered(await self._row(tenant, turn_id))

    async def shared(self, turn_id: str) -> AnsweredTurn:
        """Of whatever tenant, for who has a signed link to it. Raises NotFound ``turn_not_found``."""
        return _answered(await self._row(None, turn_id))

    async def questions(self, tenant: str, turn_ids: Sequence[str]) -> dict[str, str]:
        """What was asked, by turn; those of other tenants are left out."""
        query = select(turns.c.id, turns.c.question).where(turns.c.tenant == tenant, turns.c.id.in_(turn_ids))
        async with self._database.read() as connection:
            return {row.id: row.question for row in await connection.execute(query)}

    async def attachments(self, tenant: str, conversation_id: str) -> list[str]:
        """Pictures that came with messages of a conversation, newest first."""
        rows = await self._database.rows(_PICTURES, {"tenant": tenant, "conversation": conversation_id})
        return [picture for row in rows for picture in row.attachments or ()]

    async def rate(self, tenant: str, turn_id: str, *, rating: str, reason: str | None, comment: str | None) -> None:
        """Thumbs, the last one counts. Raises InvalidInput ``rating_invalid``, NotFound ``turn_not_found``."""
        if rating not in RATINGS or (reason is not None and reason not in REASONS):
            raise InvalidInput(f"A rating is up or down, a reason one of {', '.join(REASONS)}.", code="rating_invalid")
        await self.turn(tenant, turn_id)
        values: dict[str, Any] = {"rating": rating, "reason": reason, "comment": comment, "created_at": now()}
        rated = update(feedback).where(feedback.c.turn_id == turn_id).values(**values)
        try:
            async with self._database.write() as connection:
                if (await connection.execute(rated)).rowcount == 0:
                    await connection.execute(insert(feedback).values(turn_id=turn_id, tenant=tenant, **values))
        except IntegrityError:  # somebody else rated it at the same time
            async with self._database.write() as connection:
                await connection.execute(rated)

    async def close_abandoned(self, *, older_than: timedelta) -> int:
        """End turns whose process died: they will never end by themselves."""
        stale = (turns.c.status == "running") & (turns.c.created_at < now() - older_than)
        async with self._database.write() as connection:
            done = await connection.execute(
                update(turns).where(stale).values(status="failed", error_code="interrupted")
            )
        return done.rowcount

    async def _row(self, tenant: str | None, turn_id: str) -> Row[Any]:
        query = select(turns).where(turns.c.id == turn_id)
        query = query if tenant is None else query.where(turns.c.tenant == tenant)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound("There is no such turn.", code="turn_not_found")
        return row


def _summary_turn(text: str) -> PastTurn:
    """As if somebody had asked for it: every endpoint takes that, and it is left out first where room is short."""
    return PastTurn(say("summary_asked", language_of(text)), text, summary=True)


def _answered(row: Row[Any]) -> AnsweredTurn:
    names = (name for name in AnsweredTurn.__dataclass_fields__ if name not in ("evidence", "citations"))
    plain = {name: getattr(row, name) for name in names}
    return AnsweredTurn(**plain, evidence=tuple(row.evidence), citations=tuple(row.citations))
