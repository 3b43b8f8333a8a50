"""Questions that somebody may ask next: from one small call of the model, or from headings that were found beside.

They come after the last word of an answer and before its end, which waits for them no longer than :data:`SECONDS`.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from app.chat import citations
from app.chat.answerers import Answerer, ModelAnswerer
from app.chat.cache import normalised
from app.chat.flights import Flights
from app.chat.language import say
from app.chat.turns import Turn
from app.llm.ports import Message, TextDelta
from knowledge.errors import CopilotError
from knowledge.language import language_of
from knowledge.models import Passage

Source: TypeAlias = Literal["model", "headings", "off"]

SECONDS = 1.5
MOST = 3
LONGEST = 120  # characters; more is no question that fits on a button
TOKENS = 160
PASSAGES = 4  # of what was found and not cited, so many characters each
CHARACTERS = 300
ANSWER = 1500

_BULLET = re.compile(r"^\s*(?:[-*•·]|\d{1,2}[.、)）:：])\s*")
_CITED = re.compile(r"\s*\[\d+\]")
_NUMBERED = re.compile(r"^[\d.]+[\s、]+")


class Suggester:
    """``flights`` so that one answer that many read costs one call."""

    def __init__(self, source: Source, flights: Flights) -> None:
        self._source = source
        self._flights = flights

    async def after(self, turn: Turn, answerer: Answerer) -> tuple[str, ...]:
        """At most three, never the question itself; kept with the turn. None after a failure, work, or half an answer.

        A refusal that has passages near has their headings; a replayed answer what it had when it was made.
        """
        if turn.ask.suggests and self._source != "off" and turn.finish == "stop":
            turn.suggestions = await self._found(turn, answerer)
        return turn.suggestions

    async def _found(self, turn: Turn, answerer: Answerer) -> tuple[str, ...]:
        asked = {normalised(turn.ask.question), normalised(turn.condensed)}
        if kept := _others(turn.suggestions, asked):
            return kept
        beside = _beside(turn)
        if beside and self._source == "model" and isinstance(answerer, ModelAnswerer) and not self._may_not_call(turn):
            text = await self._written(turn, answerer, beside)
            if questions := _others(_questions(text, turn.ask.question), asked):
                return questions
        return _others(_headings(turn, beside), asked)

    def _may_not_call(self, turn: Turn) -> bool:
        return turn.refused or turn.cached is not None

    async def _written(self, turn: Turn, model: ModelAnswerer, beside: Sequence[Passage]) -> str:
        """What the model says; nothing when it fails or is too slow."""
        template, answer = turn.prompts.suggest, "".join(turn.text)[:ANSWER]
        messages = template.render(question=turn.condensed, answer=answer, material=material(beside))
        stream = partial(model.model_for(template).stream, messages, temperature=0.3, max_tokens=TOKENS)
        try:
            async with asyncio.timeout(SECONDS), aclosing(self._flights.join(_key(turn, messages), stream)) as deltas:
                return "".join([delta.text async for delta in deltas if isinstance(delta, TextDelta)])
        except (CopilotError, TimeoutError):
            return ""


def material(passages: Sequence[Passage]) -> str:
    """What the next question could be about, as the prompt shows it."""
    shown = passages[:PASSAGES]
    return "\n\n".join(f"（{p.document} | {p.place.heading}）\n{p.text[:CHARACTERS]}" for p in shown)


def _beside(turn: Turn) -> list[Passage]:
    """What was found and not cited, in order; what is nearest, for a refusal."""
    if turn.refused:
        return list(turn.evidence)
    _, cited = citations.check("".join(turn.text), len(turn.evidence))
    used = {turn.evidence[number - 1].chunk_id for number in cited}
    found = turn.found or turn.evidence if turn.cached else turn.found
    return [passage for passage in found if passage.chunk_id not in used]


def _questions(text: str, question: str) -> Iterator[str]:
    """The lines that are questions in the language of this one."""
    language = language_of(question)
    for line in text.splitlines():
        one = _CITED.sub("", _BULLET.sub("", line)).strip().strip("“”\"'")
        if one.endswith(("?", "？")) and len(one) <= LONGEST and language_of(one) == language:
            yield one


def _headings(turn: Turn, passages: Sequence[Passage]) -> Iterator[str]:
    """A heading that is a question as it is, any other in a question about it."""
    question = turn.ask.question
    language, asked = language_of(question), normalised(question)
    for passage in passages:
        heading = passage.place.heading.rpartition(" > ")[2] or PurePosixPath(passage.document).stem
        heading = _NUMBERED.sub("", heading).strip()
        if not heading or len(heading) > LONGEST or normalised(heading) in asked:
            continue
        asks = heading.endswith(("?", "？")) and language_of(heading) == language
        yield heading if asks else say("suggestion", language, heading=heading.rstrip("?？"))


def _others(questions: Iterable[str], asked: set[str]) -> tuple[str, ...]:
    kept = {normalised(one): one for one in reversed(list(questions)) if normalised(one) not in asked}
    return tuple(reversed(kept.values()))[:MOST]


def _key(turn: Turn, messages: Sequence[Message]) -> str:
    said = "\0".join(message.content for message in messages)
    return f"suggest {turn.ask.tenant} {turn.prompts.suggest.version} {hashlib.sha256(said.encode()).hexdigest()}"
