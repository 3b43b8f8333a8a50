"""What a loader makes of a file: a flat list of blocks in reading order.

Loaders know formats and nothing about chunk sizes; the chunker knows sizes and nothing about formats.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from knowledge.validity import Window


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of ``level`` 1–6. It opens a section that lasts until one of the same or a lower level."""

    level: int
    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """Running text: one paragraph, list or code block. Lines inside it are kept."""

    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first rows were recognised as its header.

    ``header`` has one name a column (two-line headers are joined with a space, merged cells filled in);
    every row has as many cells. ``row_numbers`` are the source's own, counted from 1, one a row. ``measure`` is what
    its figures are in (单位：元/件), where a line of its own says so.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sheet: str | None = None
    page: int | None = None
    row_numbers: tuple[int, ...] = ()
    measure: str = ""


@dataclass(frozen=True, slots=True)
class Faq:
    """A question with its answer; always kept in one chunk where it fits."""

    question: str
    answer: str
    sheet: str | None = None
    row: int | None = None


Block: TypeAlias = Heading | Text | Table | Faq


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """A parsed file. ``media_type`` is what the bytes are, whatever the name said.

    ``notes`` are remarks an operator should read although the document is usable
    (for example: "3 of 20 pages have no text layer"). ``window`` is when it says of itself that it is valid.
    """

    media_type: str
    blocks: tuple[Block, ...]
    title: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    window: Window | None = None
