"""Whether two questions ask the same, so surely that the answer to one may be served for the other.

A question is read as a sequence of words: numbers and dates by their value (5 万 is 50000, 百分之五 is 5%), codes
without separators, question words and common verbs in one spelling (如何 is 怎么), particles left out. What remains
must be the same on both sides, in the same order: so a number, a code, a negation, a name, a direction or a kind of
question that differs is a word that differs. Two neighbouring parts may change places where one is led by a question
word and the cosine is high: 怎么注册账号, 账号怎么注册.

A cosine alone tells none of these apart: on 132 LCQMC pairs that ask different things its median is .95. The rules and
:data:`SIMILAR` were made on ``evals/datasets/cache_dev.jsonl`` and LCQMC's first 250 pairs; ``copilot eval cache``
reports on the rest.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from app.chat.question_values import valued
from knowledge.tokens import fold, terms

LONGEST = 200  # characters; a longer question is no repetition of another
MOVABLE = 24  # words of a question whose parts may change places
SIMILAR = 0.975  # cosine of multilingual-e5-small

Words: TypeAlias = tuple[str, ...]

_ADVERBIAL = frozenset({"⟨HOW⟩", "⟨WHERE⟩", "⟨WHEN⟩", "⟨WHY⟩", "⟨HOWLONG⟩", "⟨DEF⟩", "⟨COST⟩"})
_ASKING = frozenset({"⟨WHAT⟩", "⟨HOWMUCH⟩", "⟨WHATKIND⟩", "⟨CAN⟩", "谁", "哪", "who", "which", "what"})
_NEGATION = frozenset("不没无非别未否") | {"not", "no", "without", "never", "except"}
_WORD = re.compile(r"⟦[^⟧]*⟧|⟨[^⟩]*⟩|[^\W\d_㐀-鿿]+|[㐀-鿿]|\d+")
_MARKS = re.compile(r"[^\w⟦⟧⟨⟩%.:'/ -]+|(?<!\d)\.|\.(?!\d)")


@lru_cache(maxsize=4096)
def read(question: str) -> Words:
    """The words of a question; none where it is too long to be compared. About 0.2 ms."""
    if len(question) > LONGEST:
        return ()
    rules = _rules()
    text = valued(_rewritten(fold(question), rules.first))
    text = _rewritten(_MARKS.sub(" ", text).strip(), rules.then)
    text = rules.fillers.sub(lambda match: "" if match[0] in rules.dropped else match[0], text)
    return tuple(_singular(word) for word in _WORD.findall(text))


def same(one: Words, other: Words, cosine: float | None = None) -> bool:
    """Whether the answer to one is an answer to the other. ``cosine`` None is unknown: nothing may be moved then."""
    if not one or len(one) != len(other):
        return False
    if one == other:
        return True
    return cosine is not None and cosine >= SIMILAR and _exchanged(one, other)


def gates(words: Words) -> tuple[list[str], list[tuple[str, str]]]:
    """The numbers and codes of a question, and what is negated in it: no two that differ here are alike."""
    return sorted(word for word in words if word.startswith("⟦")), _negated(words)


def _exchanged(one: Words, other: Words) -> bool:
    """Whether two neighbouring parts changed places, one of them led by a question word."""
    if len(one) > MOVABLE or sorted(one) != sorted(other) or _negated(one) != _negated(other):
        return False
    start = next(at for at, (mine, theirs) in enumerate(zip(one, other, strict=True)) if mine != theirs)
    end = next(len(one) - at for at, (a, b) in enumerate(zip(one[::-1], other[::-1], strict=True)) if a != b)
    ways = (
        (one[begin:cut], one[cut:until])
        for begin in range(start + 1)
        for until in range(end, len(one) + 1)
        for cut in range(begin + 1, until)
        if one[:begin] + one[cut:until] + one[begin:cut] + one[until:] == other
    )
    return any(_leads(first) or _leads(second) for first, second in ways)


def _leads(part: Words) -> bool:
    """A part that may stand elsewhere: how, where, why by themselves; what and how many with what they ask for."""
    return part[0] in _ADVERBIAL or (part[0] in _ASKING and len(part) > 2)


def _negated(words: Words) -> list[tuple[str, str]]:
    """What each negation negates."""
    return sorted(pair for pair in pairwise((*words, "")) if pair[0] in _NEGATION)


def _singular(word: str) -> str:
    return terms(word)[0] if word.isascii() and word.isalpha() else word


@dataclass(frozen=True, slots=True)
class _Rules:
    """``fillers`` finds words that say nothing and, first, longer ones that hold them; only ``dropped`` go."""

    first: Sequence[tuple[re.Pattern[str], str]]
    then: Sequence[tuple[re.Pattern[str], str]]
    fillers: re.Pattern[str]
    dropped: frozenset[str]


def _rewritten(text: str, rules: Sequence[tuple[re.Pattern[str], str]]) -> str:
    for pattern, instead in rules:
        text = pattern.sub(instead, text)
    return text


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    """``same_question.json``: Chinese and English usage, and words of shops."""
    table = json.loads((Path(__file__).parent / "same_question.json").read_text(encoding="utf-8"))
    first = [(re.compile(pattern), instead) for pattern, instead in table["first"]]
    then = [(re.compile(pattern), instead) for pattern, instead in table["then"]]
    words = sorted([*table["kept"], *table["fillers"]], key=len, reverse=True)
    fillers = re.compile("|".join([r"⟦[^⟧]*⟧", r"⟨[^⟩]*⟩", *map(re.escape, words)]))
    return _Rules(first, then, fillers, frozenset(table["fillers"]) - frozenset(table["kept"]))
