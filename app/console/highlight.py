"""Which pieces of a text the lexical stage matched: the same terms on both sides, laid back onto the original text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.tokens import terms

# Runs written without spaces are matched in overlapping pairs, everything else in words with their inner punctuation.
_CJK = "々〇㐀-䶿一-鿿豈-\ufaffぁ-ヿ가-\ud7af\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+(?:[-_.,'’][^\W{_CJK}]+)*%?")
_CJK_RUN = re.compile(rf"[{_CJK}]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text; all pieces together are the text."""

    text: str
    matched: bool


def pieces(text: str, question: str) -> list[Piece]:
    """The text, cut where a match begins or ends."""
    wanted = set(terms(question))
    marked = bytearray(len(text))
    for start, end in _matches(text, wanted):
        marked[start:end] = b"\x01" * (end - start)
    return list(_cut(text, marked))


def _matches(text: str, wanted: set[str]) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(text):
        if not _CJK_RUN.fullmatch(run[0]) or len(run[0]) == 1:
            if not wanted.isdisjoint(terms(run[0])):
                yield run.span()
            continue
        for start in range(run.start(), run.end() - 1):
            if not wanted.isdisjoint(terms(text[start : start + 2])):
                yield start, start + 2


def _cut(text: str, marked: bytearray) -> Iterator[Piece]:
    start = 0
    for position in range(1, len(text) + 1):
        if position == len(text) or marked[position] != marked[start]:
            yield Piece(text[start:position], bool(marked[start]))
            start = position
