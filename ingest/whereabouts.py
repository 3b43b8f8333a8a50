"""Where in its original a chunk stands: the sentences, rows and lines of a document, and the chunks that have them.

A chunk does not know what it was cut from, so both are read in order beside each other: what stands in the document is
looked for in the chunk where the last one was, and in the few after it. Blanks do not count.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ingest.blocks import Block, Faq, Heading, Table, Text
from ingest.shown import ShownLine
from knowledge.sentences import split

Kind: TypeAlias = Literal["heading", "text", "header", "row", "question", "answer"]

_BLANKS = re.compile(r"\s+")
_AHEAD = 40  # chunks looked at for a place that is in none of the last
_LONG = 8  # characters; what has fewer may be said anywhere
_MARK = 40  # characters of a sentence or a cell that are looked for: a longer one may have been cut
_CELLS = 6  # of a row


@dataclass(frozen=True, slots=True)
class Spot:
    """A sentence, row or heading. ``block`` is that of the document, counted from 0; ``cells`` those of a row."""

    kind: Kind
    block: int
    cells: tuple[str, ...]
    level: int = 0
    sheet: str | None = None
    row: int | None = None

    @property
    def marks(self) -> list[str]:
        found = [_squashed(cell)[:_MARK] for cell in self.cells]
        return [mark for mark in found if mark][:_CELLS]


@dataclass(frozen=True, slots=True)
class Read:
    """A chunk as it was read, and the numbers of the chunks that are there now; ``said`` is what each of those says."""

    text: str
    ordinals: tuple[int, ...]
    page: int | None = None
    heading: str = ""
    said: tuple[str, ...] = ()

    def now(self, marks: Sequence[str]) -> tuple[int, ...]:
        """Of a chunk that was split the parts that have it; else all."""
        pairs = zip(self.ordinals, self.said, strict=False)
        return tuple(number for number, text in pairs if _has(_squashed(text), marks)) or self.ordinals


def spots(blocks: Sequence[Block]) -> list[Spot]:
    """In reading order. The texts of a block's spots together are the block's text."""
    return [spot for number, block in enumerate(blocks) for spot in _spots(block, number)]


def of_spots(found: Sequence[Spot], chunks: Sequence[Read]) -> list[tuple[int, ...]]:
    """For each spot, the numbers of the chunks it is in; of a heading those of what it heads."""
    texts = [_squashed(chunk.text) for chunk in chunks]
    placed: list[tuple[int, ...]] = []
    at, after = 0, 0  # the chunk of the last spot, and where in it that ended: the same row may come twice
    for spot in found:
        inside, end = _inside(spot, texts, at, after)
        if inside and (inside[0] <= at + 1 or max(map(len, spot.marks)) >= _LONG):
            at, after = inside[0], end
        placed.append(tuple(ordinal for index in inside for ordinal in chunks[index].now(spot.marks)))
    return _headed(found, placed)


def of_lines(lines: Sequence[ShownLine], page: int, chunks: Sequence[Read]) -> list[tuple[int, ...]]:
    """For each line of a page, the numbers of the chunks it is in.

    Columns may be read in another order than lines are drawn, so all chunks of the page are looked at. A row's cells
    stand in one line of a chunk, each after the name of its column; a heading in none, but above one.
    """
    here = [chunk for chunk, after in zip(chunks, [*chunks[1:], None], strict=True) if _on(page, chunk, after)]
    texts = [(_squashed(chunk.text), [_squashed(line) for line in chunk.text.split("\n")]) for chunk in here]
    placed: list[tuple[int, ...]] = []
    for line in lines:
        inside = [chunk for chunk, (text, rows) in zip(here, texts, strict=True) if _said(line.text, text, rows)]
        inside = inside or [chunk for chunk in here if line.text in chunk.heading.split(" > ")][:1]
        placed.append(tuple(ordinal for chunk in inside for ordinal in chunk.now([_squashed(line.text)])))
    return placed


def _spots(block: Block, number: int) -> Iterator[Spot]:
    match block:
        case Heading():
            yield Spot("heading", number, (block.text,), level=block.level)
        case Text():
            for piece in _sentences(block.text):
                yield Spot("text", number, (piece,))
        case Faq():
            yield Spot("question", number, (block.question,), sheet=block.sheet, row=block.row)
            for piece in _sentences(block.answer):
                yield Spot("answer", number, (piece,), sheet=block.sheet, row=block.row)
        case Table():
            if any(block.header):
                yield Spot("header", number, block.header, sheet=block.sheet)
            numbers: Sequence[int | None] = block.row_numbers or (None,) * len(block.rows)
            for row, line in zip(block.rows, numbers, strict=True):
                yield Spot("row", number, row, sheet=block.sheet, row=line)


def _sentences(text: str) -> Iterator[str]:
    """With what stands between them, so that nothing of the text is missing."""
    for line in text.splitlines(keepends=True):
        at = 0
        for sentence in split(line):
            start = line.index(sentence, at)
            if start > at:
                yield line[at:start]
            yield sentence
            at = start + len(sentence)
        if at < len(line):
            yield line[at:]


def _inside(spot: Spot, texts: Sequence[str], at: int, after: int) -> tuple[list[int], int]:
    """The chunks that have it, and where in the first of them it ends."""
    marks = spot.marks
    if not marks or spot.kind in ("heading", "header"):
        return [], 0
    for index in range(at, min(len(texts), at + _AHEAD)):
        begins = texts[index].find(marks[0], after if index == at else 0)
        if begins >= 0 and _has(texts[index], marks):
            return _also_in_next(spot, texts, index), begins + len(marks[0])
    if at < len(texts) and _has(texts[at], marks):
        return [at], after
    return [], 0


def _also_in_next(spot: Spot, texts: Sequence[str], index: int) -> list[int]:
    """Where chunks overlap, it is said again."""
    again = spot.kind in ("text", "answer") and index + 1 < len(texts)
    return [index, index + 1] if again and _has(texts[index + 1], spot.marks) else [index]


def _has(text: str, marks: Sequence[str]) -> bool:
    return all(mark in text for mark in marks)


def _headed(found: Sequence[Spot], placed: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    following: tuple[int, ...] = ()
    headed: list[tuple[int, ...]] = []
    for spot, inside in zip(reversed(found), reversed(placed), strict=True):
        if spot.kind in ("heading", "header"):
            headed.append(following[:1])
            continue
        following = inside or following
        headed.append(inside)
    return headed[::-1]


def _on(page: int, chunk: Read, after: Read | None) -> bool:
    """It begins on this page or before, and what comes next begins on this page or later."""
    ends = after.page if after is not None else None
    return chunk.page is not None and chunk.page <= page and (ends is None or ends >= page)


def _said(line: str, text: str, rows: Sequence[str]) -> bool:
    whole = _squashed(line.rstrip("-\u00ad"))
    if len(whole) > 1 and whole in text:
        return True
    words = line.split()
    return len(words) > 1 and any(all(word in row for word in words) for row in rows if "；" in row)


def _squashed(text: str) -> str:
    return _BLANKS.sub("", text)
