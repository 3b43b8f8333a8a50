"""Does the answer hold the gold, is what has no answer refused, and how long does it take? Without a language model.

Refusal is tried twice: on questions that have no answer, where a corpus has some, and on every answerable question
with its documents taken out of what was found. The second are mostly foreign to what is left, and easier.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.llm.extractive import paragraphs, select
from evals.corpora import Corpus, Question
from evals.suites.retrieval import Search
from knowledge.answerability import assess
from knowledge.models import Passage
from knowledge.ports import Embedder

_LIMIT = 8  # passages an answer is given
_DEPTH = 40  # passages asked for, so that some are left when the documents with the answer are taken out


@dataclass(frozen=True, slots=True)
class AnswersReport:
    """Shares in [0, 1]; None where a corpus has no such questions.

    ``quoted`` is the gold in the quotes whatever the refusal decided; ``answered`` the gold in what is said, a refusal
    counted as missing it. ``false_refusals`` of the answerable; ``refused_removed`` with their documents taken out;
    ``refused_unanswerable`` of those that have no answer. Milliseconds from question to answer, one at a time.
    """

    corpus: str
    answerable: int
    unanswerable: int
    quoted: float
    answered: float
    false_refusals: float
    refused_removed: float | None
    refused_unanswerable: float | None
    median_ms: float
    p95_ms: float
    wrong: tuple[str, ...]  # ids of answerable questions whose quotes miss the gold
    accepted: tuple[str, ...]  # ids of unanswerable questions that were answered

    def lines(self) -> list[str]:
        """As it is printed."""
        removed = "–" if self.refused_removed is None else f"{self.refused_removed:.3f}"
        without = "–" if self.refused_unanswerable is None else f"{self.refused_unanswerable:.3f}"
        return [
            f"{self.corpus} (answerable n={self.answerable}, without an answer n={self.unanswerable})",
            f"  gold in at most two quoted sentences  {self.quoted:.3f}   and not refused  {self.answered:.3f}",
            f"  refused although answerable           {self.false_refusals:.3f}",
            f"  refused, documents taken out          {removed}   refused, no answer  {without}",
            f"  question to answer                    {self.median_ms:.0f} ms median, {self.p95_ms:.0f} ms p95",
        ]


@dataclass(frozen=True, slots=True)
class _Outcome:
    question: Question
    holds_gold: bool
    refused: bool
    refused_removed: bool
    milliseconds: float


async def evaluate(corpus: Corpus, search: Search, *, embedder: Embedder | None = None) -> AnswersReport:
    """Ask every question. Answerable ones without gold strings count for refusal only."""
    outcomes = [await _ask(question, search, embedder) for question in corpus.questions]
    answerable = [outcome for outcome in outcomes if outcome.question.answerable]
    others = [outcome for outcome in outcomes if not outcome.question.answerable]
    gold = [outcome for outcome in answerable if outcome.question.answers or outcome.question.facts]
    times = sorted(outcome.milliseconds for outcome in outcomes)
    return AnswersReport(
        corpus=corpus.name,
        answerable=len(answerable),
        unanswerable=len(others),
        quoted=_share(gold, lambda outcome: outcome.holds_gold),
        answered=_share(gold, lambda outcome: outcome.holds_gold and not outcome.refused),
        false_refusals=_share(answerable, lambda outcome: outcome.refused),
        refused_removed=_share(answerable, lambda outcome: outcome.refused_removed) if answerable else None,
        refused_unanswerable=_share(others, lambda outcome: outcome.refused) if others else None,
        median_ms=_quantile(times, 0.5),
        p95_ms=_quantile(times, 0.95),
        wrong=tuple(outcome.question.id for outcome in gold if not outcome.holds_gold),
        accepted=tuple(outcome.question.id for outcome in others if not outcome.refused),
    )


async def _ask(question: Question, search: Search, embedder: Embedder | None) -> _Outcome:
    start = time.perf_counter()
    found = await search(question.text, _DEPTH)
    passages = found.passages[:_LIMIT]
    refused = await _refused(question, passages, found.rarity)
    quotes = await asyncio.to_thread(select, question.text, passages, idf=found.rarity, embedder=embedder)
    milliseconds = (time.perf_counter() - start) * 1000
    rest = [passage for passage in found.passages if passage.document not in question.documents][:_LIMIT]
    return _Outcome(
        question=question,
        holds_gold=question.answered_by("".join(paragraphs(quotes))),
        refused=refused,
        refused_removed=await _refused(question, rest, found.rarity),
        milliseconds=milliseconds,
    )


async def _refused(question: Question, passages: Sequence[Passage], idf: Callable[[str], float]) -> bool:
    return not (await asyncio.to_thread(assess, question.text, passages, idf=idf)).answerable


def _share(outcomes: Sequence[_Outcome], holds: Callable[[_Outcome], bool]) -> float:
    return sum(map(holds, outcomes)) / len(outcomes) if outcomes else 0.0


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
