"""Weights learned from questions whose documents are known: coordinate search, measured on questions left out of it.

The order is judged as a reader meets it, by the reciprocal rank of the first right document. A document's place comes
from its best chunk and from what its best three are worth together, as :func:`knowledge.fusion.ordered` has it, so a
table of every candidate's parts is enough to try weights on: 2 ms for 100 questions. Few weights, small steps and a
price for each step away from what is shipped keep fifty questions from teaching nonsense; questions are put into folds
by a hash of their text, so the same file always teaches the same.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from knowledge.fusion import DOCUMENT_SHARES
from knowledge.retriever import Staged
from knowledge.weights import SHIPPED, Measured, Weights

FOLDS = 5
LEAST_OF_EACH = 10  # answerable and unanswerable questions, for a threshold
_LEARNED = ("meaning", "characters", "codes", "document")
_STEPS = (0.5, 0.71, 0.84, 1.19, 1.41, 2.0)
_FARTHEST = 4.0  # times what is shipped, or a fourth of it
_PRICE = 0.002  # of mean reciprocal rank, for a weight twice or half what is shipped
_ROUNDS = 5
_THRESHOLDS = (0.1, 0.95)  # the lenient verdict is given to a language model, and stays below
_RESAMPLES = 2000

Figures = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Asked(NamedTuple):
    """A question with what was found for it, and the names of the documents that answer it."""

    text: str
    staged: Staged
    documents: frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Every candidate of every phrasing, a document's side by side.

    ``parts`` is (candidates, words and those of ``_LEARNED`` but the last); ``sibling`` numbers what is one document
    to one phrasing; ``document`` says of each sibling number which document of which question it is, ``question`` of
    each of these the question, ``right`` whether it answers it.
    """

    parts: Figures
    sibling: Numbers
    document: Numbers
    question: Numbers
    right: NDArray[np.bool_]
    questions: int

    @classmethod
    def of(cls, asked: Sequence[Asked]) -> "Table":
        parts: list[tuple[float, ...]] = []
        sibling: list[int] = []
        siblings: dict[tuple[int, int, str], int] = {}
        documents: dict[tuple[int, str], int] = {}
        for number, one in enumerate(asked):
            for phrasing, found in enumerate(one.staged.found):
                for each in found.candidates:
                    name = found.live[each.chunk_id].document
                    documents.setdefault((number, name), len(documents))
                    sibling.append(siblings.setdefault((number, phrasing, name), len(siblings)))
                    parts.append((each.words, each.meaning, each.characters, each.codes))
        return cls(
            np.array(parts, float).reshape(-1, 4),
            np.array(sibling, np.int64),
            np.array([documents[number, name] for number, _, name in siblings], np.int64),
            np.array([number for number, _ in documents], np.int64),
            np.array([name in asked[number].documents for number, name in documents], bool),
            len(asked),
        )

    def reciprocal_ranks(self, weights: Weights) -> Figures:
        """Of each question: one over the place of the first document that answers it, 0 where none was found."""
        values = self._values(weights)
        best = np.full(self.questions, -np.inf)
        np.maximum.at(best, self.question[self.right], values[self.right])
        before = self.question[~self.right & (values > best[self.question])]
        places = 1 + np.bincount(before, minlength=self.questions)
        return np.where(np.isfinite(best), 1 / places, 0.0)

    def _values(self, weights: Weights) -> Figures:
        """Of each document of each question, by the phrasing that values it most."""
        own = self.parts @ np.array([1.0, weights.meaning, weights.characters, weights.codes])
        at = np.lexsort((-own, self.sibling))
        own, sibling = own[at], self.sibling[at]
        first = np.flatnonzero(np.diff(sibling, prepend=-1))
        value = own[first].copy()
        for place, share in enumerate(DOCUMENT_SHARES):
            there = first + place
            has = np.flatnonzero(there < len(own))
            has = has[sibling[there[has]] == sibling[first[has]]]
            value[has] += weights.document * share * own[there[has]]
        values = np.full(len(self.question), -np.inf)
        np.maximum.at(values, self.document, value)
        return values


