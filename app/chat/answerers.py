"""Who writes the answer: a language model through a prompt, or, without one, quotes from the evidence."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal, Protocol

from app.chat.history import PastTurn
from app.chat.language import say
from app.chat.working import Effort, Worker, work
from app.jobs.models import Job
from app.llm import extractive
from app.llm.ports import ChatModel, Delta, Finished, Message, TextDelta
from app.llm.prompts import PromptTemplate
from knowledge.database import now
from knowledge.language import language_of
from knowledge.models import Passage
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

    def stream(self, question: str, found: Retrieval, past: Sequence[PastTurn]) -> AsyncGenerator[Delta, None]: ...

    async def close(self) -> None: ...


class ModelAnswerer:
    """Evidence into the prompt, the model's stream out."""

    kind: Literal["openai"] = "openai"

    def __init__(self, model: ChatModel, template: PromptTemplate, *, temperature: float, max_tokens: int) -> None:
        self.model = model
        self._template = template
        self._temperature = temperature
        self._max_tokens = max_tokens

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def prompt_version(self) -> str:
        return self._template.version

    async def stream(self, question: str, found: Retrieval, past: Sequence[PastTurn]) -> AsyncGenerator[Delta, None]:
        turns = [
            message for turn in past for message in (Message("user", turn.question), Message("assistant", turn.answer))
        ]
        messages = self._template.render(
            turns, question=question, evidence=numbered(found.passages), today=now().astimezone().date().isoformat()
        )
        stream = self.model.stream(messages, temperature=self._temperature, max_tokens=self._max_tokens)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                yield delta

    def work(self, worker: Worker, effort: Effort) -> AsyncGenerator[Delta | Job, None]:
        """The same model with tools in its hands."""
        return work(worker, self.model, effort, temperature=self._temperature, max_tokens=self._max_tokens)

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

    async def stream(
        self,
        question: str,
        found: Retrieval,
        past: Sequence[PastTurn],  # noqa: ARG002 (the port's)
    ) -> AsyncGenerator[Delta, None]:
        quotes = await asyncio.to_thread(
            extractive.select, question, found.passages, idf=found.rarity, embedder=self._embedder
        )
        for paragraph in extractive.paragraphs(quotes):
            yield TextDelta(paragraph)
        yield Finished("stop")

    async def close(self) -> None:
        """Nothing to close."""


def numbered(evidence: Sequence[Passage]) -> str:
    """Passages as the prompt shows them: ``[1] document > heading (page)`` and the text."""
    blocks = []
    for number, passage in enumerate(evidence, 1):
        place = passage.place
        where = [passage.document, place.heading]
        where += [f"p. {place.page}"] if place.page else []
        where += [f"{place.sheet} row {place.row}"] if place.sheet else []
        blocks.append(f"[{number}] ({' | '.join(part for part in where if part)})\n{passage.text}")
    return "\n\n".join(blocks)


def refusal(question: str, *, empty: bool, near: bool) -> str:
    """The honest sentence when the evidence does not answer; ``near`` when some is shown all the same."""
    key = "refusal_empty" if empty else "refusal_near" if near else "refusal"
    return say(key, language_of(question))
