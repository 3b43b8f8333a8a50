"""The receipt of an answer: everything that is known of how it came about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, bindparam, delete, select

from app.chat.events import passage_of
from app.chat.tables import conversations, feedback, if_it_stands, receipts, turns
from app.chat.trail import KeptTrail, kept
from app.chat.turns import Turn
from app.llm.calls import CallLog, KeptCall
from knowledge.database import Change, Database, now
from knowledge.errors import NotFound
from knowledge.models import Passage

_TRAIL = TypeAdapter(KeptTrail)


@dataclass(frozen=True, slots=True)
class Feedback:
    rating: str
    reason: str | None
    comment: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """One answer to a question that was answered again."""

    id: str
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A turn with all that belongs to it.

    ``passages`` are what was found, with what each stage of retrieval said; the answer was given the first ``given``.
    ``trail`` None: it was not kept, or is so old that it was deleted, and the calls with it; ``passages`` is the
    evidence then. ``versions`` are all answers to the question, this one with them, the oldest first.
    """

    id: str
    conversation_id: str
    channel: str
    question: str
    condensed: str
    knowledge_bases: list[str] | None
    status: str
    finish: str | None
    answer: str
    citations: tuple[int, ...]
    refused: bool
    error_code: str | None
    model: str
    prompt_version: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    timings_ms: dict[str, float]
    cached: str | None
    saved_tokens: int | None
    created_at: datetime
    passages: tuple[Passage, ...]
    given: int
    trail: KeptTrail | None
    calls: tuple[KeptCall, ...]
    feedback: Feedback | None
    versions: tuple[Version, ...]

    @property
    def amounts(self) -> dict[str, float]:
        """Money by currency, of calls whose price is known."""
        found: dict[str, float] = {}
        for call in self.calls:
            if call.amount is not None:
                found[call.currency] = round(found.get(call.currency, 0.0) + call.amount, 6)
        return found

    @property
    def unpriced(self) -> int:
        """How many calls have a price that is not known."""
        return sum(call.amount is None for call in self.calls)


class Receipts:
    """Reads what :func:`rows` wrote; ``calls`` has the models' part of it."""

    def __init__(self, database: Database, calls: CallLog) -> None:
        self._database = database
        self._calls = calls

    async def of(self, tenant: str, turn_id: str) -> Receipt:
        """Raises NotFound ``turn_not_found``."""
        query = (
            select(turns, conversations.c.channel, receipts.c.trail)
            .join(conversations, conversations.c.id == turns.c.conversation_id)
            .outerjoin(receipts, receipts.c.turn_id == turns.c.id)
            .where(turns.c.id == turn_id, turns.c.tenant == tenant)
        )
        found = await self._database.rows(query)
        if not found:
            raise NotFound("There is no such turn.", code="turn_not_found")
        calls = await self._calls.of_turn(tenant, turn_id)
        return _receipt(found[0], calls, await self._feedback(turn_id), await self._versions(tenant, found[0]))

    async def forget(self, *, before: datetime) -> int:
        """Delete the trails and calls of older turns; the turns stay. → how many rows that were."""
        async with self._database.write() as connection:
            done = await connection.execute(delete(receipts).where(receipts.c.created_at < before))
        return done.rowcount + await self._calls.forget(before=before)

    async def _feedback(self, turn_id: str) -> Feedback | None:
        found = await self._database.rows(select(feedback).where(feedback.c.turn_id == turn_id))
        return Feedback(*(getattr(found[0], name) for name in Feedback.__dataclass_fields__)) if found else None

    async def _versions(self, tenant: str, turn: Row[Any]) -> list[Version]:
        """A version is asked again with the same question in the same conversation, so it is among those."""
        query = (
            select(turns.c.id, turns.c.status, turns.c.created_at, turns.c.regenerates)
            .where(turns.c.tenant == tenant, turns.c.conversation_id == turn.conversation_id)
            .where(turns.c.question == turn.question)
            .order_by(turns.c.created_at)
        )
        asked = await self._database.rows(query)
        roots: dict[str, str] = {}
        for row in asked:
            roots[row.id] = roots.get(row.regenerates or "", row.id)
        return [Version(row.id, row.status, row.created_at) for row in asked if roots[row.id] == roots[turn.id]]


_OLD = delete(receipts).where(receipts.c.turn_id == bindparam("turn"))


def rows(turn: Turn) -> list[Change]:
    """What writes a turn's part of its receipt, in place of what was written before."""
    trail = _TRAIL.dump_json(kept(turn.trail, turn.evidence, shared=turn.shares)).decode()
    row = {"turn_id": turn.id, "tenant": turn.ask.tenant, "trail": trail, "created_at": now()}
    return [(_OLD, {"turn": turn.id}), if_it_stands(receipts, row)]


def _receipt(
    row: Row[Any], calls: Sequence[KeptCall], feedback: Feedback | None, versions: Sequence[Version]
) -> Receipt:
    evidence = tuple(map(passage_of, row.evidence))
    trail = None if row.trail is None else _TRAIL.validate_json(row.trail)
    made = ("citations", "passages", "given", "trail", "calls", "feedback", "versions")
    return Receipt(
        **{name: getattr(row, name) for name in Receipt.__dataclass_fields__ if name not in made},
        citations=tuple(row.citations),
        passages=_passages(evidence, trail) if trail else evidence,
        given=len(evidence),
        trail=trail,
        calls=tuple(calls),
        feedback=feedback,
        versions=tuple(versions),
    )


def _passages(evidence: Sequence[Passage], trail: KeptTrail) -> tuple[Passage, ...]:
    """The evidence whole, with the scores that its stages gave; then what was found besides."""
    scored = (replace(mine, scores=found.scores) for mine, found in zip(evidence, trail.passages, strict=False))
    return (*scored, *trail.passages[len(evidence) :])
