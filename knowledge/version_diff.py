"""What differs between two versions of a document, by line: rows of tables by their first cell, text by sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

from knowledge import sentences
from knowledge.models import Chunk, Place

Kind: TypeAlias = Literal["added", "removed", "changed"]

ALIKE = 0.5  # the least share of characters that two lines have in common to be one that was changed
MOST_COMPARED = 40_000  # pairs of lines in one place; beyond, only rows of the same first cell are paired


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence or a row, and where it stands."""

    text: str
    place: Place

    @property
    def key(self) -> str | None:
        """What a row is about: its first cell."""
        return self.text.split("；", 1)[0] if sentences.is_row(self.text) else None


@dataclass(frozen=True, slots=True)
class Change:
    """``before`` is None for what was added, ``after`` for what was removed."""

    kind: Kind
    before: Line | None = None
    after: Line | None = None


def diff(old: Sequence[Chunk], new: Sequence[Chunk]) -> list[Change]:
    """The changes in reading order. Where chunks were cut does not matter, only what they say."""
    changes: list[Change] = []
    chunks = SequenceMatcher(None, [chunk.id for chunk in old], [chunk.id for chunk in new], autojunk=False)
    for same, first, last, start, end in chunks.get_opcodes():
        if same != "equal":
            changes += _by_lines(_lines(old[first:last]), _lines(new[start:end]))
    return changes


def _lines(chunks: Sequence[Chunk]) -> list[Line]:
    """Without what a chunk repeats of the one before it."""
    lines: list[Line] = []
    for chunk in chunks:
        said = [Line(text, chunk.place) for text in sentences.split(chunk.text)]
        repeated = next((n for n in range(min(len(said), len(lines)), 0, -1) if _same(lines[-n:], said[:n])), 0)
        lines += said[repeated:]
    return lines


def _same(some: Sequence[Line], others: Sequence[Line]) -> bool:
    return [line.text for line in some] == [line.text for line in others]


def _by_lines(old: Sequence[Line], new: Sequence[Line]) -> Iterator[Change]:
    texts = SequenceMatcher(None, [line.text for line in old], [line.text for line in new], autojunk=False)
    for same, first, last, start, end in texts.get_opcodes():
        if same != "equal":
            yield from _paired(old[first:last], new[start:end])


def _paired(old: Sequence[Line], new: Sequence[Line]) -> Iterator[Change]:
    """What was changed beside what it became; what has no counterpart was added, or removed."""
    left = list(old)
    for after in new:
        before = _counterpart(after, left, compare=len(old) * len(new) <= MOST_COMPARED)
        if before is None:
            yield Change("added", after=after)
        else:
            at = left.index(before)
            yield from (Change("removed", before=gone) for gone in left[:at])
            left = left[at + 1 :]
            yield Change("changed", before, after)
    yield from (Change("removed", before=gone) for gone in left)


def _counterpart(after: Line, among: Sequence[Line], *, compare: bool) -> Line | None:
    if after.key is not None:
        return next((line for line in among if line.key == after.key), None)
    if not compare:
        return None
    shares = [(SequenceMatcher(None, line.text, after.text).ratio(), line) for line in among if line.key is None]
    best = max(shares, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= ALIKE else None
