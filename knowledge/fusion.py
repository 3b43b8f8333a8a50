"""What the stages found → one order: by vector, by words, by single characters, and by the document around a chunk.

Each stage gives a chunk ½·(its score between 0 and the stage's best, for cosines between the worst and the best) +
½·11/(10 + rank). The words find pairs of characters; which single characters of the question a candidate has is
counted afterwards, over the candidates only, because a paraphrase in Chinese often keeps the characters and not the
pairs; likewise codes (HB-KT-2048, S077, 5G), where what is exact should win. A chunk then gains
from the best of its document's others, and is worth less for each better one of them.

How much each of them counts is in :class:`knowledge.weights.Weights`; it can be learned (:mod:`knowledge.learning`).
Figures: ``evals/README.md``, by step. Reciprocal rank fusion (k = 60) instead: R@1 .971 on CMRC, .296 on AFQMC.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from knowledge.catalog import FoundChunk
from knowledge.ports import Hit
from knowledge.question import codes_of
from knowledge.tokens import fold, spellings
from knowledge.weights import Weights

RANK_K = 10
SAME_DOCUMENT = 0.85  # a chunk's share for each better one of its document: five passages are not all of one page
DOCUMENT_SHARES = (1.0, 0.7, 0.49)  # of a document's best, second and third chunk in what they are worth together
_HAN = ("\u3400", "\u9fff")


class Candidate(NamedTuple):
    """A chunk with what each stage said of it, None from one that did not find it, and the parts of its score, 0–1."""

    chunk_id: str
    words: float
    meaning: float
    cosine: float | None
    dense_rank: int | None
    bm25: float | None
    lexical_rank: int | None
    characters: float = 0.0
    codes: float = 0.0


def fuse(dense: Sequence[Sequence[Hit]], lexical: Sequence[Hit]) -> list[Candidate]:
    """Everything that a stage found, by vector (of each embedding model) and words together, best of both first."""
    by_vector = {chunk_id: found for hits in dense for chunk_id, found in _scaled(hits)}
    by_words = {hit.chunk_id: (rank, hit.score) for rank, hit in enumerate(lexical, 1)}
    words = _scale(0.0, lexical[0].score if lexical else 0.0)
    fused = []
    for chunk_id in by_vector | by_words:
        dense_rank, cosine, near = by_vector.get(chunk_id, (None, None, 0.0))
        lexical_rank, bm25 = by_words.get(chunk_id, (None, None))
        parts = _half(words(bm25), lexical_rank), _half(near, dense_rank)
        fused.append(Candidate(chunk_id, *parts, cosine, dense_rank, bm25, lexical_rank))
    return sorted(fused, key=lambda one: (-one.words - one.meaning, one.chunk_id))


def _scaled(hits: Sequence[Hit]) -> list[tuple[str, tuple[int, float, float]]]:
    """chunk id → its rank, its cosine, and that cosine's place between the worst and the best of these."""
    place = _scale(hits[-1].score, hits[0].score) if hits else _scale(0.0, 0.0)
    return [(hit.chunk_id, (rank, hit.score, place(hit.score))) for rank, hit in enumerate(hits, 1)]


def compared(question: str, candidates: Sequence[Candidate], found: Mapping[str, FoundChunk]) -> list[Candidate]:
    """Those of the candidates that are in ``found``, with the characters and codes of the question that they have."""
    there = [one for one in candidates if one.chunk_id in found]
    texts = [found[one.chunk_id].chunk.text for one in there]
    more = zip(there, _characters(question, texts), _codes(question, texts), strict=True)
    return [Candidate(*one[:7], characters, codes) for one, characters, codes in more]


def ordered(
    candidates: Sequence[Candidate], found: Mapping[str, FoundChunk], weights: Weights
) -> list[tuple[float, Candidate]]:
    """Compared candidates with their final score, best first."""
    scored = [(own_score(one, weights), one) for one in candidates]
    scored.sort(key=_best_first)
    by_document: defaultdict[str, list[float]] = defaultdict(list)
    for score, one in scored:
        by_document[found[one.chunk_id].chunk.document_id].append(score)
    around = {document: weights.document * _together(scores) for document, scores in by_document.items()}
    scored = [(score + around[found[one.chunk_id].chunk.document_id], one) for score, one in scored]
    scored.sort(key=_best_first)
    return _shared(scored, found)


