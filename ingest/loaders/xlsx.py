"""XLSX and XLSM, read as a stream of rows straight from the sheet's XML.

A library would build every styled cell and refuses workbooks whose style sheet it dislikes, which exports of shop
systems often have. Of the styles only number formats matter here; formulas give the value last computed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import IO

from lxml import etree  # type: ignore[import-untyped]

from ingest.blocks import Block
from ingest.loaders.archive import Archive, related
from ingest.loaders.embedded import EmbeddedPictures
from ingest.loaders.grid import Merge, Row
from ingest.loaders.numbers import BUILT_IN, shown
from ingest.loaders.source import Draft, Progress, Source, corrupt, parsing
from ingest.loaders.workbook import MAX_COLUMNS, CellBudget, Sheet, draft_of

_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_EMPTY_CELL = re.compile(rb'<c r="[A-Z]{1,3}\d{1,7}"[^<>]*/>')
_EMPTY_ROW = re.compile(rb'<row (?=[^<>]*\br=")[^<>]*(?:/>|></row>)')
_MOST_MERGES = 100_000


def load_xlsx(source: Source) -> Draft:
    """Every visible sheet, in order."""
    with parsing("Excel", etree.LxmlError):
        archive = Archive(source.data)
        pictures = EmbeddedPictures(source, archive)
        book = _Book(archive, pictures, source.progress)
        draft = draft_of([book.sheet(*entry) for entry in book.entries()])
        pictures.tell(draft)
        return draft


@dataclass(frozen=True, slots=True)
class _Styles:
    """Number format by cell style."""

    codes: tuple[str, ...] = ()
    date1904: bool = False

    def show(self, value: float, style: str | None) -> str:
        at = int(style) if style and style.isdecimal() else 0
        code = self.codes[at] if at < len(self.codes) else "General"
        return shown(value, code, date1904=self.date1904)


class _Book:
    """The parts of a workbook that all sheets share."""

    def __init__(self, archive: Archive, pictures: EmbeddedPictures, progress: Progress) -> None:
        self._archive = archive
        self._pictures = pictures
        offices = related(archive.relations(""), "officeDocument")
        self._path = next((path for path in offices if archive.has(path)), "xl/workbook.xml")
        self._relations = archive.relations(self._path)
        self._workbook = archive.tree(self._path)[0]
        self._styles = _styles(archive, self._part("styles"), self._workbook)
        self._strings = list(_shared_strings(archive, self._part("sharedStrings")))
        self._budget = CellBudget(progress)

    def entries(self) -> Iterator[tuple[str, str, bool]]:
        """(name, path of the part, hidden) of every worksheet; charts and dialogs have no cells."""
        found = 0
        for element in self._workbook.iterfind("{*}sheets/{*}sheet"):
            relation = next((value for key, value in element.attrib.items() if etree.QName(key).localname == "id"), "")
            kind, path = self._relations.get(relation, ("", ""))
            if kind == "worksheet" and self._archive.has(path):
                found += 1
                yield element.get("name", ""), path, element.get("state", "visible") != "visible"
        if not found:
            raise corrupt("Excel")

    def sheet(self, name: str, path: str, hidden: bool) -> Sheet:
        sheet = Sheet(name, hidden=hidden)
        if hidden:
            return sheet
        with self._archive.open(path) as stream:
            number = 0
            wanted = ("{*}row", "{*}mergeCell")
            filled = _WithoutEmpty(stream)
            for _, element in etree.iterparse(
                filled, tag=wanted, recover=True, resolve_entities=False, no_network=True
            ):
                if _local(element) == "mergeCell":
                    sheet.merges.extend(_merge(element.get("ref", "")) if len(sheet.merges) < _MOST_MERGES else ())
                else:
                    number = int(element.get("r") or number + 1)
                    if cells := self._cells(element):
                        sheet.rows.append(Row(number, cells))
                _forget(element)
        sheet.pictures.extend(self._picture_blocks(path))
        return sheet

    def _picture_blocks(self, sheet: str) -> Iterator[Block]:
        for drawing in related(self._archive.relations(sheet), "drawing"):
            for picture in related(self._archive.relations(drawing), "image"):
                yield from self._pictures.blocks(picture)

    def _part(self, kind: str) -> str | None:
        return next((path for path in related(self._relations, kind) if self._archive.has(path)), None)

    def _cells(self, row: etree._Element) -> list[str]:
        """The row's texts by column; empty if it has none. Formatted cells without a value cost nothing."""
        values: dict[int, str] = {}
        column = -1
        for cell in row:
            place = cell.get("r")
            column = _column_of(place) if place else column + 1
            if len(cell) and column < MAX_COLUMNS and (text := self._text(cell)):
                values[column] = text
        if not values:
            return []
        self._budget.take(len(values))
        return [values.get(at, "") for at in range(max(values) + 1)]

    def _text(self, cell: etree._Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return _rich_text(cell)
        value = None
        for child in cell:
            if child.tag[-2:] == "}v":
                value = child.text
        if not value or kind == "e":  # an error (#N/A, #REF!) says nothing
            return ""
        if kind == "s":
            at = int(value)
            return self._strings[at] if at < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if value.strip() == "1" else "FALSE"
        if kind == "d":
            return _iso(value)
        return self._number(value, cell.get("s")) if kind == "n" else _unescape(value)

    def _number(self, value: str, style: str | None) -> str:
        try:
            return self._styles.show(float(value), style)
        except (ValueError, OverflowError):
            return value.strip()


class _WithoutEmpty:
    """A sheet's XML without cells and rows that only have a format: of those there can be a thousand million."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._rest = b""

    def read(self, size: int) -> bytes:
        while True:
            chunk = self._stream.read(max(size, 1 << 16))
            data = self._rest + chunk
            if not chunk:
                self._rest = b""
                return data
            # not past the last row's beginning: it may not be whole yet
            end = data.rfind(b"<row")
            if end < 0:
                end = data.rfind(b"<")
            self._rest = data[end:] if end > 0 else b""
            kept = _EMPTY_ROW.sub(b"", _EMPTY_CELL.sub(b"", data[:end] if end > 0 else data))
            if kept:
                return kept


def _styles(archive: Archive, path: str | None, workbook: etree._Element) -> _Styles:
    properties = workbook.find("{*}workbookPr")
    date1904 = properties is not None and properties.get("date1904") in ("1", "true")
    if path is None:
        return _Styles(date1904=date1904)
    root = archive.tree(path)[0]
    codes = dict(BUILT_IN)
    for element in root.iterfind("{*}numFmts/{*}numFmt"):
        codes[int(element.get("numFmtId", "0"))] = element.get("formatCode", "General")
    formats = (int(element.get("numFmtId", "0")) for element in root.iterfind("{*}cellXfs/{*}xf"))
    return _Styles(tuple(codes.get(number, "General") for number in formats), date1904)


def _shared_strings(archive: Archive, path: str | None) -> Iterator[str]:
    if path is None:
        return
    with archive.open(path) as stream:
        for _, element in etree.iterparse(stream, tag="{*}si", recover=True, resolve_entities=False, no_network=True):
            yield _rich_text(element)
            _forget(element)


def _rich_text(element: etree._Element) -> str:
    """All runs of a text, without the readings that East Asian texts carry (rPh)."""
    if len(element) == 1 and _local(element[0]) == "t":
        return _unescape(element[0].text or "")
    runs = (run.text or "" for run in element.iter("{*}t") if _local(run.getparent()) != "rPh")
    return _unescape("".join(runs))


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text) if "_x" in text else text


def _iso(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return value.strip()
    return moment.strftime("%Y-%m-%d %H:%M" if moment.hour or moment.minute else "%Y-%m-%d")


def _merge(reference: str) -> Iterator[Merge]:
    first, _, last = reference.replace("$", "").partition(":")
    start, end = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last or first)
    if start and end:
        yield Merge(int(start[2]), int(end[2]), _column(start[1]), _column(end[1]))


@lru_cache(maxsize=65_536)
def _column_of(place: str) -> int:
    """The column of a reference such as ``AB12``, from 0."""
    return _column(place.rstrip("0123456789"))


def _column(letters: str) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _forget(element: etree._Element) -> None:
    """Free a parsed element and those before it: memory stays flat over a million rows."""
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]
