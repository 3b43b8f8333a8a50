"""Lines seen on a picture → rows, and rows side by side → tables or columns of text.

There are no cells and no columns in a picture, only lines with places: rows that leave the same gaps free are what
belongs together. Where each side has sentences, they are columns of text; else it is a table.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.loaders.flow import join_lines
from ingest.ocr.ports import SeenLine

# All in heights of a usual line, which is about 1.4 times its font's size.
_GUTTER = 0.8  # free space that separates two cells
_BREAK = 1.25  # space below a row after which nothing goes on
_OVERLAP = 0.25  # rows that reach this far into each other have cells of several lines
_LARGE = 1.3  # a line of its own that is so high is a heading
_SENTENCE = 24  # half-width characters; usual lines of a column of text have more
_CROSSING = 0.15  # of the rows may cross a gap: titles above two columns do


@dataclass(slots=True)
class SeenRow:
    """What stands side by side, from left to right."""

    lines: list[SeenLine]

    @property
    def top(self) -> float:
        return min(line.top for line in self.lines)

    @property
    def bottom(self) -> float:
        return max(line.bottom for line in self.lines)


@dataclass(frozen=True, slots=True)
class Band:
    """Rows that follow one another; ``gutters`` are the middles of the gaps that they share, none for running text."""

    rows: Sequence[SeenRow]
    gutters: tuple[float, ...] = ()

    @property
    def lines(self) -> list[SeenLine]:
        return [line for row in self.rows for line in row.lines]

    def columns(self) -> list[list[SeenLine]]:
        found: list[list[SeenLine]] = [[] for _ in range(len(self.gutters) + 1)]
        for line in self.lines:
            found[self._column(line)].append(line)
        return found

    def cells(self, usual: float) -> list[list[str]]:
        """The table's texts; lines that belong to one cell are joined."""
        return [self._texts(lines) for lines in _table_rows(self, usual)]

    def starts_row(self, row: SeenRow) -> bool:
        return any(self._column(line) == 0 for line in row.lines)

    def _texts(self, lines: list[SeenLine]) -> list[str]:
        texts: list[list[str]] = [[] for _ in range(len(self.gutters) + 1)]
        for line in sorted(lines, key=lambda line: line.middle):
            texts[self._column(line)].append(line.text)
        return [join_lines(parts) for parts in texts]

    def _column(self, line: SeenLine) -> int:
        middle = (line.left + line.right) / 2
        return sum(middle > gutter for gutter in self.gutters)


def usual_height(lines: Sequence[SeenLine]) -> float:
    """The height that the line of the middle letter has; of lines that stand upright, their width."""
    heights = sorted((min(line.height, line.right - line.left), len(line.text)) for line in lines)
    letters, half = 0, sum(count for _, count in heights) / 2
    for height, count in heights:
        letters += count
        if letters >= half:
            return max(height, 1.0)
    return 1.0


def rows_of(lines: Iterable[SeenLine]) -> list[SeenRow]:
    """Lines whose middles are as high as each other's stand in one row."""
    rows: list[SeenRow] = []
    for line in sorted(lines, key=lambda line: line.middle):
        row = rows[-1] if rows else None
        if row is not None and _is_beside(line, row.lines):
            row.lines.append(line)
        else:
            rows.append(SeenRow([line]))
    for row in rows:
        row.lines.sort(key=lambda line: line.left)
    return rows


def bands_of(rows: Sequence[SeenRow], usual: float) -> Iterator[Band]:
    """All rows in order: those that share gaps together, others one by one."""
    at = 0
    while at < len(rows):
        end, gutters = _reach(rows, at, usual)
        yield Band(rows[at:end], gutters)
        at = end


def is_prose(band: Band) -> bool:
    """Whether each column has lines as long as sentences are."""
    widths = [[half_widths(line.text) for line in column] for column in band.columns()]
    return len(band.rows) >= 3 and all(column and statistics.median(column) >= _SENTENCE for column in widths)


def is_form(band: Band) -> bool:
    """Whether names with a colon stand before their values."""
    names = band.columns()[0]
    return sum(line.text.rstrip().endswith((":", "：")) for line in names) >= max(1.0, len(names) / 2)


def _is_beside(line: SeenLine, others: Sequence[SeenLine]) -> bool:
    last = others[-1]
    close = abs(line.middle - last.middle) < 0.45 * min(line.height, last.height)
    slack = 0.3 * line.height  # boxes are drawn a little larger than the letters
    return close and all(line.right - slack < one.left or one.right - slack < line.left for one in others)


def _reach(rows: Sequence[SeenRow], at: int, usual: float) -> tuple[int, tuple[float, ...]]:
    """How far rows from ``at`` on share gaps: the end, and the gaps. A band ends with a row that has several cells."""
    end = at + 1
    gutters = _gutters(rows[at:end], usual)
    for after in range(at + 1, len(rows)):
        row, above = rows[after], rows[after - 1]
        reaching = row.top - above.bottom < -_OVERLAP * usual
        alone = len(row.lines) == 1
        if row.top - above.bottom > _BREAK * usual or (alone and row.lines[0].height > _LARGE * usual):
            break
        shared = _gutters(rows[at : after + 1], usual)
        if not (gutters and shared) and not (reaching and not gutters):  # a cell may begin above all others
            break
        if shared and not alone:
            end, gutters = after + 1, shared
    return end, gutters


def _gutters(rows: Sequence[SeenRow], usual: float) -> tuple[float, ...]:
    """Middles of what is free between left and right in (nearly) all rows."""
    lines = [line for row in rows for line in row.lines]
    allowed = int(_CROSSING * len(rows))
    edges = sorted([(line.left, 1) for line in lines] + [(line.right, -1) for line in lines])
    found: list[float] = []
    covering, free_from = 0, None
    for x, step in edges:
        covering += step
        if step > 0 and covering > allowed and free_from is not None:
            if x - free_from >= _GUTTER * usual:
                found.append((x + free_from) / 2)
            free_from = None
        elif step < 0 and covering <= allowed and free_from is None:
            free_from = x
    return tuple(found)


def _table_rows(band: Band, usual: float) -> list[list[SeenLine]]:
    """Lines by the table's rows. A row goes on where it reaches into the next, or is closer to it than rows are."""
    spaces = [row.top - above.bottom for above, row in pairwise(band.rows) if band.starts_row(row)]
    apart = [space for space in spaces if space > 0]
    space = statistics.median(apart) if apart else 0.0
    found: list[list[SeenLine]] = []
    bottom = 0.0
    for row in band.rows:
        gap = row.top - bottom
        wrapped = space > 0.3 * usual and gap < 0.75 * space and not band.starts_row(row)
        if found and (gap < -_OVERLAP * usual or wrapped):
            found[-1] += row.lines
        else:
            found.append(list(row.lines))
        bottom = max(bottom, row.bottom)
    return found


def half_widths(text: str) -> int:
    """How many letters wide a text is, Chinese ones counted twice."""
    return sum(2 if char > "\u2e80" else 1 for char in text)
