"""Rows of cells → tables with their header, titles, remarks and question lists. Shared by all that has tables."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ingest.blocks import Block, Heading, Table, Text
from ingest.clean import clean, clean_line
from ingest.loaders.faq import faq_columns
from ingest.measures import measure_of

_NUMBER = re.compile(r"[-+(（]?\s*[¥￥$€£]?\s*[-+]?\d[\d,，]*(\.\d+)?\s*(%|％|元|[eE][-+]?\d+)?[)）]?")
_DATE = re.compile(r"\d{1,4}[-/.年]\d{1,2}([-/.月]\d{1,4}日?)?([ T]\d{1,2}:\d{2}(:\d{2})?)?|\d{1,2}:\d{2}(:\d{2})?")
_YEAR = re.compile(r"(19|20)\d{2}(年|财年|A|E)?")
_REMARK = re.compile(r"(注|备注|说明|提示|备註|註|※|\*|notes?\b|source\b)\s*[\d一二三]*\s*[:：.、*※]?", re.IGNORECASE)
_LONGEST_NAME = 60  # characters of a column's name or a table's title, on average and alone
_DEEPEST_HEADER = 3
_TITLE_ROWS = 8  # rows above a header that may be titles and remarks
_LONGEST_FORM = 15  # rows of a two-column form


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet; ``number`` is the source's own, counted from 1."""

    number: int
    cells: list[str]

    @property
    def filled(self) -> list[int]:
        return [at for at, cell in enumerate(self.cells) if cell]


@dataclass(frozen=True, slots=True)
class Merge:
    """Cells shown as one: row numbers counted from 1, columns from 0, both ends included."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A sheet or a table. Rows without any text may be missing."""

    rows: Sequence[Row]
    merges: Sequence[Merge] = ()
    sheet: str | None = None
    page: int | None = None
    header_rows: int | None = None  # where the format itself says so
    title_level: int | None = None  # of the heading that a title above a table becomes; None leaves it text


def grid_of(rows: Iterable[Sequence[str]], *, page: int | None = None, header_rows: int | None = None) -> Grid:
    """Rows that simply follow one another, numbered from 1."""
    numbered = [Row(number, list(cells)) for number, cells in enumerate(rows, start=1)]
    return Grid(numbered, page=page, header_rows=header_rows)


def blocks_of(grid: Grid) -> list[Block]:
    """Split at empty rows and columns, find each part's header, and make of it what it is."""
    rows = _filled_in(grid)
    blocks: list[Block] = []
    previous: _Part | None = None
    for part in _parts(rows):
        current = _read(part, grid)
        if previous is not None and current.continues(previous):
            previous.rows.extend(current.rows)
            continue
        if previous is not None:
            blocks.extend(previous.blocks(grid))
        previous = current
    return blocks + (previous.blocks(grid) if previous is not None else [])


def is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


@dataclass(slots=True)
class _Part:
    """One table: what stands above it, its header, its rows, what stands below it."""

    titles: list[str]
    header: tuple[str, ...]
    rows: list[Row]
    remarks: list[str] = field(default_factory=list)
    columns: tuple[int, ...] = ()

    def continues(self, previous: "_Part") -> bool:
        """Rows after an empty one that have no header of their own belong to the table above."""
        if self.titles or previous.remarks or not previous.header or not self.rows:
            return False
        return not self.header and len(self.columns) > 1 and set(self.columns) <= set(previous.columns)

    def blocks(self, grid: Grid) -> list[Block]:
        found: list[Block] = [self._title(title, grid) for title in self.titles]
        found.extend(self._body(grid))
        found.extend(Text(remark, page=grid.page) for remark in self.remarks)
        return found

    def _title(self, title: str, grid: Grid) -> Block:
        is_sentence = len(title) > _LONGEST_NAME or "\n" in title or title.endswith(("。", ".", "；", ";"))
        if grid.title_level is None or is_sentence or measure_of(title):
            return Text(title, page=grid.page)
        return Heading(grid.title_level, title, page=grid.page)

    def _body(self, grid: Grid) -> list[Block]:
        if not self.rows:
            return [Text(" | ".join(name for name in self.header if name), page=grid.page)] if self.header else []
        if not self.header and (len(self.columns) == 1 or len(self.rows) == 1):
            lines = [" | ".join(clean(cell) for cell in row.cells if cell) for row in self.rows]
            return [Text("\n".join(lines), page=grid.page)]
        if not self.header and _is_form(self.rows, self.columns):
            return [Text("\n".join(_pair(row) for row in self.rows), page=grid.page)]
        return _table(self.header, self.columns, self.rows, grid)


