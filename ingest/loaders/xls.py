"""XLS (Excel 97–2003 and older), by xlrd."""

import io

import olefile

from ingest.loaders.grid import Merge, Row
from ingest.loaders.numbers import shown
from ingest.loaders.source import Draft, Source, encrypted, parsing
from ingest.loaders.workbook import MAX_COLUMNS, CellBudget, Sheet, draft_of


def load_xls(source: Source) -> Draft:
    """Every visible sheet, in order. Raises DocumentRefused ``encrypted`` for a workbook with a password."""
    import xlrd

    with parsing("Excel", xlrd.XLRDError, xlrd.compdoc.CompDocError, StopIteration):
        try:
            book = xlrd.open_workbook(
                file_contents=_workbook(source.data), formatting_info=True, on_demand=True, logfile=io.StringIO()
            )
        except xlrd.XLRDError as exc:
            if "encrypted" in str(exc).lower():
                raise encrypted("Excel") from exc
            raise
        budget = CellBudget(source.progress)
        return draft_of([_sheet(book, index, budget) for index in range(book.nsheets)])


def _workbook(data: bytes) -> bytes:
    """The workbook's stream. Not by xlrd: a damaged container whose sectors form a ring keeps it reading for ever."""
    if not olefile.isOleFile(data=data):
        return data  # Excel 4 and older have no container
    with olefile.OleFileIO(io.BytesIO(data)) as container:
        name = next(name for name in ("Workbook", "Book") if container.exists(name))
        with container.openstream(name) as stream:
            return bytes(stream.read())


def _sheet(book: "xlrd.Book", index: int, budget: CellBudget) -> Sheet:  # type: ignore[name-defined]  # noqa: F821
    found = book.sheet_by_index(index)
    sheet = Sheet(found.name, hidden=bool(found.visibility))
    if not sheet.hidden:
        for number in range(found.nrows):
            cells = [_text(book, cell) for cell in found.row(number)[:MAX_COLUMNS]]
            if any(cells):
                budget.take(len(cells))
                sheet.rows.append(Row(number + 1, cells))
        sheet.merges = [Merge(top + 1, bottom, left, right - 1) for top, bottom, left, right in found.merged_cells]
    book.unload_sheet(index)
    return sheet


def _text(book: "xlrd.Book", cell: "xlrd.sheet.Cell") -> str:  # type: ignore[name-defined]  # noqa: F821
    import xlrd

    if cell.ctype == xlrd.XL_CELL_TEXT:
        return str(cell.value)
    if cell.ctype in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
        style = book.xf_list[cell.xf_index] if cell.xf_index is not None else None
        code = book.format_map[style.format_key].format_str if style else "General"
        return shown(cell.value, code, date1904=bool(book.datemode))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    return ""
