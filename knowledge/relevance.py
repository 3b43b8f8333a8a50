"""Which sentences of the passages answer the question: the measure behind quotes without a language model.

The passages are about the right thing already, so what names the thing (a product, an entity) stands in all of them and
says little; what is asked of it (分布, 别名, 多久) decides. Terms are therefore weighed by how few of the candidate
sentences have them, and terms that come and go together (the four pairs of a five-character name) share one weight.

The weights: a conditional logit over the sentences of a question's five best passages, fitted on the public CMRC 2018
trial questions (1,000 over 256 paragraphs). The gold string stands in the two best sentences for .883 of them, .895
with embedded sentences; fitted on one half of the paragraphs and measured on the other: .880 and .883. Two neighbouring
sentences could contain it for .959 at most.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.cues import expected
from knowledge.models import Passage
from knowledge.ports import Embedder
from knowledge.question import characters, content_characters, content_terms, without_topic
from knowledge.quotable import Quotable, quotable, whole
from knowledge.tokens import fold, terms

Idf = Callable[[str], float]
_Matrix = NDArray[np.float64]

# Of the features in the order of `_features`, and of the cosine of an embedded sentence; see above for the data.
_COSINE_WEIGHT = 20.0
_WEIGHTS = np.array([1.55, 3.4, 1.15, 3.35, 1.7, _COSINE_WEIGHT, 2.5, 2.1, 2.15, 0.95])
_MEANING_WEIGHT = 25.0
_EMBEDDED = 6  # sentences; 8 and 12 find one or two more of 1,002 answers
_FAR = -2.0  # the least that a passage's distance in cosine counts, whatever the embedder's scale; a sentence's: twice
_UNION = 2.0  # what a second sentence gains for the share of the question it adds
_BESIDE = 0.5  # … for standing beside the first
_BEFORE = 2.0  # … for standing before a first that begins with 因此, 他, 该, …

_EXACT = re.compile(
    r"\d+年(?:\d+月)?(?:\d+日)?|\d+月(?:\d+日)?|\d+(?:\.\d+)?(?:%|[a-z]+)?|[a-z]*\d[a-z0-9]*(?:[-_.][a-z0-9]+)+"
)
_DEFINING = re.compile(
    r"^(?:什么是|什么叫|何为|何谓)|是(?:什么|谁)[？?]?$|指的?是什么|是什么意思|^what (?:is|are)\b", re.IGNORECASE
)
_LEANING = re.compile(
    r"^(?:因此|所以|故|于是|由此|为此|这|该|此|其|它|他|她|在此|然而|但|而|同时|另外|此外|最终|最后|并"
    r"|However|This|It|They|Therefore)"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence (or a list with its lead-in) of ``passages[passage]``; ``position`` counts from 0 within it.

    ``score`` orders the sentences of one question and means nothing beyond it; that of a further sentence includes what
    it adds to those before.
    """

    text: str
    passage: int
    position: int
    score: float = 0.0


def best_sentences(
    question: str,
    passages: Sequence[Passage],
    *,
    count: int = 2,
    idf: Idf | None = None,
    embedder: Embedder | None = None,
    embedded: int = _EMBEDDED,
) -> list[Sentence]:
    """The ``count`` sentences that answer together, the best first; each adds to what those before it say.

    ``idf`` is the inverse document frequency of a term in what was searched (ln scale). With an ``embedder`` the
    ``embedded`` most promising sentences are also compared by meaning: one call for them, one for the question.
    Blocking; 3–6 ms for five passages without the embedder.
    """
    candidates = _candidates(passages)
    if not candidates:
        return []
    asked = _Asked.of(question, candidates, idf)
    scores = _features(question, passages, candidates, asked) @ _WEIGHTS
    if embedder is not None:
        scores = _with_meaning(question, passages, candidates, scores, embedder, embedded)
    chosen: dict[int, float] = {}
    while len(chosen) < min(count, len(candidates)):
        adjusted = scores + _supplement(candidates, asked, list(chosen))
        adjusted[list(chosen)] = -np.inf
        best = int(np.argmax(adjusted))
        chosen[best] = float(adjusted[best])
    return [candidates[i].sentence(score) for i, score in chosen.items()]


# --- candidates ---


@dataclass(frozen=True, slots=True)
class _Candidate:
    found: Quotable
    terms: frozenset[str]
    characters: frozenset[str]
    around: frozenset[str]

    @classmethod
    def of(cls, found: Quotable) -> "_Candidate":
        return cls(found, frozenset(terms(found.text)), characters(found.text), frozenset(terms(found.context)))

    def sentence(self, score: float) -> Sentence:
        return Sentence(self.found.text, self.found.passage, self.found.position, score)


def _candidates(passages: Sequence[Passage]) -> list[_Candidate]:
    """Every sentence once: neighbouring chunks overlap."""
    first: dict[str, Quotable] = {}
    for i, passage in enumerate(passages):
        for found in quotable(i, passage):
            first.setdefault(found.text, found)
    return [_Candidate.of(found) for found in first.values()]


# --- what the question weighs ---


@dataclass(frozen=True, slots=True)
class _Asked:
    """The question's terms (columns) over the candidates (rows), and what each term weighs; weights sum to 1 or 0."""

    words: list[str]
    has: _Matrix
    weights: NDArray[np.float64]
    common: NDArray[np.float64]  # the same weights, shifted to terms that are common in the knowledge base
    characters: _Matrix
    character_weights: NDArray[np.float64]

    @classmethod
    def of(cls, question: str, candidates: Sequence[_Candidate], idf: Idf | None) -> "_Asked":
        words = content_terms(question)
        has = _occurrences(words, [candidate.terms for candidate in candidates])
        weights = _local_weights(has)
        letters = _occurrences(content_characters(question), [candidate.characters for candidate in candidates])
        common = weights * _commonness(words, idf) * (has.sum(0) > 0)
        return cls(words, has, _shares(weights), _shares(common), letters, _shares(_local_weights(letters)))