def _table(header: tuple[str, ...], columns: tuple[int, ...], rows: list[Row], grid: Grid) -> list[Block]:
    header = header or ("",) * len(columns)
    if faq := faq_columns(header):
        rows_of_faq = ((row.number, [clean(row.cells[at]) for at in columns]) for row in rows)
        pairs = (faq.block(cells, sheet=grid.sheet, row=number) for number, cells in rows_of_faq)
        return [pair for pair in pairs if pair is not None]
    kept = [at for at in range(len(columns)) if not _is_index(header[at], [row.cells[columns[at]] for row in rows])]
    names = tuple(header[at] for at in kept)
    cells = tuple(tuple(clean_line(row.cells[columns[at]]) for at in kept) for row in rows)
    return [Table(names, cells, sheet=grid.sheet, page=grid.page, row_numbers=tuple(row.number for row in rows))]


def _is_index(name: str, cells: Sequence[str]) -> bool:
    """A nameless column that only counts the rows, as data-frame exports have."""
    return not name and len(cells) > 2 and all(cell.isdecimal() for cell in cells) and _counts_up(cells)


def _counts_up(cells: Sequence[str]) -> bool:
    first = int(cells[0][:9])
    return first in (0, 1) and all(cell == str(first + at) for at, cell in enumerate(cells))


def _filled_in(grid: Grid) -> list[Row]:
    """Rows of equal width, without empty ones; merged cells filled downwards (a category for all its rows)."""
    width = max((len(row.cells) for row in grid.rows), default=0)
    rows = [
        Row(row.number, [cell.strip() for cell in row.cells] + [""] * (width - len(row.cells))) for row in grid.rows
    ]
    at_number = {row.number: row for row in rows}
    for merge in grid.merges:
        first = at_number.get(merge.top)
        if first is None or merge.left >= width or not first.cells[merge.left]:
            continue
        for number in range(merge.top + 1, min(merge.bottom, rows[-1].number) + 1):
            if number in at_number and not at_number[number].cells[merge.left]:
                at_number[number].cells[merge.left] = first.cells[merge.left]
    return [row for row in rows if any(row.cells)]


def _parts(rows: list[Row]) -> Iterable[list[Row]]:
    """Runs of rows without a gap, each cut again where an empty column separates two tables."""
    start = 0
    for at in range(1, len(rows) + 1):
        if at == len(rows) or rows[at].number > rows[at - 1].number + 1:
            yield from _side_by_side(rows[start:at])
            start = at


def _side_by_side(rows: list[Row]) -> list[list[Row]]:
    used = sorted({at for row in rows for at in row.filled})
    groups: list[list[int]] = []
    for at in used:
        if groups and groups[-1][-1] == at - 1:
            groups[-1].append(at)
        else:
            groups.append([at])
    if len(groups) < 2 or any(len(group) < 2 or _rows_in(rows, group) < 2 for group in groups):
        return [rows]
    wide = len(rows[0].cells)
    return [
        [Row(row.number, [cell if at in group else "" for at, cell in enumerate(row.cells[:wide])]) for row in rows]
        for group in map(set, groups)
    ]


def _rows_in(rows: list[Row], columns: list[int]) -> int:
    return sum(1 for row in rows if any(row.cells[at] for at in columns))


def _read(rows: list[Row], grid: Grid) -> _Part:
    rows = [row for row in rows if row.filled]
    columns = tuple(sorted({at for row in rows for at in row.filled}))
    if len(columns) < 2:
        return _Part([], (), rows, columns=columns)
    titles, rows = _split_titles(rows, grid, columns)
    rows, remarks = _split_remarks(rows, columns)
    depth = grid.header_rows if grid.header_rows is not None else _header_depth(rows, grid, columns)
    if depth == 0 or len(rows) <= depth:
        return _Part(titles, (), rows, remarks, columns)
    return _Part(titles, _names(rows[:depth], grid, columns), rows[depth:], remarks, columns)


