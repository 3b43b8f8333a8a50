"""Do the passages answer the question, or is it better to say that nothing was found? Decided before any model runs.

Three signals, summed by a logistic model:

* the best cosine, as multilingual-e5-small gives it (CMRC questions: .88–.94 with their paragraph in the index, .83–.88
  without; a Latin question to Chinese passages is .04 lower and gets that back);
* how much of the question one passage says, each term weighed by its inverse document frequency, terms at the start
  of the question more (Chinese and English questions name their subject early);
* how many of its characters (words, in English) the best single sentence has.

The last two help and never harm below a floor: who asks in other words than the document's says few of them.

Fitted on one half of each set and measured on the other, both ways round; the constants are those of the whole. Refused
at ``at_least`` .5, the default, and at :data:`LENIENT`:

======================================================  =====  =====
1,000 of CMRC 2018 trial, paragraph in the index        4.9 %  1 %    the default was set by this, on the product
the same, their paragraph taken out                     95 %   85 %
the same, half of the paragraphs indexed, of the other  97 %   91 %
140 descriptions of commerce guides → the guides        1.4 %  0 %
100 of RGB (zh), evidence in the index                  0 %    0 %
questions of one of these sets asked of another         99 %+  97 %
58 colloquial questions to commerce and bot guides      38 %   10 %
47 near misses to the same                              94 %   64 %
100 of RGB, evidence taken out, near misses left in     2 %    0 %    what this cannot do
======================================================  =====  =====

The colloquial ones are ``evals/datasets/colloquial_dev.jsonl``, written to fit this. Passages that speak of the very
thing asked and do not say it look like an answer to all three signals: such near misses are left to the language
model's own prompt, for which the lenient verdict is meant. One is always caught: a product code that no passage has.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from knowledge.models import Passage
from knowledge.question import characters, content_characters, content_terms
from knowledge.quotable import whole
from knowledge.sentences import split
from knowledge.tokens import fold, terms

_CONSIDERED = 5  # passages, as in the fit
_REMEMBERED = 512  # passages, some 15 MB: under load, questions find the same ones again and again
_EARLY = 8.0  # characters after which a term weighs 1/e of one at the start
_WEIGHTS = {"cosine": 106.0, "coverage": 5.7, "sentence": 3.4}
_FLOORS = {"cosine": 0.0, "coverage": 0.25, "sentence": 0.4}
_THRESHOLD = 98.89
_NEUTRAL_COSINE = 0.886  # where words alone decide: it follows the threshold
_ACROSS_LANGUAGES = 0.04
_LEAST_COSINE = 0.7  # this model gives no less, even to unrelated texts; less comes from another model
LENIENT = 0.1
_HAN = re.compile(r"[㐀-鿿]")
_CODE = re.compile(r"(?<![a-z0-9])(?:[a-z0-9]+(?:[-_][a-z0-9]+)+|[a-z]{2,}\d{3,}[a-z0-9]*)(?![a-z0-9])")


@dataclass(frozen=True, slots=True)
class Answerability:
    """``score`` in (0, 1) orders questions by how sure an answer is; it is no probability of being right.

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
    at_least: float = 0.5,
    known_scale: bool = True,
) -> Answerability:
    """Judge the best five passages. ``idf``: inverse document frequency of a term in what was searched (ln scale).

    ``at_least`` is the score that counts as answerable: .5 where quotes are all there is, :data:`LENIENT` where a
    language model reads the passages and can refuse itself. ``known_scale`` says that cosines come from
    multilingual-e5-small; without it, and below what that model can give, the cosine is left out. Without ``idf``
    every term weighs the same. Blocking, 2–4 ms.
    """
    passages = passages[:_CONSIDERED]
    if not passages or not content_characters(question):
        return Answerability(0.0, answerable=False)
    signals = {
        "cosine": _best_cosine(question, passages) if known_scale else None,
        "coverage": _coverage(question, passages, idf),
        "sentence": _best_sentence(question, passages),
    }
    missing = _missing_codes(question, passages)
    score = min(_score(signals), 0.1) if missing else _score(signals)
    return Answerability(
        score=score,
        answerable=score >= at_least,
        cosine=signals["cosine"],
        coverage=signals["coverage"] or 0.0,
        sentence=signals["sentence"] or 0.0,
        missing_codes=missing,
    )


def _score(signals: Mapping[str, float | None]) -> float:
    logit = -_THRESHOLD
    for name, value in signals.items():
        logit += _WEIGHTS[name] * max(_FLOORS[name], _NEUTRAL_COSINE if value is None else value)
    return 1 / (1 + math.exp(-logit))


def _best_cosine(question: str, passages: Sequence[Passage]) -> float | None:
    """None where nothing was found by meaning, or the scale is another model's."""
    best = max(passages, key=lambda passage: passage.scores.dense or -1.0)
    cosine = best.scores.dense
    if cosine is None or cosine < _LEAST_COSINE:
        return None
    across = not _HAN.search(question) and len(_HAN.findall(best.text)) > len(best.text) / 4
    return cosine + _ACROSS_LANGUAGES if across else cosine


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
    said = (_terms_of(whole(passage)) for passage in passages)
    return max(sum(weight for term, weight in weights.items() if term in has) for has in said) / total


def _best_sentence(question: str, passages: Sequence[Passage]) -> float:
    asked = content_characters(question)
    if not asked:
        return 0.0
    said = (has for passage in passages for has in _sentences_of(passage.text))
    return max((sum(one in has for one in asked) for has in said), default=0) / len(asked)


def _missing_codes(question: str, passages: Sequence[Passage]) -> tuple[str, ...]:
    """Product codes (HB-KT-2048, SKU_77, HB2048) of the question if the passages have none of them."""
    codes = [code for code in dict.fromkeys(_CODE.findall(fold(question))) if _is_code(code)]
    if not codes:
        return ()
    said = frozenset(term for passage in passages for term in _terms_of(whole(passage)))
    absent = [code for code in codes if code not in said and code.replace("-", "").replace("_", "") not in said]
    return tuple(absent) if len(absent) == len(codes) else ()


@lru_cache(maxsize=_REMEMBERED)
def _terms_of(text: str) -> frozenset[str]:
    return frozenset(terms(text))


@lru_cache(maxsize=_REMEMBERED)
def _sentences_of(text: str) -> tuple[frozenset[str], ...]:
    """The characters and words of each sentence."""
    return tuple(characters(sentence) for sentence in split(text))


def _is_code(found: str) -> bool:
    return len(found) >= 5 and any(map(str.isdigit, found)) and any(map(str.isalpha, found))
