"""Passages that say the same word for word become one, with all the places where it stands.

Two are copies if they are equal but for white space, marks, spelling (width, case, traditional characters) and
politeness (您, 请), or if one is the other with up to a tenth put in. Numbers, codes, Chinese numerals and negations
have to be the same, in the same order: what differs in those is for the conflict radar. So have the headings, as far as
both have them: 保修 of one product is not 保修 of another.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from knowledge.models import Copy, Passage
from knowledge.tokens import fold

_REMEMBERED = 20_000  # texts, some 5 MB
_SHORTEST = 40  # characters of a text that may have something put in
_PUT_IN = 0.1
_LEFT_OUT = re.compile(r"[\W_您你请的了吗呢吧啊]+")
_SAID = re.compile(
    r"[a-z0-9]*\d[a-z0-9]*(?:[-_./:,][a-z0-9]+)*%?|[零〇一二两三四五六七八九十百千万亿半]|[不没无非未别勿免除否莫]"
    r"|\b(?:not?|never|without|cannot|except|\w+n't)\b"
)


class _Traits(NamedTuple):
    said: int  # hash of its numbers, codes and negations in order
    words: int  # hash of all that counts
    length: int


def folded(passages: Iterable[Passage]) -> list[Passage]:
    """The passages without those that are copies of a better one, which names them. Keeps the order."""
    kept: list[Passage] = []
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for passage in passages:
        group = alike[_traits(passage.text).said]
        at = next((at for at in group if _is_copy(passage, kept[at])), None)
        if at is None:
            group.append(len(kept))
            kept.append(passage)
        else:
            kept[at] = replace(kept[at], also_in=(*kept[at].also_in, _copy(passage)))
    return kept


def _is_copy(one: Passage, other: Passage) -> bool:
    """Of two with the same numbers, codes and negations."""
    first, second = _traits(one.text), _traits(other.text)
    if first.words != second.words and not _put_in(one.text, other.text, first.length, second.length):
        return False
    return _same_path(one.place.heading, other.place.heading)


def _put_in(one: str, other: str, length: int, other_length: int) -> bool:
    short, long = sorted((length, other_length))
    if short < _SHORTEST or long - short > _PUT_IN * long or short == long:
        return False
    shorter, longer = sorted((_words(one), _words(other)), key=len)
    left = iter(longer)
    return all(char in left for char in shorter)


def _same_path(one: str, other: str) -> bool:
    """A copy in another format may know less of the path."""
    paths = [[_words(part) for part in heading.split(" > ")] if heading else [] for heading in (one, other)]
    short, long = sorted(paths, key=len)
    return long[len(long) - len(short) :] == short


@lru_cache(maxsize=_REMEMBERED)
def _traits(text: str) -> _Traits:
    words = _words(text)
    return _Traits(hash(tuple(_SAID.findall(fold(text)))), hash(words), len(words))


def _words(text: str) -> str:
    return _LEFT_OUT.sub("", fold(text))


def _copy(passage: Passage) -> Copy:
    return Copy(passage.chunk_id, passage.document_id, passage.document, passage.kb, passage.place)