def _occurrences(words: Sequence[str], texts: Sequence[frozenset[str]]) -> _Matrix:
    return np.array([[word in text for word in words] for text in texts], float).reshape(len(texts), len(words))


def _local_weights(has: _Matrix) -> NDArray[np.float64]:
    """Rare among the candidates weighs much; terms that occur in the same sentences share (Jaccard) one weight."""
    occurrences = has.sum(0)
    together = has.T @ has
    either = occurrences[:, None] + occurrences[None, :] - together
    alike = np.divide(together, either, out=np.zeros_like(together), where=either > 0)
    np.fill_diagonal(alike, 1.0)
    weights: NDArray[np.float64] = np.log(1 + len(has) / (0.5 + occurrences)) / alike.sum(1) ** 0.9
    return weights


def _commonness(words: Sequence[str], idf: Idf | None) -> NDArray[np.float64]:
    """0 for a term that stands nowhere else (a name), 1 for one that is everywhere (what may be asked of anything)."""
    ceiling = idf("\0") if idf else 0.0  # a term that no text has
    if idf is None or ceiling <= 0:
        return np.ones(len(words))
    return np.array([max(0.0, 1 - idf(word) / ceiling) for word in words])


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(weights.sum())
    return weights / total if total > 0 else weights


def _features(question: str, passages: Sequence[Passage], candidates: Sequence[_Candidate], asked: _Asked) -> _Matrix:
    """(candidates, features) in the order of ``_WEIGHTS``; all in [0, 1] but the distance in cosine."""
    says = asked.has @ asked.weights
    before, after = _neighbours(candidates, asked)
    cues = expected(question)
    exact = set(_EXACT.findall(fold(question).replace(" ", "")))
    exact = {piece for piece in exact if len(piece) > 1}
    defining = _DEFINING.search(question.strip()) is not None
    first = passages[0].document_id
    rows = []
    for candidate in candidates:
        found = candidate.found
        said = fold(found.text).replace(" ", "")
        rows.append(
            (
                _share(1 for cue in cues if cue.search(found.text)) / max(1, len(cues)),
                passages[found.passage].document_id == first,
                _share(1 for piece in exact if piece in said) / max(1, len(exact)),
                defining and found.position == 0,
                _distance(passages, found.passage),
            )
        )
    cue, same, exactly, definition, distance = np.array(rows, float).T
    return np.column_stack(
        [
            says,
            asked.characters @ asked.character_weights,
            cue,
            before - says,
            after - says,
            distance,
            same,
            asked.has @ asked.common,
            exactly,
            definition,
        ]
    )


def _share(ones: Iterable[int]) -> float:
    return float(sum(ones))


def _neighbours(candidates: Sequence[_Candidate], asked: _Asked) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each candidate says together with the sentence before it and its headings, and with the one after it."""
    around = np.maximum(asked.has, _occurrences(asked.words, [candidate.around for candidate in candidates]))
    before, after = around.copy(), asked.has.copy()
    for i in range(1, len(candidates)):
        if candidates[i].found.passage == candidates[i - 1].found.passage:
            before[i] = np.maximum(before[i], asked.has[i - 1])
            after[i - 1] = np.maximum(after[i - 1], asked.has[i])
    said_before: NDArray[np.float64] = before @ asked.weights
    said_after: NDArray[np.float64] = after @ asked.weights
    return said_before, said_after


def _distance(passages: Sequence[Passage], number: int) -> float:
    """How far in cosine the passage is behind the nearest (≤ 0); one that was not found by meaning is the farthest."""
    known = [passage.scores.dense for passage in passages if passage.scores.dense is not None]
    if not known:
        return 0.0
    cosine = passages[number].scores.dense
    return max((min(known) if cosine is None else cosine) - max(known), _FAR / _COSINE_WEIGHT)


def _with_meaning(
    question: str,
    passages: Sequence[Passage],
    candidates: Sequence[_Candidate],
    scores: NDArray[np.float64],
    embedder: Embedder,
    most: int,
) -> NDArray[np.float64]:
    """Adds how near each promising sentence is to what is asked, the thing it is asked of left out."""
    promising = np.argsort(-scores)[:most]
    asked = without_topic(question, whole(passages[candidates[promising[0]].found.passage]))
    sentences = embedder.embed_passages([candidates[i].found.text for i in promising])
    cosines = (sentences @ embedder.embed_query(asked)).astype(float)
    added = np.full(len(scores), 2 * _FAR)
    added[promising] = np.maximum(_MEANING_WEIGHT * (cosines - cosines.max()), 2 * _FAR)
    total: NDArray[np.float64] = scores + added
    return total


def _supplement(candidates: Sequence[_Candidate], asked: _Asked, chosen: Sequence[int]) -> NDArray[np.float64]:
    """What makes a sentence worth more as an addition to those chosen."""
    added = np.zeros(len(candidates))
    if not chosen:
        return added
    said = asked.has[chosen].max(0)
    added += _UNION * ((np.maximum(asked.has, said) - said) @ asked.weights)
    first = candidates[chosen[0]].found
    for i, candidate in enumerate(candidates):
        if candidate.found.passage == first.passage:
            step = candidate.found.position - first.position
            added[i] += _BESIDE if abs(step) == 1 else 0
            added[i] += _BEFORE if step == -1 and _LEANING.match(first.text) else 0
    return added
