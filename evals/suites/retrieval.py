"""Are the right documents found, better than plain BM25 finds them, and what does each step of retrieval add?

All on the same questions in the same run. Ranks are of documents: the first passage of a document counts, further ones
are passed over.
"""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.corpora import Corpus, Question
from evals.suites.plain_bm25 import PlainBM25
from knowledge.fusion import fuse
from knowledge.learning import gain
from knowledge.models import Passage
from knowledge.ports import Hit
from knowledge.retriever import Retrieval

Search = Callable[[str, int], Awaitable[Retrieval]]
"""A question and how many passages at most → what was found, best first."""

CUTS = (1, 5, 10)
_DEPTH = 100  # passages asked for: all candidates, so that each stage's own order can be told from their scores
_TOLERATED = 2  # questions: another processor's vectors differ in the last digits


@dataclass(frozen=True, slots=True)
class Row:
    """One system's figures; ``recall`` in the order of :data:`CUTS`.

    ``gain``: MRR over the row above, with its 95 % interval (paired bootstrap, 2,000 resamples); None in the first.
    """

    system: str
    recall: tuple[float, ...]
    mrr: float
    gain: tuple[float, float, float] | None = None

    def line(self) -> str:
        figures = " ".join(f"{value:6.3f}" for value in (*self.recall, self.mrr))
        gained = "" if self.gain is None else "   {:+.3f} [{:+.3f}, {:+.3f}]".format(*self.gain)
        return f"{self.system:<12}{figures}{gained}"


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """``first_five``: how often the document is among the first five *passages*, as a reader of a hit list sees it.

    ``regressions``: what is worse than the committed baseline, in words; empty where there is none.
    """

    corpus: str
    questions: int
    rows: tuple[Row, ...]
    first_five: float
    missed: tuple[str, ...]  # ids of questions whose document is not among the first five
    regressions: tuple[str, ...] = ()
    unranked: int = 0  # questions that a configured reranker did not order: it was late, or failed

    @property
    def ours(self) -> Row:
        return self.rows[-1]

    def lines(self) -> list[str]:
        """The table as it is printed."""
        head = " ".join(f"{f'R@{cut}':>6}" for cut in CUTS)
        unranked = f"{'':<12}not reranked, in time or at all: {self.unranked} of {self.questions}"
        return [
            f"{self.corpus} (n={self.questions})",
            f"{'':<12}{head}    MRR   gained over the row above, 95 %",
            *(row.line() for row in self.rows),
            f"{'':<12}among the first five passages: {self.first_five:.3f}",
            *([unranked] if self.unranked else []),
            *self.regressions,
        ]

    def kept(self) -> dict[str, object]:
        """What a baseline file keeps of it."""
        return {"questions": self.questions, "recall": list(self.ours.recall), "mrr": self.ours.mrr}


async def evaluate(
    corpus: Corpus, search: Search, *, baseline: Mapping[str, Mapping[str, Any]] | None = None
) -> RetrievalReport:
    """Every answerable question through ``search`` and through BM25 over the same chunks.

    With a reranker also in the order that fusion gave, from the same search: passages keep fusion's score.
    ``baseline``: corpus name → :meth:`RetrievalReport.kept` of an earlier run.
    """
    asked = [question for question in corpus.questions if question.answerable and question.documents]
    found = [(await search(question.text, _DEPTH)).passages for question in asked]
    plain = PlainBM25(corpus.documents)
    systems = {
        "BM25": [plain.search(question.text, _DEPTH) for question in asked],
        "words": [_names(_by(passages, "lexical_rank")) for passages in found],
        "meaning": [_names(_by(passages, "dense_rank")) for passages in found],
        "both": [_names(_fused(passages)) for passages in found],
        **_without_rerank(found),
        "copilot": [_names(passages) for passages in found],
    }
    ranks = {system: _ranks(names, asked) for system, names in systems.items()}
    first = [
        not question.documents.isdisjoint(_names(passages[:5])) for passages, question in zip(found, asked, strict=True)
    ]
    report = RetrievalReport(
        corpus=corpus.name,
        questions=len(asked),
        rows=tuple(_rows(ranks)),
        first_five=_mean(first),
        missed=tuple(question.id for rank, question in zip(ranks["copilot"], asked, strict=True) if rank > 5),
        unranked=sum(bool(passages) and passages[0].scores.unranked is not None for passages in found),
    )
    return _compared(report, (baseline or {}).get(corpus.name))


def _by(passages: Sequence[Passage], stage: str) -> list[Passage]:
    """Those that a stage found, in its own order."""
    ranked = [(getattr(passage.scores, stage), passage) for passage in passages]
    return [passage for rank, passage in sorted(ranked, key=lambda item: item[0] or 0) if rank is not None]


def _fused(passages: Sequence[Passage]) -> list[Passage]:
    dense = [Hit(one.chunk_id, one.scores.dense or 0.0) for one in _by(passages, "dense_rank")]
    lexical = [Hit(one.chunk_id, one.scores.lexical or 0.0) for one in _by(passages, "lexical_rank")]
    by_id = {passage.chunk_id: passage for passage in passages}
    return [by_id[candidate.chunk_id] for candidate in fuse([dense], lexical)]


def _names(passages: Sequence[Passage]) -> list[str]:
    """Of the documents, those that say the same beside each other."""
    return [name for one in passages for name in (one.document, *(copy.document for copy in one.also_in))]


def _ranks(names: Sequence[Sequence[str]], asked: Sequence[Question]) -> list[float]:
    return [_rank(found, question) for found, question in zip(names, asked, strict=True)]


def _without_rerank(found: Sequence[Sequence[Passage]]) -> dict[str, list[list[str]]]:
    """The row of fusion's own order, where a reranker changed it."""
    if not any(passage.scores.rerank is not None for passages in found for passage in passages):
        return {}
    return {"no rerank": [_names(sorted(passages, key=lambda one: -one.score)) for passages in found]}


def _rank(names: Sequence[str], question: Question) -> float:
    for rank, name in enumerate(dict.fromkeys(names), 1):
        if name in question.documents:
            return rank
    return math.inf


def _rows(ranks: Mapping[str, Sequence[float]]) -> list[Row]:
    rows: list[Row] = []
    above: NDArray[np.float64] | None = None
    for system, of_system in ranks.items():
        inverse = np.array([1 / rank for rank in of_system])
        recall = tuple(_mean([rank <= cut for rank in of_system]) for cut in CUTS)
        rows.append(Row(system, recall, _mean(inverse), None if above is None else gain(inverse - above)))
        above = inverse
    return rows


def _compared(report: RetrievalReport, before: Mapping[str, Any] | None) -> RetrievalReport:
    """Worse by more than the tolerated number of questions is a regression: not found at a cut, or in MRR as if so many
    had fallen from the first place to the second.
    """
    if before is None or before["questions"] != report.questions:
        return report
    figures = [
        *((f"R@{cut}", 1.0, *both) for cut, *both in zip(CUTS, report.ours.recall, before["recall"], strict=True)),
        ("MRR", 0.5, report.ours.mrr, before["mrr"]),
    ]
    worse = [
        f"regression: {name} is {now:.3f}, the committed baseline has {then:.3f}."
        for name, lost, now, then in figures
        if now < then - lost * (_TOLERATED + 0.5) / report.questions
    ]
    return replace(report, regressions=tuple(worse))


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else 0.0