def own_score(one: Candidate, weights: Weights) -> float:
    """What a candidate is worth by itself, before its document counts."""
    return one.words + weights.meaning * one.meaning + weights.characters * one.characters + weights.codes * one.codes


def _best_first(item: tuple[float, Candidate]) -> tuple[float, str]:
    return -item[0], item[1].chunk_id


def _together(scores: Sequence[float]) -> float:
    """Of a document's chunks, best first."""
    return sum(share * score for share, score in zip(DOCUMENT_SHARES, scores, strict=False))


def _shared(
    scored: Sequence[tuple[float, Candidate]], found: Mapping[str, FoundChunk]
) -> list[tuple[float, Candidate]]:
    seen: Counter[str] = Counter()
    weighed = []
    for score, one in scored:
        document = found[one.chunk_id].chunk.document_id
        weighed.append((score * SAME_DOCUMENT ** seen[document], one))
        seen[document] += 1
    return sorted(weighed, key=_best_first)


def _characters(question: str, texts: Sequence[str]) -> list[float]:
    """Of each text 0–1: BM25 (k1 = 1.2, b = 0.75) over the question's Chinese characters, rarity among the texts."""
    asked = [char for char in dict.fromkeys(fold(question)) if _HAN[0] <= char <= _HAN[1]]
    if not asked or not texts:
        return [0.0] * len(texts)
    lengths = np.array([len(text) for text in texts])
    counts = _counts(asked, texts, lengths)
    having = np.count_nonzero(counts, axis=0)
    rarity = np.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
    norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
    return _standing(((counts * 2.2 / (counts + norm[:, None])) @ rarity).round(9))  # equals stay equals on any machine


def _codes(question: str, texts: Sequence[str]) -> list[float]:
    """Of each text the share of the question's codes that it has, 0–1; a code that many texts have weighs less."""
    patterns = [re.compile(rf"(?<![0-9a-z]){_written(code)}(?![0-9a-z])") for code in codes_of(question)]
    if not patterns or not texts:
        return [0.0] * len(texts)
    lower = [text.lower() for text in texts]
    rows = [[pattern.search(text) is not None for pattern in patterns] for text in lower]
    alone = _rarity(1, len(texts))
    weights = [_rarity(sum(column), len(texts)) / alone / len(patterns) for column in zip(*rows, strict=True)]
    return [sum(weight for weight, has in zip(weights, row, strict=True) if has) for row in rows]


def _written(code: str) -> str:
    """A pattern of the code with its separators or without, as customers leave them out; a number is only itself."""
    if not any(map(str.isalpha, code)):
        return re.escape(code)
    return "[-_.]?".join(char for char in code if char.isalnum())


def _counts(asked: Sequence[str], texts: Sequence[str], lengths: NDArray[np.int_]) -> NDArray[np.int_]:
    """(texts, characters), in any spelling. One pass over all texts: a loop over them took four times as long."""
    written = {ord(spelling): column for column, char in enumerate(asked, 1) for spelling in spellings(char)}
    columns = np.zeros(max(written) + 2, np.uint16)  # of a character; 0: not asked for, as all that come after
    columns[list(written)] = list(written.values())
    letters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    found = columns.take(letters, mode="clip")
    at = np.flatnonzero(found != 0)
    rows = np.searchsorted(np.cumsum(lengths), at, side="right")
    width = len(asked) + 1
    cells = np.bincount(rows * width + found[at], minlength=len(texts) * width)
    return cells.reshape(-1, width)[:, 1:]


def _rarity(having: int, all_: int) -> float:
    return math.log(1 + (all_ - having + 0.5) / (having + 0.5))


def _standing(scores: NDArray[Any]) -> list[float]:
    """Each score as half score, half rank; nothing for none."""
    best = scores.max()
    if best <= 0:
        return [0.0] * len(scores)
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    halves: list[float] = np.where(
        scores > 0, 0.5 * scores / best + 0.5 * (RANK_K + 1) / (RANK_K + ranks), 0.0
    ).tolist()
    return halves


def _half(scaled: float, rank: int | None) -> float:
    return 0.0 if rank is None else 0.5 * scaled + 0.5 * (RANK_K + 1) / (RANK_K + rank)


def _scale(worst: float, best: float) -> Callable[[float | None], float]:
    """A score → its place between the worst (0) and the best (1); one that a stage did not find has 0."""
    spread = best - worst

    def place(score: float | None) -> float:
        if score is None:
            return 0.0
        return (score - worst) / spread if spread > 0 else 1.0

    return place
