"""A question → events: condense, retrieve, decide whether the evidence answers, write, check the citations, keep.

What people wrote to a question comes before all that. One async generator for every channel. What deserves an error
status is checked by :meth:`ChatService.prepare`, before the first event; after it, failure is an event.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from uuid import uuid4

from app import metrics
from app.chat import citations, receipts
from app.chat.answerers import Answerer, ModelAnswerer, refusal
from app.chat.cache import MadeBy
from app.chat.condense import condense
from app.chat.curated import CuratedMatches
from app.chat.events import Done, Event, Failed, Sources, Stage, Started, Suggestions
from app.chat.evidence import Evidence
from app.chat.gaps import Gaps
from app.chat.history import Conversations, PastTurn
from app.chat.kept import KeptAnswers
from app.chat.prompt_versions import Prompts
from app.chat.recall import Recall
from app.chat.said import event_of, say
from app.chat.second_looks import SecondLooks
from app.chat.suggestions import Suggester
from app.chat.turns import Ask, Turn
from app.chat.work import WorkTurns
from app.jobs.artifacts import Artifacts
from app.llm.logged import CallBook
from app.llm.ports import ChatModel
from knowledge.answerability import LENIENT
from knowledge.catalog import Catalog
from knowledge.errors import CopilotError, InvalidInput
from knowledge.retriever import Retrieval

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
        prompts: Prompts,
        suggester: Suggester,
        curated: CuratedMatches,
        gaps: Gaps,
        kept: KeptAnswers,
        work: WorkTurns,
        artifacts: Artifacts,
        calls: CallBook,
        second_looks: SecondLooks,
        recall: Recall,
    ) -> None:
        self._catalog = catalog
        self.evidence = evidence
        self._conversations = conversations
        self.answerer = answerer
        self._prompts = prompts
        self._suggester = suggester
        self._curated = curated
        self._gaps = gaps
        self._kept = kept
        self._work = work
        self._artifacts = artifacts
        self._calls = calls
        self._second_looks = second_looks
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
        if ask.kbs is not None:
            await self._catalog.named(ask.tenant, ask.kbs)
        prompts = await self._prompts.live(ask.tenant)
        turn_id = uuid4().hex
        conversation = await self._conversations.begin(
            ask.tenant,
            turn_id=turn_id,
            question=question,
            conversation_id=ask.conversation_id,
            channel=ask.channel,
            requester=ask.requester,
            kbs=ask.kbs,
            regenerates=ask.regenerates,
            attachments=ask.attachments,
        )
        return Turn(turn_id, conversation, ask, condensed=question, prompts=prompts)

    async def again(
        self,
        tenant: str,
        turn_id: str,
        *,
        channel: str = "api",
        requester: str | None = None,
        may_work: bool = False,
        suggests: bool = False,
    ) -> Turn:
        """A new version of an earlier turn. Raises NotFound ``turn_not_found``."""
        old = await self._conversations.turn(tenant, turn_id)
        kbs = None if old.knowledge_bases is None else tuple(old.knowledge_bases)
        ask = Ask(
            tenant,
            old.question,
            kbs,
            old.conversation_id,
            channel=channel,
            attachments=old.attachments,
            regenerates=old.id,
            requester=requester,
            may_work=may_work,
            suggests=suggests,
        )
        return await self.prepare(ask)

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """The events of a prepared turn; ends in Done or Failed. Closing it closes the model's connection."""
        yield Started(turn.id, turn.conversation_id)
        try:
            async with aclosing(self._events(turn)) as events:
                async for event in events:
                    yield event
            if questions := await self._suggester.after(turn, self._answerer_of(turn)):
                yield Suggestions(questions)
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
        turn.lap("total")
        await self._conversations.fail(
            turn.id,
            code=code,
            partial="".join(turn.text),
            condensed=turn.condensed,
            evidence=turn.evidence,
            timings_ms=turn.timings_ms,
            also=receipts.rows(turn),
        )
        _count(turn, "failed")
        return Failed(turn.id, turn.conversation_id, code, message)

    async def finish(self, turn: Turn, *, stopped: bool = False) -> Done:
        """Keep what was answered, whole or up to a stop; → the last event."""
        said = "".join(turn.text).strip()
        text, cited = (said, ()) if turn.curated else citations.check(said, len(turn.evidence))
        turn.trail.pointless = () if turn.curated else citations.pointless(said, len(turn.evidence))
        turn.lap("total")
        done = Done(
            turn.id,
            turn.conversation_id,
            answer=text,
            citations=cited,
            refused=turn.refused,
            cached=turn.cached,
            curated=turn.curated is not None,
            model="" if turn.curated else turn.model or self.answerer.name,
            finish="stopped" if stopped else turn.finish,
            notice="no_model" if self.answerer.kind == "extractive" and turn.evidence and not turn.refused else None,
            usage=turn.usage,
            timings_ms=turn.timings_ms,
        )
        await self._kept.keep(turn, self._made_by(turn), done)
        await self._conversations.finish(
            done,
            condensed=turn.condensed,
            evidence=turn.evidence,
            prompt_version=None if turn.curated else self._answerer_of(turn).prompt_version,
            saved_tokens=turn.saved,
            curated=turn.curated,
            also=[*receipts.rows(turn), *(self._gaps.of(turn) if done.refused else ())],
        )
        self._recall.answered(turn)
        _count(turn, _outcome(done))
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
        model = answerer.model_for(turn.prompts.condense) if isinstance(answerer, ModelAnswerer) else None
        if written := await self._written(turn, past, model):
            yield say(turn, written)
            return
        await self._kept.admit(turn, past)
        bases = await self._catalog.named(ask.tenant, ask.kbs)
        turn.states = {kb.id: kb.state for kb in bases}
        if kept := await self._kept.exact(turn, self._made_by(turn)):
            yield Sources(turn.evidence)
            yield say(turn, kept)
            return
        found = await self.evidence.find(turn, turn.condensed, bases)
        turn.vector, turn.found = found.vector, found.passages
        answerer = await self._shown_examples(turn, answerer)
        verdict = turn.trail.verdict = await self.evidence.judge(turn.condensed, found)
        near = verdict.score > LENIENT
        turn.refused = not verdict.answerable and (model is None or not near)
        if turn.refused and not near:
            yield say(turn, refusal(ask.question, empty=not found.passages, near=False))
            return
        question = turn.condensed if model is None else ask.question.strip()
        found, past = await answerer.fit(question, found, past)
        turn.evidence = found.passages
        yield Sources(turn.evidence)
        if not turn.refused and (kept := await self._kept.proven(turn, self._made_by(turn))):
            yield say(turn, kept)
            self._look_again(turn, kept, question, found, past)
            return
        yield Stage("reading")
        if turn.refused:  # nothing surely answers: say so, and quote what is nearest
            yield say(turn, refusal(ask.question, empty=False, near=True) + "\n\n")
        instructions = ask.brought.instructions if ask.brought else ""
        write = partial(answerer.stream, question, found, past, instructions=instructions)
        async with aclosing(self._kept.written(turn, self._made_by(turn), write)) as deltas:
            async for delta in deltas:
                if (said := event_of(turn, delta)) is not None:
                    yield said

    def _look_again(self, turn: Turn, kept: str, question: str, found: Retrieval, past: list[PastTurn]) -> None:
        """Now and then, whether an answer to a question that is only alike is what this one would have got."""
        if turn.alike and isinstance(self.answerer, ModelAnswerer):
            anew = self.answerer.of(self._calls.of(turn.ask.tenant), turn.prompts.answer)
            self._second_looks.maybe(turn.ask.tenant, turn.id, kept, partial(anew.stream, question, found, past))

    async def _written(self, turn: Turn, past: list[PastTurn], model: ChatModel | None) -> str | None:
        """What people wrote to the question, as it was asked or as it is condensed here."""
        if written := await self._curated.reply(turn, past):
            return written
        asked = turn.condensed
        turn.condensed = await condense(asked, past, model=model, template=turn.prompts.condense)
        return await self._curated.reply(turn, past) if turn.condensed != asked else None

    async def _shown_examples(self, turn: Turn, answerer: Answerer) -> Answerer:
        """The answerer with examples that are near to the question, where its template has a place for them."""
        template = turn.prompts.answer
        shown = await self._prompts.with_examples(turn.ask.tenant, template, turn.condensed, turn.vector)
        if shown is template:
            return answerer
        turn.prompts = turn.prompts.having({"answer": shown})
        return self._answerer_of(turn)

    def _answerer_of(self, turn: Turn) -> Answerer:
        calls = self._calls.of(turn.ask.tenant, turn_id=turn.id, sends=turn.sends)
        return self.answerer.of(calls, turn.prompts.answer)

    def _made_by(self, turn: Turn) -> MadeBy:
        answerer = self._answerer_of(turn)
        return self._kept.made_by(prompt=answerer.prompt_version, model=answerer.name)


def _outcome(done: Done) -> str:
    if done.finish == "stopped":
        return "stopped"
    return "curated" if done.curated else "refused" if done.refused else "answered"


def _count(turn: Turn, outcome: str) -> None:
    cached = turn.cached or "no"
    metrics.turns.labels(turn.ask.channel, outcome, cached).inc()
    metrics.turn_seconds.labels(cached).observe(turn.timings_ms["total"] / 1000)
    if (first := turn.timings_ms.get("first_token")) is not None:
        metrics.first_token.labels(cached).observe(first / 1000)
    metrics.saved_tokens.inc(turn.saved or 0)
