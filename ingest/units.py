"""Blocks → units: the sentences, lines and rows that a chunk is packed from and that are never cut again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from ingest.blocks import Block, Table, Text
from knowledge.models import Place
from knowledge.sentences import split as split_sentences
from knowledge.widths import width

# How willingly a boundary is cut: before a paragraph, a line, a sentence, a piece of a sentence, inside a code block.
PARAGRAPH, LINE, SENTENCE, PIECE, CODE = range(5)


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, line or row. ``glue`` joins it to the one before; ``cost`` is that of a cut between the two."""

    text: str
    glue: str
    cost: int
    place: Place
    repeatable: bool = False  # may be said again as overlap
    led_by: str = ""  # what every chunk with it has: the measure of a table's figures

    @property
    def width(self) -> float:
        return width(self.text)


def units_of(blocks: Iterable[Block], place: Place, size: int) -> Iterator[Unit]:
    for block in blocks:
        if isinstance(block, Text):
            yield from text_units(block, place, size)
        elif isinstance(block, Table):
            yield from _table_units(block, place, size)


def text_units(block: Text, place: Place, size: int) -> Iterator[Unit]:
    place = replace(place, page=block.page or place.page)
    cost, glue = PARAGRAPH, "\n\n"
    if block.text.lstrip().startswith(("```", "~~~")):
        for line in block.text.strip("\n").split("\n"):
            for part in _cut_long(line, size):
                yield Unit(part, glue, cost, place)
                cost, glue = CODE, "\n"
        return
    for line in block.text.splitlines():
        at = 0
        for sentence in split_sentences(line):
            start = line.index(sentence, at)
            if at:
                glue = line[at:start]
            for part in _cut_long(sentence, size):
                yield Unit(part, glue, cost, place, repeatable=True)
                cost, glue = PIECE, ""
            cost, at = SENTENCE, start + len(sentence)
        if at:
            cost, glue = LINE, "\n"


def _table_units(table: Table, place: Place, size: int) -> Iterator[Unit]:
    numbers: Sequence[int | None] = table.row_numbers or (None,) * len(table.rows)
    glue = "\n\n"
    for row, number in zip(table.rows, numbers, strict=True):
        cells = [_cell(name, value) for name, value in zip(table.header, row, strict=True) if value.strip()]
        if not cells:
            continue
        where = replace(place, page=table.page or place.page, sheet=table.sheet, row=number if table.sheet else None)
        for index, text in enumerate(_join_cells(cells, size)):
            yield Unit(text, glue, LINE if index else PARAGRAPH, where, led_by=table.measure)
            glue = "\n"


def _cell(name: str, value: str) -> str:
    name, value = " ".join(name.split()), " ".join(value.split())
    return f"{name}: {value}" if name else value


def _join_cells(cells: list[str], size: int) -> Iterator[str]:
    """A row as ``列名: 值；…``; one wider than a chunk goes on in further lines that begin with its first cell."""
    key = cells[0] if width(cells[0]) < size / 4 else ""
    line = ""
    for cell in cells:
        for part in _cut_long(cell, size):
            longer = f"{line}；{part}" if line else part
            if line and width(longer) > size:
                yield line
                longer = f"{key}；{part}" if key else part
            line = longer
    yield line


def _cut_long(text: str, size: int) -> list[str]:
    if width(text) <= size:
        return [text]
    # Imported here: it takes half a second, in every process that starts, and few texts need it.
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        separators=["，", "、", "：", ", ", " ", ""],
        keep_separator="end",
        chunk_size=size,
        chunk_overlap=0,
        length_function=lambda part: ceil(width(part)),
        strip_whitespace=False,
    )
    return [part for part in splitter.split_text(text) if part.strip()]
