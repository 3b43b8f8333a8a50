"""Turns that are more than a question: commands, pieces of work, and those that come with a client's tools."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from app.chat.answerers import Answerer, ModelAnswerer, numbered
from app.chat.condense import condense
from app.chat.events import Event, Job, Sources, Stage
from app.chat.evidence import Evidence
from app.chat.history import Conversations, PastTurn
from app.chat.said import event_of, say
from app.chat.turns import Brought, Turn
from app.chat.working import Effort, Worker
from app.jobs import models as jobs
from app.jobs.service import JobService
from app.tools import wording as tool_texts
from app.tools.commands import HELP, Command
from app.tools.registry import Caller, Did
from knowledge.language import language_of


class WorkTurns:
    """Decides whether a turn is one of these, and answers it."""

    def __init__(
        self,
        worker: Worker,
        jobs: JobService,
        conversations: Conversations,
        evidence: Evidence,
    ) -> None:
        self._worker = worker
        self._jobs = jobs
        self._conversations = conversations
        self._evidence = evidence

    def events(self, turn: Turn, answerer: Answerer, past: list[PastTurn]) -> AsyncGenerator[Event, None] | None:
        """The events of a command, of a piece of work, or with a client's tools; None for a question."""
        ask = turn.ask
        if isinstance(answerer, ModelAnswerer) and ask.brought and ask.brought.tools:
            return self._assisted(turn, answerer, replace(ask.brought, past=tuple(past)))
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
            yield say(turn, tool_texts.say("may_not_work", caller.language))
            return
        outcome = await self._worker.commands.run(command, caller)
        for job in outcome.jobs if isinstance(outcome, Did) else ():
            yield Job(job.id, job.kind, job.state.value)
        yield say(turn, outcome if isinstance(outcome, str) else outcome.said)

    async def _worked(self, turn: Turn, model: ModelAnswerer, past: list[PastTurn]) -> AsyncGenerator[Event, None]:
        ask = turn.ask
        question = ask.question.strip()
        worker = replace(self._worker, template=turn.prompts.work)
        found, past = await model.fit(question, await self._evidence.near(turn, question), past, worker=worker)
        turn.evidence = found.passages
        if found.passages:
            yield Sources(found.passages)
        yield Stage("reading")
        effort = Effort(question, await self._caller(turn), past, numbered(turn.evidence))
        async with aclosing(model.work(worker, effort)) as deltas:
            async for delta in deltas:
                if isinstance(delta, jobs.Job):
                    yield Job(delta.id, delta.kind, delta.state.value)
                elif (said := event_of(turn, delta)) is not None:
                    yield said

    async def _assisted(self, turn: Turn, model: ModelAnswerer, brought: Brought) -> AsyncGenerator[Event, None]:
        """The model decides whether to answer or to call a tool of the client's, so it is asked in any case."""
        question = turn.ask.question.strip()
        asked = model.model_for(turn.prompts.condense)
        turn.condensed = await condense(question, brought.past, model=asked, template=turn.prompts.condense)
        found, past = await model.fit(question, await self._evidence.near(turn, turn.condensed), list(brought.past))
        turn.evidence = found.passages
        if found.passages:
            yield Sources(found.passages)
        yield Stage("reading")
        brought = replace(brought, past=tuple(past))
        async with aclosing(model.assist(turn.prompts.assist, question, turn.evidence, brought)) as deltas:
            async for delta in deltas:
                if (said := event_of(turn, delta)) is not None:
                    yield said

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
