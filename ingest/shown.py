"""What a page of the console shows of a file: its pages as pictures, with where their lines stand, or its blocks."""

from dataclasses import dataclass

from ingest import sniff

CUT = "cut"  # the note of a document of which not all is shown
PAGED = (sniff.PDF, *sniff.PICTURES)  # what is shown as pages


@dataclass(frozen=True, slots=True)
class ShownLine:
    """Points from the upper left corner of the page as it is shown."""

    text: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ShownPage:
    """``lines`` only where the page has a text layer."""

    width: float
    height: float
    lines: tuple[ShownLine, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownPages:
    """Pages from ``first`` on, of ``total``."""

    total: int
    first: int
    pages: tuple[ShownPage, ...]
