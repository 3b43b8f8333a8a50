"""Who writes the answer: a language model through a prompt, or, without one, quotes from the evidence."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from copy import copy
from dataclasses import replace
from typing import Literal, Protocol, Self

from app.chat.history import PastTurn
from app.chat.language import say
from app.chat.turns import Brought
from app.chat.working import Effort, Worker, work
from app.jobs.models import Job
from app.llm import extractive
from app.llm.budget import TokenBudget
from app.llm.logged import CallsOf
from app.llm.ports import ChatModel, Delta, Finished, Message, TextDelta, ToolSpec
from app.llm.prompts import PromptTemplate
from knowledge.database import now
from knowledge.language import language_of
from knowledge.models import Copy, Passage
from knowledge.ports import Embedder
from knowledge.retriever import Retrieval


class Answerer(Protocol):
    """``name`` is the model named in every result."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Literal["extractive", "openai"]: ...

    @property
    def prompt_version(self) -> str | None: ...

    def of(self, calls: CallsOf, template: PromptTemplate) -> "Answerer":
        """The same for one turn, by its tenant's template, whose calls of a model are written down there."""

    async def fit(self, question: str, found: Retrieval, past: list[PastTurn]) -> tuple[Retrieval, list[PastTurn]]:
        """As many passages, from the best, and earlier turns, from the newest, as there is room for. What stands around
        hits gives way first, from the last one's."""

    def stream(
        self, question: str, found: Retrieval, past: Sequence[PastTurn], *, instructions: str = ""
    ) -> AsyncGenerator[Delta, None]:
        """``instructions`` are further ones, from a client that may give them."""

    async def close(self) -> None: ...


class ModelAnswerer:
    """Evidence into the prompt, the model's stream out."""

    kind: Literal["openai"] = "openai"

    def __init__(
        self,
        model: ChatModel,
        template: PromptTemplate,
        *,
        temperature: float,
        max_tokens: int,
        budget: TokenBudget | None = None,
    ) -> None:
        self.model = model
        self.template = template
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._budget = budget
        self.calls: CallsOf | None = None

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def prompt_version(self) -> str:
        return self.template.version

    def of(self, calls: CallsOf, template: PromptTemplate) -> Self:
        other = copy(self)
        other.template, other.calls = template, calls
        return other

    def model_for(self, template: PromptTemplate) -> ChatModel:
        """The model, with what it is asked by this template written down."""
        return self.calls.through(self.model, template) if self.calls else self.model

    async def fit(
        self, question: str, found: Retrieval, past: list[PastTurn], *, worker: Worker | None = None
    ) -> tuple[Retrieval, list[PastTurn]]:
        """For the prompt of a worker and its tools, if one is given."""
        if self._budget is None:
            return found, past
        template = worker.template if worker else self.template
        fixed = template.render(question=question, evidence="", today=today(), pictures="")
        if worker:
            fixed += [
                Message("system", tool.description + json.dumps(tool.parameters)) for tool in worker.registry.specs
            ]
        room = await asyncio.to_thread(
            self._budget.fit,
            fixed,
            [numbered([passage]) for passage in found.passages],
            [numbered([_alone(passage)]) for passage in found.passages],
            [messages_of([turn]) for turn in past],
            answer=self._max_tokens,
        )
        whole, rest = found.passages[: room.whole], found.passages[room.whole : room.passages]
        return replace(found, passages=(*whole, *map(_alone, rest))), past[len(past) - room.turns :]

    def stream(
        self, question: str, found: Retrieval, past: Sequence[PastTurn], *, instructions: str = ""
    ) -> AsyncGenerator[Delta, None]:
        messages = _rendered(self.template, question, found.passages, past)
        return self.write(instructed(messages, instructions))

    def assist(
        self, template: PromptTemplate, question: str, evidence: Sequence[Passage], brought: Brought
    ) -> AsyncGenerator[Delta, None]:
        """With the client's tools in reach: text, or calls that the client is to make."""
        messages = instructed(_rendered(template, question, evidence, brought.past), brought.instructions)
        return self.model_for(template).stream(
            [*messages, *brought.since],
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            tools=brought.tools,
        )

    def write(self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Delta, None]:
        """What the model says to messages that were rendered by its template."""
        model = self.model_for(self.template)
        return model.stream(messages, temperature=self._temperature, max_tokens=self._max_tokens, tools=tools)

    def work(self, worker: Worker, effort: Effort) -> AsyncGenerator[Delta | Job, None]:
        """The same model with tools in its hands."""
        model = self.model_for(worker.template)
        return work(worker, model, effort, temperature=self._temperature, max_tokens=self._max_tokens)

    async def close(self) -> None:
        """Close the model's connections."""
        await self.model.aclose()


