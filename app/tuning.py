"""Weights of a knowledge base learned from its operator's questions: asked, learned, and kept where surely better."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from app.chat.evidence import Evidence
from knowledge.catalog import Catalog
from knowledge.errors import Conflict, InvalidInput
from knowledge.learning import LEAST_OF_EACH, Asked, learn_order, learn_threshold
from knowledge.models import KnowledgeBase
from knowledge.retriever import Retrieval, Retriever
from knowledge.tunings import Tunings
from knowledge.weights import SHIPPED, Tuning, Weights

LEAST = 20  # answerable questions: with fewer, an interval says nothing
MOST = 1_000  # some 20 ms each to ask, and 20 s to learn from all
LONGEST = 2_000  # characters
_DEEP_ENOUGH = 10  # passages; a verdict looks at five


class Exemplar(NamedTuple):
    """A question and the names of all documents that answer it; ``line`` is where it stands in its file.

    One that is ``answerable`` without saying by what teaches the threshold only.
    """

    line: int
    question: str
    documents: frozenset[str]
    answerable: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """``kept``: it is in force from now on."""

    tuning: Tuning
    kept: bool


class TuningService:
    """One at a time: learning takes the processor."""

    def __init__(
        self,
        catalog: Catalog,
        retriever: Retriever,
        evidence: Evidence,
        tunings: Tunings,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._retriever = retriever
        self._evidence = evidence
        self._tunings = tunings
        self._clock = clock
        self._turn = asyncio.Lock()

    async def learn(
        self, tenant: str, kb: str, exemplars: Sequence[Exemplar], *, by: str | None, dry_run: bool = False
    ) -> Learned:
        """Raises NotFound ``knowledge_base_not_found``, Conflict ``knowledge_base_moves`` or ``tuning_outdated``,
        InvalidInput ``tuning_too_few``, ``tuning_too_many`` or ``tuning_document_unknown``.
        """
        base = await self._catalog.knowledge_base(tenant, kb)
        await self._check(base, exemplars)
        async with self._turn:
            tuning = await self._tuning(base, exemplars, by)
        kept = tuning.better and not dry_run
        if kept:
            await self._tunings.keep(base, tuning)
        return Learned(tuning, kept)

    async def reset(self, tenant: str, kb: str) -> None:
        """As shipped again. Raises NotFound ``knowledge_base_not_found``."""
        base = await self._catalog.knowledge_base(tenant, kb)
        if base.tuning is not None:
            await self._tunings.reset(base)

    async def _check(self, base: KnowledgeBase, exemplars: Sequence[Exemplar]) -> None:
        if base.next_model is not None:
            raise Conflict(
                f"“{base.name}” is moving to another embedding model; learn when it has arrived.",
                code="knowledge_base_moves",
                name=base.name,
            )
        having = len({each.question for each in exemplars if each.documents})
        if having < LEAST:
            raise InvalidInput(
                f"{having} different questions have a document; at least {LEAST} are needed.",
                code="tuning_too_few",
                n=having,
                least=LEAST,
            )
        if len(exemplars) > MOST:
            raise InvalidInput(f"At most {MOST} questions are taken.", code="tuning_too_many", most=MOST)
        there = await self._tunings.there(base, {name for each in exemplars for name in each.documents})
        for each in exemplars:
            for name in sorted(each.documents - there):
                raise InvalidInput(
                    f"Line {each.line}: there is no document “{name}” in “{base.name}”.",
                    code="tuning_document_unknown",
                    line=each.line,
                    document=name,
                    name=base.name,
                )

    async def _tuning(self, base: KnowledgeBase, exemplars: Sequence[Exemplar], by: str | None) -> Tuning:
        asked = [await self._asked(base, each) for each in exemplars]
        weights, order = await asyncio.to_thread(learn_order, [one for one in asked if one.documents])
        weights = weights if order.better else SHIPPED
        unanswerable = sum(not each.answerable for each in exemplars)
        refusals = None
        if min(unanswerable, len(exemplars) - unanswerable) >= LEAST_OF_EACH:
            scores = [(one.text, await self._score(one, weights)) for one in asked]
            threshold, refusals = await asyncio.to_thread(learn_threshold, scores, [e.answerable for e in exemplars])
            weights = replace(weights, threshold=threshold) if refusals.better else weights
        return Tuning(
            weights, base.embedding_model, len(asked), unanswerable, order, refusals, self._clock(), learned_by=by
        )

    async def _asked(self, base: KnowledgeBase, exemplar: Exemplar) -> Asked:
        staged = await self._retriever.staged(base.tenant, exemplar.question, kbs=[base.id])
        return Asked(exemplar.question, staged, exemplar.documents)

    async def _score(self, one: Asked, weights: Weights) -> float:
        """How sure an answer is, as :attr:`threshold` will be compared with it."""
        staged = one.staged
        found = Retrieval(
            tuple(staged.ranked(weights, _DEEP_ENOUGH)),
            staged.rarity,
            earlier=staged.earlier,
            phrasings=staged.phrasings,
        )
        return (await self._evidence.judge(one.text, found)).score


def exemplars_of(text: str) -> list[Exemplar]:
    """A file of questions: a JSON object a line with ``question`` and ``documents``, as in ``evals/datasets``; those
    that nothing answers have no documents.

    Raises InvalidInput ``tuning_line_invalid``.
    """
    return list(_exemplars(text))


def _exemplars(text: str) -> Iterator[Exemplar]:
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if line.strip():
            try:
                yield _exemplar(number, json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as exc:
                raise InvalidInput(
                    f'Line {number} is no question. Write {{"question": "…", "documents": ["…"]}}, one a line.',
                    code="tuning_line_invalid",
                    line=number,
                ) from exc


def _exemplar(number: int, item: Any) -> Exemplar:
    question, documents = item["question"], item.get("documents", [])
    answerable = item.get("answerable", bool(documents))
    sound = isinstance(question, str) and 0 < len(question.strip()) <= LONGEST and isinstance(documents, list)
    if not sound or not all(isinstance(name, str) and name for name in documents):
        raise ValueError(number)
    if not isinstance(answerable, bool) or (documents and not answerable):
        raise ValueError(number)
    return Exemplar(number, question.strip(), frozenset(documents), answerable)
