"""What was seen on a page → lines and tables as a PDF has them, so that both become blocks in the same way."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.blocks import Block, Heading, Text
from ingest.loaders.grid import blocks_of, grid_of
from ingest.loaders.pdf_layout import Layout
from ingest.loaders.pdf_lines import Line
from ingest.loaders.pdf_tables import FoundTable
from ingest.loaders.seen_rows import Band, SeenRow, bands_of, half_widths, is_form, is_prose, rows_of, usual_height
from ingest.ocr.ports import SeenLine, SeenPage

USUAL_SIZE = 10.0  # points that the usual line of a picture is said to have
_FONT = 0.72  # of a line's height: boxes are drawn around the letters with some room
_STEP = 0.4  # sizes are told apart in steps of this share of the usual one; boxes are not more exact
_FEW = 4  # half-width letters; pictures with fewer are drawings in which somebody saw some


@dataclass(frozen=True, slots=True)
class SeenTable(FoundTable):
    """A table that knows which lines it was made from."""

    lines: tuple[Line, ...] = ()

    def holds(self, line: Line) -> bool:
        return any(line is one for one in self.lines)


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A page in points from its lower left corner: lines in reading order, and tables with their areas."""

    height: float
    lines: list[Line]
    tables: list[FoundTable]


def lay_out(page: SeenPage, *, number: int | None = None, size: float = USUAL_SIZE) -> LaidOut:
    """Place what was seen; the usual line gets the font's ``size``, so that pages of text and scans compare."""
    usual = usual_height(page.lines)
    placing = _Placing(page.height, size / (_FONT * usual), size, number)
    found = LaidOut(page.height * placing.scale, [], [])
    for band in bands_of(rows_of(page.lines), usual):
        columns = band.columns() if band.gutters and is_prose(band) else [band.lines]
        lines = [placing.line(row.lines) for column in columns for row in rows_of(column)]
        found.lines.extend(lines)
        if band.gutters and len(band.rows) > 1 and len(columns) == 1:
            found.tables.append(placing.table(band, usual, lines))
    return found


def blocks_seen(pages: Iterable[tuple[int, SeenPage]], *, numbered: bool) -> list[Block]:
    """The blocks of pictures that follow one another, each with its number, which they keep if ``numbered``."""
    placed = [lay_out(page, number=number if numbered else None) for number, page in pages]
    layout = Layout([line for page in placed for line in page.lines])
    for page in placed:
        layout.add_page(page.lines, page.tables)
    return layout.blocks()


def passage_seen(page: SeenPage) -> list[Block]:
    """The same for a picture within a document, whose headings head nothing there. Empty if it is hardly text."""
    letters = "".join(line.text for line in page.lines)
    if half_widths("".join(filter(str.isalnum, letters))) < _FEW:
        return []
    return [
        Text(block.text) if isinstance(block, Heading) else block for block in blocks_seen([(1, page)], numbered=False)
    ]


@dataclass(frozen=True, slots=True)
class _Placing:
    """From pixels to points."""

    height: float
    scale: float
    size: float
    number: int | None

    def line(self, lines: Sequence[SeenLine]) -> Line:
        """What stands in one row as one line."""
        row = SeenRow(list(lines))
        return Line(
            " ".join(line.text for line in lines),
            left=lines[0].left * self.scale,
            right=max(line.right for line in lines) * self.scale,
            bottom=self._up(row.bottom),
            top=self._up(row.top),
            size=min(map(self._font, lines)),
            page=self.number,
        )

    def table(self, band: Band, usual: float, lines: Sequence[Line]) -> FoundTable:
        cells = band.cells(usual)
        form = [Text("\n".join(" ".join(filter(None, row)) for row in cells), page=self.number)]
        blocks = form if is_form(band) else blocks_of(grid_of(cells, page=self.number))
        left, right = min(line.left for line in lines), max(line.right for line in lines)
        return SeenTable(blocks, left, lines[-1].bottom, right, lines[0].top, lines=tuple(lines))

    def _up(self, y: float) -> float:
        return (self.height - y) * self.scale

    def _font(self, line: SeenLine) -> float:
        """The line's font in whole steps: 1.3 times the usual size is the first that is larger.

        Boxes of capitals are too low for their font and too wide, hence the mean of what height and width tell.
        """
        high = _FONT * min(line.height, line.right - line.left)
        wide = 2 * (max(line.height, line.right - line.left) - 0.55 * high) / max(half_widths(line.text), 1)
        ratio = math.sqrt(high * min(max(wide, 0.6 * high), 1.6 * high)) * self.scale / self.size
        return self.size * (1 + _STEP * max(0, round((ratio - 1.1) / _STEP)))
