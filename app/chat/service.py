"""A question → events: condense, retrieve, decide whether the evidence answers, write, check the citations, keep.

One async generator for every channel. What deserves an error status is checked by :meth:`ChatService.prepare`,
before the first event; after it, failure is an event.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Protocol
from uuid import uuid4

from app.chat import citations
from app.chat.answerers import Answerer, ModelAnswerer, numbered, refusal
from app.chat.cache import MadeBy
from app.chat.condense import condense
from app.chat.events import Done, Event, Failed, Job, Reasoning, Sources, Stage, Started, Token, Tool
from app.chat.history import Conversations, PastTurn
from app.chat.kept import KeptAnswers
from app.chat.turns import Ask, Brought, Turn
from app.chat.working import Effort, Worker
from app.jobs import models as jobs
from app.jobs.service import JobService
from app.llm import refusals
from app.llm.logged import CallBook
from app.llm.ports import Answering, Delta, Finished, ReasoningDelta, TextDelta, ToolCall, Usage
from app.llm.prompts import PromptTemplate
from app.tools import wording as tool_texts
from app.tools.commands import HELP, Command
from app.tools.registry import Caller, Did
from knowledge.answerability import LENIENT, Answerability
from knowledge.catalog import Catalog
from knowledge.errors import CopilotError, InvalidInput
from knowledge.language import language_of
from knowledge.models import Passage
from knowledge.retriever import Retrieval, Retriever

MAX_QUESTION = 2000
MAX_ATTACHMENTS = 4

log = logging.getLogger(__name__)


def interrupted(turn_id: str, conversation_id: str) -> Failed:
    """The end of a turn whose process ended."""
    return Failed(turn_id, conversation_id, "interrupted", "The service was restarted before the answer was complete.")


class Assess(Protocol):
    """Whether passages answer a question; see :func:`knowledge.answerability.assess`."""

    def __call__(self, question: str, passages: Sequence[Passage], *, idf: Callable[[str], float]) -> Answerability: ...


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
        assist_template: PromptTemplate,
        assess: Assess,
        kept: KeptAnswers,
        worker: Worker,
        jobs: JobService,
        calls: CallBook,
        passages: int = 6,
    ) -> None:
        self._catalog = catalog
        self._retriever = retriever
        self._conversations = conversations
        self.answerer = answerer
        self._condense_template = condense_template
        self._assist_template = assist_template
        self._assess = assess
        self._kept = kept
        self._worker = worker
        self._jobs = jobs
        self._calls = calls
        self._passages = passages

    async def prepare(self, ask: Ask) -> Turn:
        """Check a question and open its turn.

        Raises InvalidInput ``question_empty``, ``question_too_long`` or ``too_many_attachments``, NotFound
        ``knowledge_base_not_found``, ``conversation_not_found`` or ``artifact_not_found``.
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
        if len(ask.attachments) > MAX_ATTACHMENTS:
            most = f"A message has at most {MAX_ATTACHMENTS} pictures."
            raise InvalidInput(most, code="too_many_attachments", limit=MAX_ATTACHMENTS)
        for picture in ask.attachments:
            await self._jobs.artifacts.get(ask.tenant, picture)
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
            attachments=ask.attachments,
        )
        return turn

    async def again(self, tenant: str, turn_id: str, *, requester: str | None = None, may_work: bool = False) -> Turn:
        """A new version of an earlier turn. Raises NotFound ``turn_not_found``."""
        old = await self._conversations.turn(tenant, turn_id)
        kbs = None if old.knowledge_bases is None else tuple(old.knowledge_bases)
        ask = Ask(tenant, old.question, kbs, old.conversation_id, regenerates=old.id, attachments=old.attachments)
        return await self.prepare(replace(ask, requester=requester, may_work=may_work))

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

    async def interrupt(self, turn: Turn) -> Failed:
        """The last event of a turn that the end of its process ended."""
        failed = interrupted(turn.id, turn.conversation_id)
        return await self._failed(turn, failed.code, failed.message)

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
            model=turn.model or self.answerer.name,
            finish="stopped" if stopped else turn.finish,
            notice="no_model" if self.answerer.kind == "extractive" and turn.evidence and not turn.refused else None,
            usage=turn.usage,
            timings_ms=turn.timings_ms,
        )
        await self._kept.keep(turn, self._made_by, done)
        await self._conversations.finish(
            done,
            condensed=turn.condensed,
            evidence=turn.evidence,
            prompt_version=self.answerer.prompt_version,
            saved_tokens=turn.saved,
        )
        return done

    async def _events(self, turn: Turn) -> AsyncGenerator[Event, None]:
        yield Stage("retrieving")
        ask = turn.ask
        past = await self._past(turn)
        if working := self._work_of(turn, past):
            async with aclosing(working) as events:
                async for event in events:
                    yield event
            return
        answerer = self._answerer_of(turn)
        model = answerer.model_for(self._condense_template) if isinstance(answerer, ModelAnswerer) else None
        turn.condensed = await condense(turn.condensed, past, model=model, template=self._condense_template)
        await self._kept.admit(turn, past)
        # The knowledge bases as they stood when the question was asked; after retrieval, as they were searched.
        if kept := await self._kept.exact(turn, self._made_by):
            yield Sources(turn.evidence)
            yield self._say(turn, kept)
            return
        found = await self._retriever.search(ask.tenant, turn.condensed, kbs=ask.kbs, limit=self._passages)
        turn.epochs, turn.vector = found.epochs, found.vector
        turn.lap("retrieved")
        verdict = await self.judge(turn.condensed, found)
        near = verdict.score > LENIENT
        turn.refused = not verdict.answerable and (model is None or not near)
        if turn.refused and not near:
            yield self._say(turn, refusal(ask.question, empty=not found.passages, near=False))
            return
        question = turn.condensed if model is None else ask.question.strip()
        found, past = await answerer.fit(question, found, past)
        turn.evidence = found.passages
        yield Sources(turn.evidence)
        if not turn.refused and (kept := await self._kept.proven(turn, self._made_by)):
            yield self._say(turn, kept)
            return
        yield Stage("reading")
        if turn.refused:  # nothing surely answers: say so, and quote what is nearest
            yield self._say(turn, refusal(ask.question, empty=False, near=True) + "\n\n")
        instructions = ask.brought.instructions if ask.brought else ""
        write = partial(answerer.stream, question, found, past, instructions=instructions)
        async with aclosing(self._kept.written(turn, self._made_by, write)) as deltas:
            async for delta in deltas:
                if (said := self._event_of(turn, delta)) is not None:
                    yield said

    def _work_of(self, turn: Turn, past: list[PastTurn]) -> AsyncGenerator[Event, None] | None:
        """The events of a command, of a piece of work, or with a client's tools; None for a question."""
        ask = turn.ask
        answerer = self._answerer_of(turn)
        if isinstance(answerer, ModelAnswerer) and ask.brought and ask.brought.tools:
            return self._assisted(turn, answerer, ask.brought)
        command = self._worker.commands.parse(ask.question)
        if command is not None:
            return self._commanded(turn, command)
        pictures = len(ask.attachments)
        if isinstance(answerer, ModelAnswerer):
            wanted = ask.may_work and self._worker.looks_like_work(ask.question, pictures=pictures)
            return self._worked(turn, answerer, past) if wanted else None
        return self._commanded(turn, self._worker.commands.wished(ask.question) or HELP) if pictures else None

    async def _commanded(self, turn: Turn, command: Command) -> AsyncGenerator[Event, None]:
        caller = await self._caller(turn)
        if command.works and not turn.ask.may_work:
            yield self._say(turn, tool_texts.say("may_not_work", caller.language))
            return
        outcome = await self._worker.commands.run(command, caller)
        for job in outcome.jobs if isinstance(outcome, Did) else ():
            yield Job(job.id, job.kind, job.state.value)
        yield self._say(turn, outcome if isinstance(outcome, str) else outcome.said)

    async def _worked(self, turn: Turn, model: ModelAnswerer, past: list[PastTurn]) -> AsyncGenerator[Event, None]:
        ask = turn.ask
        question = ask.question.strip()
        found, past = await model.fit(question, await self._near(turn, question), past, worker=self._worker)
        turn.evidence = found.passages
        if found.passages:
            yield Sources(found.passages)
        yield Stage("reading")
        effort = Effort(question, await self._caller(turn), past, numbered(turn.evidence))
        async with aclosing(model.work(self._worker, effort)) as deltas:
            async for delta in deltas:
                if isinstance(delta, jobs.Job):
                    yield Job(delta.id, delta.kind, delta.state.value)
                elif (said := self._event_of(turn, delta)) is not None:
                    yield said

    async def _assisted(self, turn: Turn, model: ModelAnswerer, brought: Brought) -> AsyncGenerator[Event, None]:
        """The model decides whether to answer or to call a tool of the client's, so it is asked in any case."""
        question = turn.ask.question.strip()
        asked = model.model_for(self._condense_template)
        turn.condensed = await condense(question, brought.past, model=asked, template=self._condense_template)
        found, past = await model.fit(question, await self._near(turn, turn.condensed), list(brought.past))
        turn.evidence = found.passages
        if found.passages:
            yield Sources(found.passages)
        yield Stage("reading")
        brought = replace(brought, past=tuple(past))
        async with aclosing(model.assist(self._assist_template, question, turn.evidence, brought)) as deltas:
            async for delta in deltas:
                if (said := self._event_of(turn, delta)) is not None:
                    yield said

    async def _near(self, turn: Turn, question: str) -> Retrieval:
        """Evidence, if there is any near, for a model that may do without."""
        ask = turn.ask
        found = await self._retriever.search(ask.tenant, question, kbs=ask.kbs, limit=self._passages)
        turn.lap("retrieved")
        near = (await self.judge(question, found)).score > LENIENT
        return found if near else replace(found, passages=())

    async def _past(self, turn: Turn) -> list[PastTurn]:
        ask = turn.ask
        if ask.brought is not None:
            return list(ask.brought.past)
        return await self._conversations.past(ask.tenant, turn.conversation_id, without=ask.regenerates)

    async def _caller(self, turn: Turn) -> Caller:
        ask, conversation = turn.ask, turn.conversation_id
        earlier = await self._jobs.pictures(ask.tenant, conversation)
        earlier += await self._conversations.attachments(ask.tenant, conversation)
        own = list(ask.attachments)
        return Caller(
            ask.tenant,
            ask.requester,
            conversation,
            ask.channel,
            language_of(ask.question),
            [*own, *(picture for picture in earlier if picture not in own)],
            len(own),
            reply_to=ask.reply_to,
            once=ask.once,
        )

    def _answerer_of(self, turn: Turn) -> Answerer:
        return self.answerer.of(self._calls.of(turn.ask.tenant, turn_id=turn.id))

    @property
    def _made_by(self) -> MadeBy:
        return self._kept.made_by(prompt=self.answerer.prompt_version, model=self.answerer.name)

    def _event_of(self, turn: Turn, delta: Delta) -> Event | None:
        match delta:
            case TextDelta(text):
                return self._say(turn, text)
            case ReasoningDelta(text):
                turn.lap("first_reasoning")
                return Reasoning(text)
            case ToolCall(call_id, name, arguments):
                turn.finish = "tool_calls"
                return Tool(call_id, name, arguments)
            case Usage(prompt_tokens, completion_tokens):
                turn.spend({"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens})
            case Finished("content_filter") if not turn.text:
                raise refusals.withheld()
            case Finished(reason) if turn.finish != "tool_calls":
                turn.finish = reason
            case Answering(endpoint):
                turn.model = endpoint.model
        return None

    def _say(self, turn: Turn, text: str) -> Token:
        turn.lap("first_token")
        turn.text.append(text)
        return Token(text)
