"""A question → events: condense, retrieve, decide whether the evidence answers, write, check the citations, keep.

One async generator for every channel. What deserves an error status is checked by :meth:`ChatService.prepare`,
before the first event; after it, failure is an event.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from uuid import uuid4

from app.chat import citations
from app.chat.answerers import Answerer, ModelAnswerer, refusal
from app.chat.cache import MadeBy
from app.chat.condense import condense
from app.chat.events import Done, Event, Failed, Sources, Stage, Started
from app.chat.evidence import Evidence
from app.chat.history import Conversations
from app.chat.kept import KeptAnswers
from app.chat.recall import Recall
from app.chat.said import event_of, say
from app.chat.turns import Ask, Turn
from app.chat.work import WorkTurns
from app.jobs.artifacts import Artifacts
from app.llm.logged import CallBook
from app.llm.prompts import PromptTemplate
from knowledge.answerability import LENIENT
from knowledge.catalog import Catalog
from knowledge.errors import CopilotError, InvalidInput

MAX_QUESTION = 2000
MAX_ATTACHMENTS = 4

log = logging.getLogger(__name__)


def interrupted(turn_id: str, conversation_id: str) -> Failed:
    """The end of a turn whose process ended."""
    return Failed(turn_id, conversation_id, "interrupted", "The service was restarted before the answer was complete.")


class ChatService:
    """Answers with evidence, or says that it has none."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        evidence: Evidence,
        conversations: Conversations,
        answerer: Answerer,
        condense_template: PromptTemplate,
        kept: KeptAnswers,
        work: WorkTurns,
        artifacts: Artifacts,
        calls: CallBook,
        recall: Recall,
    ) -> None:
        self._catalog = catalog
        self.evidence = evidence
        self._conversations = conversations
        self.answerer = answerer
        self._condense_template = condense_template
        self._kept = kept
        self._work = work
        self._artifacts = artifacts
        self._calls = calls
        self._recall = recall

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
            await self._artifacts.get(ask.tenant, picture)
        bases = await self._catalog.named(ask.tenant, ask.kbs)
        conversation = await self._conversations.open(
            ask.tenant, ask.conversation_id, channel=ask.channel, requester=ask.requester
        )
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
        self._recall.answered(turn)
        return done

    async def _events(self, turn: Turn) -> AsyncGenerator[Event, None]:
        yield Stage("retrieving")
        ask = turn.ask
        past = await self._recall.past(turn)
        answerer = self._answerer_of(turn)
        if working := self._work.events(turn, answerer, past):
            async with aclosing(working) as events:
                async for event in events:
                    yield event
            return
        model = answerer.model_for(self._condense_template) if isinstance(answerer, ModelAnswerer) else None
        turn.condensed = await condense(turn.condensed, past, model=model, template=self._condense_template)
        await self._kept.admit(turn, past)
        # The knowledge bases as they stood when the question was asked; after retrieval, as they were searched.
        if kept := await self._kept.exact(turn, self._made_by):
            yield Sources(turn.evidence)
            yield say(turn, kept)
            return
        found = await self.evidence.find(turn, turn.condensed)
        turn.epochs, turn.vector = found.epochs, found.vector
        verdict = await self.evidence.judge(turn.condensed, found)
        near = verdict.score > LENIENT
        turn.refused = not verdict.answerable and (model is None or not near)
        if turn.refused and not near:
            yield say(turn, refusal(ask.question, empty=not found.passages, near=False))
            return
        question = turn.condensed if model is None else ask.question.strip()
        found, past = await answerer.fit(question, found, past)
        turn.evidence = found.passages
        yield Sources(turn.evidence)
        if not turn.refused and (kept := await self._kept.proven(turn, self._made_by)):
            yield say(turn, kept)
            return
        yield Stage("reading")
        if turn.refused:  # nothing surely answers: say so, and quote what is nearest
            yield say(turn, refusal(ask.question, empty=False, near=True) + "\n\n")
        instructions = ask.brought.instructions if ask.brought else ""
        write = partial(answerer.stream, question, found, past, instructions=instructions)
        async with aclosing(self._kept.written(turn, self._made_by, write)) as deltas:
            async for delta in deltas:
                if (said := event_of(turn, delta)) is not None:
                    yield said

    def _answerer_of(self, turn: Turn) -> Answerer:
        return self.answerer.of(self._calls.of(turn.ask.tenant, turn_id=turn.id))

    @property
    def _made_by(self) -> MadeBy:
        return self._kept.made_by(prompt=self.answerer.prompt_version, model=self.answerer.name)
