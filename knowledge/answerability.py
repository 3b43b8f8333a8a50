"""Do the passages answer the question, or is it better to say that nothing was found? Decided before any model runs.

Three signals, summed by a logistic model:

* the best cosine, as multilingual-e5-small gives it (answerable CMRC questions: .87–.94; foreign ones: .78–.87);
* how much of the question one passage says, each term weighed by its inverse document frequency, terms at the start
  of the question more (Chinese and English questions name their subject early);
* how many of its characters (words, in English) the best single sentence has.

Fitted on one half of each set and measured on the other, both ways round; the constants are those of the whole:

====================================================  =======  ============================
questions                                             refused
====================================================  =======  ============================
1,000 of CMRC 2018 trial, paragraph in the index        4.5 %  the threshold was set by this
the same, their paragraph taken out                      95 %
140 descriptions of commerce guides → the guides        0.7 %
100 of RGB (zh), evidence in the index                  0.0 %
questions of one of these sets asked of another        99.7 %
100 of RGB, evidence taken out, near misses left in       2 %  what this cannot do
====================================================  =======  ============================

Passages that speak of the very thing asked and do not say it look like an answer to all three signals: such near misses
are left to the language model's own prompt. Only one is caught here: a product code that no passage has.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from knowledge.models import Passage
from knowledge.question import characters, content_characters, content_terms
from knowledge.quotable import whole
from knowledge.sentences import split
from knowledge.tokens import fold, terms

_CONSIDERED = 5  # passages, as in the fit
_EARLY = 8.0  # characters after which a term weighs 1/e of one at the start
_WEIGHTS = {"cosine": 104.0, "coverage": 5.67, "sentence": 3.95}
_MEANS = {"cosine": 0.8784, "coverage": 0.3725, "sentence": 0.5312}
_THRESHOLD = 1.61  # 4.6 % of the answerable CMRC questions are below
_LEAST_COSINE = 0.7  # this model gives no less, even to unrelated texts; less comes from another model
_CODE = re.compile(r"(?<![a-z0-9])(?:[a-z0-9]+(?:[-_][a-z0-9]+)+|[a-z]{2,}\d{3,}[a-z0-9]*)(?![a-z0-9])")


@dataclass(frozen=True, slots=True)
class Answerability:
    """``score`` in (0, 1), at least .5 where ``answerable``; it is no probability of being right.

    The signals: ``cosine`` is None where no passage was found by meaning or the embedder's scale is not known;
    ``coverage`` and ``sentence`` are shares of the question; ``missing_codes`` stand in the question and in no passage.
    """

    score: float
    answerable: bool
    cosine: float | None = None
    coverage: float = 0.0
    sentence: float = 0.0
    missing_codes: tuple[str, ...] = ()


def assess(
    question: str,
    passages: Sequence[Passage],
    *,
    idf: Callable[[str], float] | None = None,
    known_scale: bool = True,
) -> Answerability:
    """Judge the best five passages. ``idf``: inverse document frequency of a term in what was searched (ln scale).

    ``known_scale`` says that cosines come from multilingual-e5-small; without it, and below what that model can give,
    the cosine is left out. Without ``idf`` every term weighs the same. Blocking, 2–4 ms.
    """
    passages = passages[:_CONSIDERED]
    if not passages:
        return Answerability(0.0, answerable=False)
    cosine = max((p.scores.dense for p in passages if p.scores.dense is not None), default=None)
    if not known_scale or (cosine is not None and cosine < _LEAST_COSINE):
        cosine = None
    coverage, sentence = _coverage(question, passages, idf), _best_sentence(question, passages)
    missing = _missing_codes(question, passages)
    signals = {"cosine": _MEANS["cosine"] if cosine is None else cosine, "coverage": coverage, "sentence": sentence}
    logit = sum(_WEIGHTS[name] * (value - _MEANS[name]) for name, value in signals.items()) - _THRESHOLD
    score = 1 / (1 + math.exp(-logit))
    if missing:
        score = min(score, 0.25)
    return Answerability(score, score >= 0.5, cosine, coverage, sentence, missing)


def _coverage(question: str, passages: Sequence[Passage], idf: Callable[[str], float] | None) -> float:
    """The share of the question's weight that the best single passage has, its headings and name included."""
    asked = fold(question)
    weights = {
        term: (idf(term) if idf else 1.0) * math.exp(-max(0, asked.find(term)) / _EARLY)
        for term in content_terms(question)
    }
    total = sum(weights.values())
    if total <= 0:
        return 0.0
    said = (frozenset(terms(whole(passage))) for passage in passages)
    return max(sum(weight for term, weight in weights.items() if term in has) for has in said) / total


def _best_sentence(question: str, passages: Sequence[Passage]) -> float:
    asked = content_characters(question)
    if not asked:
        return 0.0
    said = (characters(sentence) for passage in passages for sentence in split(passage.text))
    return max((sum(one in has for one in asked) for has in said), default=0) / len(asked)


def _missing_codes(question: str, passages: Sequence[Passage]) -> tuple[str, ...]:
    """Product codes (HB-KT-2048, SKU_77, HB2048) of the question if the passages have none of them."""
    codes = [code for code in dict.fromkeys(_CODE.findall(fold(question))) if _is_code(code)]
    if not codes:
        return ()
    said = frozenset(term for passage in passages for term in terms(whole(passage)))
    absent = [code for code in codes if code not in said and code.replace("-", "").replace("_", "") not in said]
    return tuple(absent) if len(absent) == len(codes) else ()


def _is_code(found: str) -> bool:
    return len(found) >= 5 and any(map(str.isdigit, found)) and any(map(str.isalpha, found))