def _split_titles(rows: list[Row], grid: Grid, columns: tuple[int, ...]) -> tuple[list[str], list[Row]]:
    """Rows above the header: one cell for the whole width, or a few cells of a remark.

    A row of several cells counts only if a header is found beneath that spans most of the width.
    """
    if grid.header_rows is not None:
        return [], rows
    wide = max(2, (len(columns) + 1) // 2)
    header = next((at for at, row in enumerate(rows[:_TITLE_ROWS]) if len(_spread(row, grid)) >= wide), 0)
    if header and not _could_be_header(rows[header], rows[header + 1] if header + 1 < len(rows) else None):
        header = next((at for at, row in enumerate(rows[:header]) if len(_spread(row, grid)) > 1), header)
    titles = ["  ".join(clean(rows[at].cells[column]) for column in rows[at].filled) for at in range(header)]
    return titles, rows[header:]


def _spread(row: Row, grid: Grid) -> set[int]:
    """The columns a row says something of: a cell merged over several names them all if others stand beside it."""
    filled = set(row.filled)
    if len(filled) > 1:
        for merge in grid.merges:
            if merge.top <= row.number <= merge.bottom and merge.left in filled:
                filled.update(range(merge.left, min(merge.right + 1, len(row.cells))))
    return filled


def _split_remarks(rows: list[Row], columns: tuple[int, ...]) -> tuple[list[Row], list[str]]:
    """Remarks below a table: last rows with one cell that begins like one."""
    end = len(rows)
    while end > 2 and len(columns) > 2 and len(rows[end - 1].filled) == 1:
        cell = rows[end - 1].cells[rows[end - 1].filled[0]]
        if not _REMARK.match(cell) and len(cell) < _LONGEST_NAME:
            break
        end -= 1
    return rows[:end], [clean(row.cells[row.filled[0]]) for row in rows[end:]]


def _header_depth(rows: list[Row], grid: Grid, columns: tuple[int, ...]) -> int:
    if len(rows) < 2 or not _could_be_header(rows[0], rows[1]) or _is_form(rows, columns):
        return 0
    depth = 1
    while depth < min(_DEEPEST_HEADER, len(rows) - 1) and _goes_on(rows[depth - 1], rows[depth], grid):
        depth += 1
    return depth


def _could_be_header(row: Row, below: Row | None) -> bool:
    """Names, not figures: short texts, several of them, not the same one again and again.

    Years and dates may be names of columns, if a text leads them and no dates stand below them.
    """
    cells = [row.cells[at] for at in row.filled]
    if len(cells) < 2 or sum(map(len, cells)) > _LONGEST_NAME * len(cells) or len(set(cells)) * 2 <= len(cells):
        return False
    figures = [at for at in row.filled if is_number(row.cells[at])]
    if not figures:
        return True
    dated = all(_YEAR.fullmatch(row.cells[at]) or _DATE.fullmatch(row.cells[at]) for at in figures)
    if not dated or len(figures) < 2:
        return False
    return below is not None and not any(_DATE.fullmatch(below.cells[at]) for at in figures)


def _goes_on(above: Row, below: Row, grid: Grid) -> bool:
    """Whether ``below`` is another line of the header that ``above`` is a line of."""
    filled = below.filled
    if any(is_number(below.cells[at]) and not _YEAR.fullmatch(below.cells[at]) for at in filled):
        return False
    for merge in grid.merges:
        if merge.top <= above.number <= merge.bottom:
            covered = range(merge.left, min(merge.right + 1, len(below.cells)))
            if merge.bottom == above.number and len(covered) > 1 and any(below.cells[at] for at in covered):
                return True
    # without merges: each line has gaps exactly where the other has names
    fills_gap = any(not above.cells[at] for at in filled)
    leaves_gap = any(above.cells[at] and not below.cells[at] for at in range(len(above.cells)))
    return fills_gap and leaves_gap and not grid.merges


def _names(rows: list[Row], grid: Grid, columns: tuple[int, ...]) -> tuple[str, ...]:
    lines = [list(row.cells) for row in rows]
    for row, line in zip(rows, lines, strict=True):
        for merge in grid.merges:
            if merge.top <= row.number <= merge.bottom and line[merge.left : merge.left + 1]:
                line[merge.left : merge.right + 1] = [line[merge.left]] * (min(merge.right + 1, len(line)) - merge.left)
    if not grid.merges:
        for above, below in pairwise(lines):
            for at in range(1, len(above)):
                above[at] = above[at] or (above[at - 1] if below[at] else "")
    return tuple(" ".join(dict.fromkeys(clean_line(line[at]) for line in lines if line[at])) for at in columns)


def _is_form(rows: list[Row], columns: tuple[int, ...]) -> bool:
    """Two columns of label and value, one pair a line, rather than a table of two columns."""
    if len(columns) != 2 or len(rows) > _LONGEST_FORM:
        return False
    labels, values = ([row.cells[at] for row in rows] for at in columns)
    if sum(label.endswith(("：", ":")) for label in labels) * 2 > len(labels):
        return True
    if any(map(is_number, labels)) or len(set(labels)) < len(labels) or len(rows) < 3:
        return False
    numbers = sum(map(is_number, values[1:]))
    return 0 < numbers <= len(values) // 2 and not is_number(values[0])


def _pair(row: Row) -> str:
    label, *values = [clean(row.cells[at]) for at in row.filled]
    return f"{label.rstrip('：: ')}：{' '.join(values)}" if values else label
