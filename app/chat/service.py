"""A question → events: condense, retrieve, decide whether the evidence answers, write, check the citations, keep.

One async generator for every channel. What deserves an error status is checked by :meth:`ChatService.prepare`,
before the first event; after it, failure is an event.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import uuid4

from app.chat import citations
from app.chat.answerers import Answerer, ModelAnswerer, refusal
from app.chat.cache import AnswerCache, CachedAnswer, exact_key
from app.chat.condense import condense
from app.chat.events import Done, Event, Failed, Reasoning, Sources, Stage, Started, Token
from app.chat.history import Conversations
from app.chat.prompts import PromptTemplate
from app.llm.ports import Delta, Finished, ReasoningDelta, TextDelta, Usage
from knowledge.answerability import LENIENT, Answerability
from knowledge.catalog import Catalog
from knowledge.errors import CopilotError, InvalidInput
from knowledge.models import Passage
from knowledge.retriever import Retrieval, Retriever

MAX_QUESTION = 2000

log = logging.getLogger(__name__)


class Assess(Protocol):
    """Whether passages answer a question; see :func:`knowledge.answerability.assess`."""

    def __call__(self, question: str, passages: Sequence[Passage], *, idf: Callable[[str], float]) -> Answerability: ...


@dataclass(frozen=True, slots=True)
class Ask:
    """A question of a tenant's user. ``kbs`` None means all of the tenant's knowledge bases."""

    tenant: str
    question: str
    kbs: tuple[str, ...] | None = None
    conversation_id: str | None = None
    channel: str = "api"
    regenerates: str | None = None


@dataclass(slots=True)
class Turn:
    """An answer in the making: what a stop or a failure has to work with."""

    id: str
    conversation_id: str
    ask: Ask
    condensed: str
    evidence: tuple[Passage, ...] = ()
    text: list[str] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    finish: str = "stop"
    refused: bool = False
    cached: Literal["exact"] | None = None
    cacheable: bool = False
    epochs: dict[str, int] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """Milliseconds since the question, under a name; the first one counts."""
        self.timings_ms.setdefault(name, round((time.perf_counter() - self.started) * 1000, 1))


class ChatService:
    """Answers with evidence, or says that it has none."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        retriever: Retriever,
        conversations: Conversations,
        answerer: Answerer,
        condense_template: PromptTemplate,
        assess: Assess,
        cache: AnswerCache,
        passages: int = 6,
    ) -> None:
        self._catalog = catalog
        self._retriever = retriever
        self._conversations = conversations
        self.answerer = answerer
        self._condense_template = condense_template
        self._assess = assess
        self._cache = cache
        self._passages = passages

    async def prepare(self, ask: Ask) -> Turn:
        """Check a question and open its turn.

        Raises InvalidInput ``question_empty`` or ``question_too_long``, NotFound ``knowledge_base_not_found`` or
        ``conversation_not_found``.
        """
        question = ask.question.strip()
        if not question:
            raise InvalidInput("The question is empty.", code="question_empty")
        if len(question) > MAX_QUESTION:
            raise InvalidInput(
                f"The question is longer than {MAX_QUESTION} characters. Ask it shorter, or upload the text as a "
                "document.",
                code="question_too_long",
            )
        bases = await self._catalog.named(ask.tenant, ask.kbs)
        conversation = await self._conversations.open(ask.tenant, ask.conversation_id, channel=ask.channel)
        epochs = {kb.id: kb.epoch for kb in bases}
        turn = Turn(uuid4().hex, conversation, ask, condensed=question, epochs=epochs)
        await self._conversations.begin(
            ask.tenant,
            turn_id=turn.id,
            conversation_id=conversation,
            question=question,
            kbs=ask.kbs,
            regenerates=ask.regenerates,
        )
        return turn

    async def again(self, tenant: str, turn_id: str) -> Turn:
        """A new version of an earlier turn. Raises NotFound ``turn_not_found``."""
        old = await self._conversations.turn(tenant, turn_id)
        kbs = None if old.knowledge_bases is None else tuple(old.knowledge_bases)
        return await self.prepare(Ask(tenant, old.question, kbs, old.conversation_id, regenerates=old.id))

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """The events of a prepared turn; ends in Done or Failed. Closing it closes the model's connection."""
        yield Started(turn.id, turn.conversation_id)
        try:
            async with aclosing(self._events(turn)) as events:
                async for event in events:
                    yield event
            yield await self.finish(turn)
        except CopilotError as error:
            log.warning("turn failed id=%s code=%s", turn.id, error.error_code)
            yield await self._failed(turn, error.error_code, error.message)

    async def crash(self, turn: Turn) -> Failed:
        """The last event of a turn that a mistake of ours ended."""
        return await self._failed(turn, "internal", "Something went wrong here; the log has the details. Try again.")

    async def _failed(self, turn: Turn, code: str, message: str) -> Failed:
        await self._conversations.fail(turn.id, code=code, partial="".join(turn.text))
        return Failed(turn.id, turn.conversation_id, code, message)

    async def judge(self, question: str, found: Retrieval) -> Answerability:
        """Whether what was found answers, by as many passages as an answer is given."""
        return await asyncio.to_thread(self._assess, question, found.passages[: self._passages], idf=found.rarity)

    async def finish(self, turn: Turn, *, stopped: bool = False) -> Done:
        """Keep what was answered, whole or up to a stop; → the last event."""
        text, cited = citations.check("".join(turn.text).strip(), len(turn.evidence))
        turn.lap("total")
        done = Done(
            turn.id,
            turn.conversation_id,
            answer=text,
            citations=cited,
            refused=turn.refused,
            cached=turn.cached,
            model=self.answerer.name,
            finish="stopped" if stopped else turn.finish,
            notice="no_model" if self.answerer.kind == "extractive" and not turn.refused else None,
            usage=turn.usage,
            timings_ms=turn.timings_ms,
        )
        if turn.cacheable and done.finish == "stop" and not (done.refused or done.cached):
            await self._cache.put(turn.ask.tenant, self._key(turn), CachedAnswer(text, turn.evidence))
        await self._conversations.finish(
            done, condensed=turn.condensed, evidence=turn.evidence, prompt_version=self.answerer.prompt_version
        )
        return done

    async def _events(self, turn: Turn) -> AsyncGenerator[Event, None]:
        yield Stage("retrieving")
        ask = turn.ask
        past = await self._conversations.past(ask.tenant, turn.conversation_id, without=ask.regenerates)
        turn.cacheable = not past
        # The knowledge bases as they stood when the question was asked; after retrieval, as they were searched.
        if turn.cacheable and ask.regenerates is None and (kept := await self._cache.get(ask.tenant, self._key(turn))):
            turn.evidence, turn.cached = kept.evidence, "exact"
            yield Sources(turn.evidence)
            yield self._say(turn, kept.answer)
            return
        model = self.answerer.model if isinstance(self.answerer, ModelAnswerer) else None
        turn.condensed = await condense(turn.condensed, past, model=model, template=self._condense_template)
        found = await self._retriever.search(ask.tenant, turn.condensed, kbs=ask.kbs, limit=self._passages)
        turn.epochs = found.epochs
        turn.lap("retrieved")
        verdict = await self.judge(turn.condensed, found)
        near = verdict.score > LENIENT
        turn.refused = not verdict.answerable and (model is None or not near)
        if turn.refused and not near:
            yield self._say(turn, refusal(ask.question, empty=not found.passages, near=False))
            return
        turn.evidence = found.passages
        yield Sources(turn.evidence)
        yield Stage("reading")
        if turn.refused:  # nothing surely answers: say so, and quote what is nearest
            yield self._say(turn, refusal(ask.question, empty=False, near=True) + "\n\n")
        question = turn.condensed if model is None else ask.question.strip()
        async with aclosing(self.answerer.stream(question, found, past)) as deltas:
            async for delta in deltas:
                event = self._event_of(turn, delta)
                if event is not None:
                    yield event

    def _key(self, turn: Turn) -> str:
        answerer = self.answerer
        return exact_key(
            turn.ask.tenant,
            turn.epochs,
            prompt=answerer.prompt_version,
            model=answerer.name,
            question=turn.ask.question,
        )

    def _event_of(self, turn: Turn, delta: Delta) -> Event | None:
        match delta:
            case TextDelta(text):
                return self._say(turn, text)
            case ReasoningDelta(text):
                turn.lap("first_reasoning")
                return Reasoning(text)
            case Usage(prompt_tokens, completion_tokens):
                turn.usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
            case Finished(reason):
                turn.finish = reason
        return None

    def _say(self, turn: Turn, text: str) -> Token:
        turn.lap("first_token")
        turn.text.append(text)
        return Token(text)
