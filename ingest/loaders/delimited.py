"""CSV and TSV in any dialect: delimiter found, quotes and escapes respected, rows numbered as a sheet shows them."""

import csv
import io
from collections import Counter
from collections.abc import Iterator

from ingest.encoding import decode
from ingest.loaders.grid import Grid, Row, blocks_of
from ingest.loaders.plain import plain_blocks
from ingest.loaders.source import Draft, Source, parsing
from ingest.loaders.workbook import MAX_COLUMNS, CellBudget

_DELIMITERS = ",;\t|"
_SAMPLE = 200  # records that decide about the delimiter
_LONGEST_FIELD = 16 << 20  # characters; the csv module's own limit of 131,072 cuts real descriptions off


def load_delimited(source: Source) -> Draft:
    """Columns as a table or as questions and answers; what turns out to have one column only, as text."""
    with parsing("CSV"):
        text = decode(source.data).text.lstrip("\ufeff")
        declared = text[4:5] if text[:4].lower() == "sep=" else ""
        text = text.partition("\n")[2] if declared else text
        rows = _rows(text, declared or _delimiter(text), CellBudget(source.progress))
        if all(len(row.cells) < 2 for row in rows):
            return Draft(blocks=plain_blocks(text))
        return Draft(blocks=blocks_of(Grid(rows, title_level=1)))


def _rows(text: str, delimiter: str, budget: CellBudget) -> list[Row]:
    rows = []
    for number, cells in enumerate(_reader(text, delimiter), start=1):
        if any(cell.strip() for cell in cells):
            budget.take(len(cells))
            rows.append(Row(number, [cell.strip() for cell in cells[:MAX_COLUMNS]]))
    return rows


def _reader(text: str, delimiter: str) -> Iterator[list[str]]:
    if csv.field_size_limit() < _LONGEST_FIELD:
        csv.field_size_limit(_LONGEST_FIELD)
    # a backslash before the delimiter escapes it; anywhere else (C:\\temp) it is a character like others
    escape = "\\" if f"\\{delimiter}" in text and '"' not in text else None
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, escapechar=escape, skipinitialspace=True)


def _delimiter(text: str) -> str:
    """The delimiter that cuts most of the first records into the same number of columns, the more the better."""
    return max(_DELIMITERS, key=lambda delimiter: _agreement(text, delimiter))


def _agreement(text: str, delimiter: str) -> tuple[float, int]:
    widths: Counter[int] = Counter()
    try:
        for count, cells in enumerate(_reader(text[: 1 << 20], delimiter)):
            if any(cells):
                widths[len(cells)] += 1
            if count >= _SAMPLE:
                break
    except csv.Error:
        return 0.0, 0
    width, times = widths.most_common(1)[0] if widths else (0, 0)
    return (times / widths.total(), width) if width > 1 else (0.0, 0)