def learn_order(asked: Sequence[Asked]) -> tuple[Weights, Measured]:
    """Weights from all of them, and what weights from four fifths do on the fifth that is left out."""
    table, folds = Table.of(asked), _folds(one.text for one in asked)
    held_out = table.reciprocal_ranks(SHIPPED)
    shipped = held_out.copy()
    for out in (folds == fold for fold in range(FOLDS)):
        if out.any() and not out.all():
            held_out[out] = table.reciprocal_ranks(_searched(table, ~out))[out]
    return _searched(table, folds >= 0), _measured(shipped, held_out, held_out - shipped)


def learn_threshold(asked: Sequence[tuple[str, float]], answerable: Sequence[bool]) -> tuple[float, Measured]:
    """From (question, score of :func:`knowledge.answerability.assess`), and whether there is an answer.

    The figure is the mean of two shares: refused although answerable, answered although not.
    """
    scores, has = np.array([score for _, score in asked]), np.array(answerable)
    folds = _folds(text for text, _ in asked)
    shipped = _wrong(scores, has, SHIPPED.threshold)
    held_out = shipped.copy()
    for out in (folds == fold for fold in range(FOLDS)):
        held_out[out] = _wrong(scores, has, _best_threshold(scores[~out], has[~out]))[out]
    share = np.where(has, 1 / has.sum(), 1 / (~has).sum()) * len(has) / 2
    before, after = shipped * share, held_out * share
    return _best_threshold(scores, has), _measured(before, after, before - after)


def gain(differences: Figures) -> tuple[float, float, float]:
    """→ mean, and the bounds between which 95 % of the resampled means lie (paired bootstrap)."""
    if not len(differences):
        return 0.0, 0.0, 0.0
    chosen = np.random.default_rng(0).integers(0, len(differences), (_RESAMPLES, len(differences)))
    low, high = np.percentile(differences[chosen].mean(axis=1), [2.5, 97.5])
    return float(differences.mean()), float(low), float(high)


def _measured(shipped: Figures, learned: Figures, gains: Figures) -> Measured:
    return Measured(float(shipped.mean()), float(learned.mean()), *gain(gains))


def _searched(table: Table, of: NDArray[np.bool_]) -> Weights:
    """The best that is found one weight at a time, for these of the questions."""
    at, best = SHIPPED, _worth(table, SHIPPED, of)
    for _ in range(_ROUNDS):
        before = best
        for near in (near for name in _LEARNED for near in _near(at, name)):
            worth = _worth(table, near, of)
            if worth > best:
                at, best = near, worth
        if best == before:
            break
    return at


def _near(weights: Weights, name: str) -> list[Weights]:
    value, shipped = getattr(weights, name), getattr(SHIPPED, name)
    tried = (round(value * step, 3) for step in _STEPS)
    return [replace(weights, **{name: each}) for each in tried if shipped / _FARTHEST <= each <= shipped * _FARTHEST]


def _worth(table: Table, weights: Weights, of: NDArray[np.bool_]) -> float:
    away = sum(abs(np.log2(getattr(weights, name) / getattr(SHIPPED, name))) for name in _LEARNED)
    return float(table.reciprocal_ranks(weights)[of].mean() - _PRICE * away)


def _best_threshold(scores: Figures, has: NDArray[np.bool_]) -> float:
    """Between two scores, the one nearest to what is shipped among the best."""
    if has.all() or not has.any():
        return SHIPPED.threshold
    known = np.unique(scores)
    between = (known[1:] + known[:-1]) / 2
    tried = [SHIPPED.threshold, *between[(between >= _THRESHOLDS[0]) & (between <= _THRESHOLDS[1])]]
    return float(min(tried, key=lambda each: (_share_wrong(scores, has, each), abs(each - SHIPPED.threshold))))


def _share_wrong(scores: Figures, has: NDArray[np.bool_], threshold: float) -> float:
    wrong = _wrong(scores, has, threshold)
    return round(float(wrong[has].mean() + wrong[~has].mean()) / 2, 9)


def _wrong(scores: Figures, has: NDArray[np.bool_], threshold: float) -> NDArray[np.bool_]:
    return np.not_equal(has, scores >= threshold, dtype=bool)


def _folds(texts: Iterable[str]) -> Numbers:
    """The same text is always in the same fold."""
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return np.array([int.from_bytes(digest[:8], "big") % FOLDS for digest in digests], np.int64)