class ExtractiveAnswerer:
    """Quotes the sentences that answer, cited. It cannot invent anything."""

    name = "extractive"
    kind: Literal["extractive"] = "extractive"
    prompt_version = None

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    def of(self, calls: CallsOf, template: PromptTemplate) -> Self:  # noqa: ARG002 (the port's)
        return self

    async def fit(
        self,
        question: str,  # noqa: ARG002 (the port's)
        found: Retrieval,
        past: list[PastTurn],
    ) -> tuple[Retrieval, list[PastTurn]]:
        return found, past

    async def stream(
        self,
        question: str,
        found: Retrieval,
        past: Sequence[PastTurn],  # noqa: ARG002 (the port's)
        *,
        instructions: str = "",  # noqa: ARG002 (as above)
    ) -> AsyncGenerator[Delta, None]:
        hits = found.hits or found.passages
        quotes = await asyncio.to_thread(extractive.select, question, hits, idf=found.rarity, embedder=self._embedder)
        cited = [replace(quote, n=_number_of(hits[quote.n - 1], found.passages)) for quote in quotes]
        for paragraph in extractive.paragraphs(cited):
            yield TextDelta(paragraph)
        yield Finished("stop")

    async def close(self) -> None:
        """Nothing to close."""


def _rendered(
    template: PromptTemplate, question: str, evidence: Sequence[Passage], past: Sequence[PastTurn]
) -> list[Message]:
    return template.render(messages_of(past), question=question, evidence=numbered(evidence), today=today())


def instructed(messages: Sequence[Message], instructions: str) -> list[Message]:
    """Further instructions under ours, in the one system message: some endpoints take no second one."""
    system, *rest = messages
    if not instructions:
        return [system, *rest]
    return [replace(system, content=f"{system.content}\n\n{instructions}"), *rest]


def numbered(evidence: Sequence[Passage]) -> str:
    """Passages as the prompt shows them: ``[1] (document | heading | page)``, where else it stands, and the text with
    what is around it."""
    blocks = []
    for number, passage in enumerate(evidence, 1):
        places = [_where(passage), *dict.fromkeys(_where(copy) for copy in passage.also_in)]
        blocks.append(f"[{number}] ({' = '.join(places)})\n{passage.in_full}")
    return "\n\n".join(blocks)


def _where(found: Passage | Copy) -> str:
    place = found.place
    where = [found.document, place.heading]
    where += [f"p. {place.page}"] if place.page else []
    where += [f"{place.sheet} row {place.row}"] if place.sheet else []
    return " | ".join(part for part in where if part)


def _number_of(hit: Passage, passages: Sequence[Passage]) -> int:
    """Of the passage that has the hit, which may be around a better one."""
    having = (hit.document_id == passage.document_id and hit.text in passage.in_full for passage in passages)
    return 1 + list(having).index(True)


def _alone(passage: Passage) -> Passage:
    """The hit without what is around it."""
    return replace(passage, before="", after="")


def messages_of(past: Sequence[PastTurn]) -> list[Message]:
    """Earlier turns as messages."""
    return [m for turn in past for m in (Message("user", turn.question), Message("assistant", turn.answer))]


def today() -> str:
    """As prompts are told it."""
    return now().astimezone().date().isoformat()


def refusal(question: str, *, empty: bool, near: bool) -> str:
    """The honest sentence when the evidence does not answer; ``near`` when some is shown all the same."""
    key = "refusal_empty" if empty else "refusal_near" if near else "refusal"
    return say(key, language_of(question))
