"""The passages that a question is answered from, and whether they answer it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from app.chat.turns import Turn
from knowledge.answerability import LENIENT, Answerability
from knowledge.models import Passage
from knowledge.retriever import Retrieval, Retriever


class Assess(Protocol):
    """Whether passages answer a question; see :func:`knowledge.answerability.assess`."""

    def __call__(self, question: str, passages: Sequence[Passage], *, idf: Callable[[str], float]) -> Answerability: ...


class Evidence:
    """``passages`` is how many an answer is given at most."""

    def __init__(self, retriever: Retriever, assess: Assess, *, passages: int) -> None:
        self._retriever = retriever
        self._assess = assess
        self._passages = passages

    async def find(self, turn: Turn, question: str) -> Retrieval:
        ask = turn.ask
        found = await self._retriever.search(ask.tenant, question, kbs=ask.kbs, limit=self._passages)
        turn.lap("retrieved")
        turn.trail.found, turn.trail.retrieval_ms = found.passages, found.timings_ms
        return found

    async def judge(self, question: str, found: Retrieval) -> Answerability:
        """Whether what was found answers, by as many passages as an answer is given."""
        return await asyncio.to_thread(self._assess, question, found.passages[: self._passages], idf=found.rarity)

    async def near(self, turn: Turn, question: str) -> Retrieval:
        """What is found, if any of it is near, for a model that may do without."""
        found = await self.find(turn, question)
        turn.trail.verdict = await self.judge(question, found)
        return found if turn.trail.verdict.score > LENIENT else replace(found, passages=())
