"""Answers that were given before, and when one may be given again."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from app.chat.cache import (
    AnswerCache,
    CachedAnswer,
    KeptQuestion,
    MadeBy,
    cosine,
    evidence_key,
    exact_key,
    normalised,
    packed,
)
from app.chat.condense import points_back
from app.chat.events import Done
from app.chat.flights import Flights, Generate
from app.chat.history import PastTurn
from app.chat.same_question import read, same
from app.chat.turns import Turn
from app.llm.ports import Delta


class Switch(Protocol):
    """Whether a tenant has its answers kept."""

    async def on(self, tenant: str) -> bool: ...


class KeptAnswers:
    """``recipe`` names the settings that retrieval depends on; ``known_scale``: the cosines are of the model that
    :data:`app.chat.same_question.SIMILAR` was found with.
    """

    def __init__(self, cache: AnswerCache, flights: Flights, switch: Switch, *, recipe: str, known_scale: bool) -> None:
        self._cache = cache
        self._flights = flights
        self._switch = switch
        self._recipe = recipe
        self._known_scale = known_scale

    async def admit(self, turn: Turn, past: Sequence[PastTurn]) -> None:
        """Decide what this turn may take from the cache and give to it.

        A picture, a client's own instructions, or a tenant that has it switched off: nothing. ``no_cache`` and
        regenerating take nothing. A follow-up takes only what stands by itself and was not asked just before, and gives
        nothing, because the model read the conversation.
        """
        ask = turn.ask
        instructed = ask.brought is not None and bool(ask.brought.instructions)
        turn.keeps = not (ask.attachments or instructed) and await self._switch.on(ask.tenant)
        turn.takes = turn.keeps and not ask.no_cache and ask.regenerates is None
        if past:
            asked = {normalised(each.question) for each in past}
            stands_alone = not points_back(turn.condensed) and normalised(ask.question) not in asked
            turn.takes, turn.keeps = turn.takes and stands_alone, False

    async def exact(self, turn: Turn, made_by: MadeBy) -> str | None:
        """The answer, by the states of the turn's knowledge bases; the turn has its evidence then."""
        if not turn.takes:
            return None
        kept = await self._cache.get(turn.ask.tenant, self._exact_key(turn, made_by))
        if kept is None:
            return None
        turn.cached, turn.evidence, turn.saved = "exact", kept.evidence, _tokens(kept.usage)
        turn.suggestions = kept.suggestions
        return kept.answer

    async def proven(self, turn: Turn, made_by: MadeBy) -> str | None:
        """The answer, by the turn's evidence and a kept question that asks the same."""
        if not turn.takes or (kept := await self._asked_before(turn, made_by)) is None:
            return None
        turn.cached, turn.saved, turn.suggestions = "evidence", _tokens(kept.usage), kept.suggestions
        turn.alike = normalised(kept.question) != normalised(turn.condensed)
        return kept.answer

    def written(self, turn: Turn, made_by: MadeBy, write: Generate) -> AsyncGenerator[Delta, None]:
        """The model's stream, or that of whoever asks the same of the same evidence right now."""
        if turn.refused or not (turn.takes and turn.keeps):
            return write()
        key = f"{self._key(turn, made_by)} {normalised(turn.condensed)}"
        turn.shares = self._flights.under_way(key)
        return self._flights.join(key, write)

    async def keep(self, turn: Turn, made_by: MadeBy, done: Done) -> None:
        """Keep a whole answer: no refusal, no replay, nothing stopped or cut, and by the model of the key."""
        whole = done.finish == "stop" and not (done.refused or done.cached) and done.model == made_by.model
        if not (turn.keeps and whole and turn.evidence):
            return
        tenant, usage = turn.ask.tenant, dict(turn.made_with or turn.usage)
        question = KeptQuestion(turn.condensed, done.answer, packed(turn.vector), usage, turn.suggestions)
        answer = CachedAnswer(done.answer, turn.evidence, usage, turn.suggestions)
        await self._cache.put(tenant, self._exact_key(turn, made_by), answer)
        await self._cache.keep(tenant, self._key(turn, made_by), question)

    async def purge(self, tenant: str) -> int:
        """Forget a tenant's answers; → how many entries there were."""
        return await self._cache.purge(tenant)

    def made_by(self, *, prompt: str | None, model: str) -> MadeBy:
        return MadeBy(self._recipe, prompt, model)

    async def _asked_before(self, turn: Turn, made_by: MadeBy) -> KeptQuestion | None:
        candidates = await self._cache.questions(turn.ask.tenant, self._key(turn, made_by))
        asked = normalised(turn.condensed)
        for kept in candidates:
            if normalised(kept.question) == asked:
                return kept
        for kept in candidates:
            similar = cosine(kept.vector, turn.vector) if self._known_scale else None
            if same(read(turn.condensed), read(kept.question), similar):
                return kept
        return None

    def _key(self, turn: Turn, made_by: MadeBy) -> str:
        return evidence_key(turn.ask.tenant, turn.evidence, made_by)

    def _exact_key(self, turn: Turn, made_by: MadeBy) -> str:
        return exact_key(turn.ask.tenant, turn.states, made_by, turn.condensed)


def _tokens(usage: dict[str, int]) -> int:
    return sum(usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens"))
