"""Whether two facts contradict each other: the same thing, under the same conditions, with another value.

Precision first. One fact may say more words than the other (其中国内站年费 beside 国内站年费), but not other ones, and
nothing that could be a condition: a number, a bound, a negation, a region, a tier, a time, a code.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from knowledge.facts import SAYS_ENOUGH, Fact, Scope, weight

ALIKE = 0.6  # of the words of both are shared
BANDS, ROWS = 6, 3  # of min-hashes: facts of whose words 70 % are shared meet in one of the bands 9 times in 10
_CONDITIONAL = re.compile(r"[如若除仅只限]|\b(?:if|only|except|unless|when|first|next|additional)\b")


def contradict(one: Fact, other: Fact) -> bool:
    return (
        one.measure == other.measure
        and _differ(one.measure, one.value, other.value)
        and _of_the_same(one, other)
        and _same_scope(one, other)
        and _same_row(one, other)
    )


def handles(fact: Fact) -> list[str]:
    """Two facts that may be of the same thing share one; a row with other figures is found by all its words."""
    whole = _hash("=", fact.measure, *fact.words)
    if fact.directed or fact.beside or weight(fact.words) < SAYS_ENOUGH:
        return [whole]
    return [whole, *(_hash(str(band), fact.measure, *least) for band, least in enumerate(_bands(set(fact.words))))]


def _bands(words: set[str]) -> Iterator[tuple[str, ...]]:
    """Min-hashing: for each of many orders of all words, the first one of these."""
    these = sorted(words)
    first = np.stack([_places(word) for word in these]).argmin(axis=0)
    for band in range(BANDS):
        yield tuple(these[at] for at in first[band * ROWS : (band + 1) * ROWS])


@lru_cache(maxsize=50_000)
def _places(word: str) -> NDArray[np.uint32]:
    """Where a word stands in each order. Most words are characters, so few are new."""
    digest = hashlib.shake_128(word.encode()).digest(4 * BANDS * ROWS)
    return np.frombuffer(digest, dtype="<u4")


def _of_the_same(one: Fact, other: Fact) -> bool:
    if one.words == other.words:
        return True
    few, many = sorted((set(one.words), set(other.words)), key=len)
    if one.directed or other.directed or weight(few) < SAYS_ENOUGH or not few < many:
        return False
    more = many - few
    says_when = any(not word.isalpha() for word in more) or _CONDITIONAL.search(" ".join(more)) is not None
    return not says_when and len(few) / len(many) >= ALIKE


def _same_scope(one: Fact, other: Fact) -> bool:
    """What one itself is restricted to, the other has to be, too; headings only must not say something else."""
    return (
        _within(one.scope, other)
        and _within(other.scope, one)
        and all(
            kind not in other.above or not set(words).isdisjoint(other.above[kind]) for kind, words in one.above.items()
        )
    )


def _within(scope: Scope, other: Fact) -> bool:
    return all(
        not set(words).isdisjoint(other.scope.get(kind, []) + other.above.get(kind, []))
        for kind, words in scope.items()
    )


def _same_row(one: Fact, other: Fact) -> bool:
    """Rows of the same words that differ in their figures are other rows: prices by quantity."""
    few, many = sorted((set(one.beside), set(other.beside)), key=len)
    return not few or 2 * len(few & many) >= len(few)


def _differ(measure: str, one: str, other: str) -> bool:
    """Dates without a year are any year's; a value within a range does not contradict it."""
    if measure == "date":
        shared = min(len(one), len(other))
        return one[-shared:] != other[-shared:]
    (low, high), (low_2, high_2) = _range(one), _range(other)
    return high < low_2 or high_2 < low or (one != other and (low == high) == (low_2 == high_2))


def _range(value: str) -> tuple[float, float]:
    bounds = [float(bound) for bound in value.split("-")]
    return bounds[0], bounds[-1]


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()
