"""A draft beside the live version, on the same question and the same passages. Nothing of it is kept but its cost.

Tools are offered as they would be, and not run: what the model wants to call is shown.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from app.chat import citations
from app.chat.answerers import Answerer, ModelAnswerer, messages_of, numbered, today
from app.chat.condense import history_of
from app.chat.evidence import Evidence
from app.chat.history import PastTurn
from app.chat.prompt_versions import Prompts
from app.chat.suggestions import material
from app.chat.tables import turns
from app.chat.turns import Ask, Turn
from app.llm.logged import CallBook
from app.llm.ports import Finished, TextDelta, ToolCall, ToolSpec, Usage
from app.llm.prompts import PromptTemplate
from knowledge.database import Database
from knowledge.errors import CopilotError, InvalidInput, NotFound
from knowledge.models import Passage
from knowledge.retriever import Retrieval

SECONDS = 90
RECENT = 12
LOOKED_AT = 60  # turns, of which the distinct questions are offered
LONGEST = 2000
EARLIER = 6  # turns that a question is previewed with

_CONVERSES = ("answer", "assist", "work")  # templates that are given evidence and the turns before


@dataclass(frozen=True, slots=True)
class RecentQuestion:
    turn_id: str
    question: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tried:
    """What one version made of it. ``calls`` are (tool, arguments as JSON); ``error`` is why there is no answer."""

    prompt: str
    text: str = ""
    passages: tuple[Passage, ...] = ()
    citations: tuple[int, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    finish: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    first_token_ms: float | None = None
    total_ms: float = 0.0
    error: CopilotError | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    question: str
    live: Tried
    draft: Tried


@dataclass(slots=True)
class _Asked:
    """What both versions are given. ``condensed`` is what is searched for; ``answer`` what was said to it, if known."""

    question: str
    condensed: str
    kbs: tuple[str, ...] | None = None
    past: list[PastTurn] = field(default_factory=list)
    answer: str = ""


class PromptPreviews:
    """``tools`` are those that a model at work is offered."""

    def __init__(
        self,
        prompts: Prompts,
        database: Database,
        evidence: Evidence,
        answerer: Answerer,
        calls: CallBook,
        *,
        tools: Sequence[ToolSpec],
    ) -> None:
        self._prompts = prompts
        self._database = database
        self._evidence = evidence
        self._answerer = answerer
        self._calls = calls
        self._tools = tools

    @property
    def possible(self) -> bool:
        return isinstance(self._answerer, ModelAnswerer)

    async def recent(self, tenant: str) -> list[RecentQuestion]:
        """The last distinct questions that were answered or refused, newest first."""
        query = (
            select(turns.c.id, turns.c.question, turns.c.created_at)
            .where(turns.c.tenant == tenant, turns.c.status == "done")
            .order_by(turns.c.created_at.desc())
            .limit(LOOKED_AT)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        newest = {row.question: row for row in reversed(rows)}
        found = sorted(newest.values(), key=lambda row: row.created_at, reverse=True)
        return [RecentQuestion(row.id, row.question, row.created_at) for row in found[:RECENT]]

    async def compare(
        self,
        tenant: str,
        draft: PromptTemplate,
        *,
        question: str = "",
        turn_id: str | None = None,
        kbs: Sequence[str] | None = None,
    ) -> Compared:
        """Ask both versions, at the same time. With ``turn_id`` what was asked then, in its conversation.

        Raises InvalidInput ``model_needed``, ``question_empty`` or ``question_too_long``, NotFound ``turn_not_found``
        or ``knowledge_base_not_found``.
        """
        model = self._model()
        asked = await self._turn(tenant, turn_id) if turn_id else _own(question, kbs)
        prompts = await self._prompts.live(tenant)
        ask = Ask(tenant, asked.question, asked.kbs)
        turn = Turn("", "", ask, condensed=asked.condensed, prompts=prompts)
        found = await self._evidence.find(turn, asked.condensed)
        by = self._calls.of(tenant)
        if "answer" in draft.variables and not asked.answer:
            asked.answer = (await self._tried(model.of(by, prompts.answer), asked, found)).text
        both = [
            await self._prompts.with_examples(tenant, template, asked.condensed, found.vector)
            for template in (prompts.named(draft.name), draft)
        ]
        one, other = await asyncio.gather(*(self._tried(model.of(by, each), asked, found) for each in both))
        return Compared(asked.question, one, other)

    def _model(self) -> ModelAnswerer:
        if not isinstance(self._answerer, ModelAnswerer):
            sentence = "A preview needs a language model: set COPILOT_MODEL_BASE_URL and COPILOT_MODEL_NAME."
            raise InvalidInput(sentence, code="model_needed")
        return self._answerer

    async def _tried(self, model: ModelAnswerer, asked: _Asked, found: Retrieval) -> Tried:
        seen = _Seen()
        passages: tuple[Passage, ...] = ()
        try:
            async with asyncio.timeout(SECONDS):
                past: list[PastTurn] = []
                if model.template.name in _CONVERSES:
                    found, past = await model.fit(asked.question, found, asked.past)
                    passages = found.passages
                messages = model.template.render(messages_of(past), **_values(asked, found.passages))
                tools = self._tools if model.template.name == "work" else ()
                async with aclosing(model.write(messages, tools=tools)) as deltas:
                    async for delta in deltas:
                        seen.take(delta)
        except CopilotError as error:
            seen.error = error
        except TimeoutError:
            seen.error = CopilotError("The answer took too long for a preview.", code="model_timeout")
        return seen.tried(model.prompt_version, passages)

    async def _turn(self, tenant: str, turn_id: str) -> _Asked:
        rows = await self._database.rows(select(turns).where(turns.c.tenant == tenant, turns.c.id == turn_id))
        if not rows:
            raise NotFound("There is no such turn.", code="turn_not_found")
        row = rows[0]
        kbs = None if row.knowledge_bases is None else tuple(row.knowledge_bases)
        return _Asked(row.question, row.condensed, kbs, await self._past(tenant, row), row.answer)

    async def _past(self, tenant: str, row: Row[Any]) -> list[PastTurn]:
        """The turns before one, oldest first."""
        query = (
            select(turns.c.question, turns.c.answer)
            .where(turns.c.tenant == tenant, turns.c.conversation_id == row.conversation_id)
            .where(turns.c.status == "done", turns.c.refused.is_(False), turns.c.created_at < row.created_at)
            .where(turns.c.regenerates.is_(None))
            .order_by(turns.c.created_at.desc())
            .limit(EARLIER)
        )
        rows = await self._database.rows(query)
        return [PastTurn(each.question, each.answer) for each in reversed(rows)]


def _own(question: str, kbs: Sequence[str] | None) -> _Asked:
    question = question.strip()
    if not question:
        raise InvalidInput("The question is empty.", code="question_empty")
    if len(question) > LONGEST:
        raise InvalidInput(f"The question is longer than {LONGEST} characters.", code="question_too_long")
    return _Asked(question, question, tuple(kbs) if kbs else None)


def _values(asked: _Asked, passages: Sequence[Passage]) -> dict[str, str]:
    """Every variable of every template."""
    return {
        "question": asked.question,
        "evidence": numbered(passages),
        "today": today(),
        "pictures": "-",
        "history": history_of(asked.past),
        "answer": asked.answer,
        "material": material(passages),
    }


@dataclass(slots=True)
class _Seen:
    """What a stream has shown so far."""

    text: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    finish: str = ""
    first_token_ms: float | None = None
    error: CopilotError | None = None
    started: float = field(default_factory=time.perf_counter)

    def take(self, delta: object) -> None:
        match delta:
            case TextDelta(text):
                if self.first_token_ms is None:
                    self.first_token_ms = self._elapsed()
                self.text.append(text)
            case ToolCall():
                self.calls.append((delta.name, delta.arguments))
            case Usage(prompt_tokens, completion_tokens):
                self.usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
            case Finished(reason):
                self.finish = reason

    def tried(self, prompt: str, passages: tuple[Passage, ...]) -> Tried:
        text, cited = citations.check("".join(self.text).strip(), len(passages))
        return Tried(
            prompt,
            text,
            passages,
            cited,
            tuple(self.calls),
            self.finish,
            self.usage,
            self.first_token_ms,
            self._elapsed(),
            self.error,
        )

    def _elapsed(self) -> float:
        return round((time.perf_counter() - self.started) * 1000, 1)
