"""The best passages ordered anew by a model that reads question and passage together; off unless configured.

Costs a call for every question. Whether it helps is measured: ``copilot eval retrieval`` prints both orders.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from knowledge.errors import Unavailable
from knowledge.models import Passage
from knowledge.quotable import whole
from knowledge.tokens import terms

log = logging.getLogger(__name__)


class Reranker(Protocol):
    """How well each text answers the question."""

    @property
    def model_id(self) -> str: ...

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One for each text, in their order; larger is better, the scale is the model's own.

        Raises Unavailable ``rerank_unavailable``, ``rerank_key_refused``, ``rerank_refused``,
        ``rerank_answer_invalid``, ``rerank_busy``.
        """

    async def close(self) -> None:
        """Close connections."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Passages in the order that counts. ``notes``: the code of what kept the reranker from ordering them."""

    passages: tuple[Passage, ...]
    notes: tuple[str, ...] = ()


class Rerank:
    """The stage: the first ``top`` are ordered by ``reranker``, within ``seconds``; else the order stays."""

    def __init__(self, reranker: Reranker, *, top: int, seconds: float) -> None:
        self.reranker = reranker
        self.top = top
        self._seconds = seconds

    async def order(self, question: str, passages: Sequence[Passage]) -> Ranked:
        """Never raises for the reranker's sake: notes ``rerank_timeout`` or its code, and on every passage asked."""
        first = passages[: self.top]
        if len(first) < 2:
            return Ranked(tuple(passages))
        try:
            async with asyncio.timeout(self._seconds):
                scores = await self.reranker.scores(question, [whole(passage) for passage in first])
        except TimeoutError:
            return _unranked(passages, self.top, "rerank_timeout")
        except Unavailable as failure:
            return _unranked(passages, self.top, failure.error_code)
        scored = [_scored(passage, rerank=score) for passage, score in zip(first, scores, strict=True)]
        best = sorted(range(len(scored)), key=lambda at: -scores[at])
        return Ranked((*(scored[at] for at in best), *passages[self.top :]))


class SharedWords:
    """The twin: the share of the question's terms that a text has."""

    model_id = "shared-words"

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        asked = frozenset(terms(question))
        return [len(asked & frozenset(terms(text))) / max(1, len(asked)) for text in texts]

    async def close(self) -> None:
        """Nothing to close."""


def _unranked(passages: Sequence[Passage], top: int, code: str) -> Ranked:
    log.warning("passages keep their order code=%s", code)
    return Ranked((*(_scored(each, unranked=code) for each in passages[:top]), *passages[top:]), (code,))


def _scored(passage: Passage, *, rerank: float | None = None, unranked: str | None = None) -> Passage:
    return replace(passage, scores=replace(passage.scores, rerank=rerank, unranked=unranked))
