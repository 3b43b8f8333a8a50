"""Ruled tables of PDF pages, by pdfplumber, which is careful and slow: only pages with rules, within a time limit."""

import io
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.blocks import Block
from ingest.clean import clean
from ingest.loaders.grid import blocks_of, grid_of
from ingest.loaders.pdf_lines import Line

TIME_LIMIT = 8.0  # seconds a document; what is left then stays running text
_PAGE_LIMIT = 3.0  # a page that took longer than this is the last
_MOST_LINES = 400  # of a page; denser ones take pdfplumber minutes
_LEAST_FILLED = 0.3  # share of cells with text; frames around drawings have less
_LEAST_KEPT = 0.7  # of the letters that stand in the table's area; else the table was not understood


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table and its area in points from the lower left corner, with the index of the line it replaces first."""

    blocks: Sequence[Block]
    left: float
    bottom: float
    right: float
    top: float

    def holds(self, line: Line) -> bool:
        x, y = line.middle
        return self.left - 2 <= x <= self.right + 2 and self.bottom - 2 <= y <= self.top + 2


def find_tables(data: bytes, pages: dict[int, list[Line]]) -> dict[int, list[FoundTable]]:
    """Tables of those pages (counted from 1). Pages that fail or come too late have none."""
    if not pages:
        return {}
    import pdfplumber
    from pdfminer.pdfexceptions import PDFException
    from pdfminer.psexceptions import PSException
    from pdfplumber.utils.exceptions import MalformedPDFException, PdfminerException

    logging.getLogger("pdfminer").setLevel(logging.ERROR)  # it warns of every oddity of every font
    found: dict[int, list[FoundTable]] = {}
    started = time.monotonic()
    for number, lines in pages.items():
        begun = time.monotonic()
        if begun - started > TIME_LIMIT:
            break
        if len(lines) > _MOST_LINES:
            continue
        try:
            with pdfplumber.open(io.BytesIO(data), pages=[number]) as document:
                found[number] = _tables(document.pages[0], lines) if document.pages else []
        except (PDFException, PSException, PdfminerException, MalformedPDFException, *_VENDOR):
            continue
        if time.monotonic() - begun > _PAGE_LIMIT:
            break
    return found


# what pdfminer lets out on damaged pages; the page's text is kept all the same
_VENDOR = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, AssertionError, OSError)


def _tables(page: "pdfplumber.page.Page", lines: list[Line]) -> list[FoundTable]:  # type: ignore[name-defined]  # noqa: F821
    if page.rotation or page.mediabox[:2] not in ((0, 0), [0, 0]):
        return []
    found = []
    for table in page.find_tables():
        rows = [[clean(cell or "") for cell in row] for row in table.extract()]
        left, top, right, bottom = table.bbox
        area = FoundTable((), left, page.height - bottom, right, page.height - top)
        if _is_table(rows) and _letters("".join(map("".join, rows))) >= _LEAST_KEPT * _inside(area, lines):
            blocks = blocks_of(grid_of(rows, page=page.page_number))
            found.append(FoundTable(blocks, area.left, area.bottom, area.right, area.top))
    return found


def _is_table(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows for cell in row]
    filled = [cell for cell in cells if cell]
    if len(rows) < 2 or max(map(len, rows)) < 2 or not filled:
        return False
    return len(filled) >= _LEAST_FILLED * len(cells) and sum(map(len, filled)) < 300 * len(filled)


def _inside(area: FoundTable, lines: list[Line]) -> int:
    return sum(_letters(line.text) for line in lines if area.holds(line))


def _letters(text: str) -> int:
    return sum(1 for char in text if not char.isspace())
