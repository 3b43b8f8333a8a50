"""The passages that a question is answered from, and whether they answer it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from app import metrics
from app.chat.turns import Turn
from knowledge.answerability import LENIENT, Answerability
from knowledge.models import KnowledgeBase, Passage
from knowledge.retriever import Retrieval, Retriever


class Assess(Protocol):
    """Whether passages answer a question; see :func:`knowledge.answerability.assess`."""

    def __call__(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        idf: Callable[[str], float],
        at_least: float,
        known_scale: bool = ...,
    ) -> Answerability: ...


class Evidence:
    """``passages`` is how many an answer is given at most."""

    def __init__(self, retriever: Retriever, assess: Assess, *, passages: int) -> None:
        self._retriever = retriever
        self._assess = assess
        self._passages = passages

    async def find(self, turn: Turn, question: str, bases: Sequence[KnowledgeBase] | None = None) -> Retrieval:
        """``bases`` are the turn's knowledge bases, where they were just read."""
        ask, limit = turn.ask, self._passages
        found = await self._retriever.search(ask.tenant, question, kbs=ask.kbs, bases=bases, limit=limit, sections=True)
        turn.lap("retrieved")
        turn.trail.found, turn.trail.retrieval_ms, turn.trail.notes = found.passages, found.timings_ms, found.notes
        for stage, taken_ms in found.timings_ms.items():
            metrics.retrieval.labels(stage).observe(taken_ms / 1000)
        return found

    async def judge(self, question: str, found: Retrieval) -> Answerability:
        """Whether what was found answers, by as many hits as an answer is given passages; not by what is around them.

        A question that was searched in several phrasings is answered if one of them is.
        """
        return await asyncio.to_thread(self._judged, (question, *found.phrasings[1:]), found)

    def _judged(self, phrasings: Sequence[str], found: Retrieval) -> Answerability:
        scale = {"known_scale": False} if found.earlier else {}
        least = found.weights.threshold
        best = (found.hits or found.passages)[: self._passages]
        verdicts = [self._assess(phrasing, best, idf=found.rarity, at_least=least, **scale) for phrasing in phrasings]
        return max(verdicts, key=lambda verdict: verdict.score)

    async def near(self, turn: Turn, question: str) -> Retrieval:
        """What is found, if any of it is near, for a model that may do without."""
        found = await self.find(turn, question)
        turn.trail.verdict = await self.judge(question, found)
        return found if turn.trail.verdict.score > LENIENT else replace(found, passages=())
