"""ODT and ODS (LibreOffice, WPS): headings by outline level, lists, tables; sheets as sheets."""

from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from ingest.blocks import Block, Heading, Text
from ingest.loaders.archive import Archive
from ingest.loaders.docx_styles import attribute
from ingest.loaders.flow import numbered_headings, titled
from ingest.loaders.grid import Grid, Merge, Row, blocks_of
from ingest.loaders.source import Draft, Source, encrypted, parsing
from ingest.loaders.workbook import MAX_COLUMNS, CellBudget, Sheet, draft_of
from ingest.sniff import ODS

_SKIPPED = frozenset(
    ("annotation", "tracked-changes", "table-of-content", "alphabetical-index", "forms", "note-citation")
)


def load_opendocument(source: Source) -> Draft:
    """Raises DocumentRefused ``encrypted`` for a file saved with a password."""
    with parsing("OpenDocument", etree.LxmlError):
        archive = Archive(source.data)
        manifest = archive.read("META-INF/manifest.xml") if archive.has("META-INF/manifest.xml") else b""
        if b"encryption-data" in manifest:
            raise encrypted("OpenDocument")
        root, repaired = archive.tree("content.xml")
        body = root.find("{*}body")
        content = (body if body is not None else root)[0]
        if source.media_type == ODS:
            hidden = {attribute(style, "name") for style in root.iter("{*}style") if _hides(style)}
            draft = draft_of(list(_sheets(content, hidden)))
        else:
            reader = _Reader()
            reader.read(content)
            blocks, title = titled([block for block in numbered_headings(reader.blocks) if _says_something(block)])
            draft = Draft(blocks=blocks, title=reader.title or title)
            draft.title = draft.title or draft.leading_title()
        draft.pictures = sum(1 for name in archive.names if name.startswith("Pictures/") and not name.endswith("/"))
        if repaired:
            draft.notes.append("The file is damaged; parts of it may be missing.")
        return draft


def _says_something(block: Block) -> bool:
    return not isinstance(block, Text) or bool(block.text.strip())


class _Reader:
    """Goes through a text document in order."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.title: str | None = None

    def read(self, container: etree._Element) -> None:
        for element in container:
            kind = _local(element)
            if kind == "h":
                level = attribute(element, "outline-level") or "1"
                self.blocks.append(Heading(int(level) if level.isdecimal() else 1, _text(element)))
            elif kind == "p":
                self._paragraph(element)
            elif kind == "list":
                self.blocks.append(Text("\n".join(_items(element, ""))))
            elif kind == "table":
                self.blocks.extend(blocks_of(_grid(element)))
            elif kind not in _SKIPPED and kind:
                self.read(element)

    def _paragraph(self, element: etree._Element) -> None:
        text = _text(element)
        if (attribute(element, "style-name") or "") == "Title" and self.title is None and text.strip():
            self.title = text
            self.blocks.append(Heading(1, text))
        else:
            self.blocks.append(Text(text))
        for box in element.iter("{*}text-box"):
            self.read(box)


def _items(element: etree._Element, indent: str) -> Iterator[str]:
    for item in element.iterchildren("{*}list-item", "{*}list-header"):
        for part in item:
            if _local(part) == "list":
                yield from _items(part, indent + "  ")
            elif text := _text(part).strip():
                yield f"{indent}- {text}"


def _text(element: etree._Element) -> str:
    """Text of a paragraph with its blanks, tabs and breaks; boxes and remarks apart. Footnotes follow in brackets."""
    parts = [element.text or ""]
    for child in element:
        kind = _local(child)
        if kind == "s":
            parts.append(" " * min(int(attribute(child, "c") or 1), 100))
        elif kind == "tab":
            parts.append("\t")
        elif kind == "line-break":
            parts.append("\n")
        elif kind == "note":
            body = child.find("{*}note-body")
            parts.append(f"（{' '.join(map(_text, body))}）" if body is not None else "")
        elif kind and kind not in _SKIPPED and kind not in ("frame", "text-box"):
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _grid(table: etree._Element) -> Grid:
    rows, merges = _rows(table, CellBudget())
    headers = sum(1 for _ in table.iterfind("{*}table-header-rows/{*}table-row"))
    return Grid(rows, merges, header_rows=headers if 0 < headers < len(rows) else None)


def _hides(style: etree._Element) -> bool:
    return attribute(style.find("{*}table-properties"), "display") == "false"


def _sheets(content: etree._Element, hidden: set[str | None]) -> Iterator[Sheet]:
    budget = CellBudget()
    for table in content.iterchildren("{*}table"):
        rows, merges = _rows(table, budget)
        is_hidden = attribute(table, "style-name") in hidden
        yield Sheet(attribute(table, "name") or "", rows, merges, hidden=is_hidden)


def _rows(table: etree._Element, budget: CellBudget) -> tuple[list[Row], list[Merge]]:
    """Rows with their repetitions; a million empty repeated rows at the end of a sheet cost nothing."""
    rows: list[Row] = []
    merges: list[Merge] = []
    number = 1
    for element in table.iter("{*}table-row"):
        if _owner(element) is not table:
            continue
        times = int(attribute(element, "number-rows-repeated") or 1)
        cells = _cells(element, number, merges)
        if any(cells):
            for again in range(min(times, 10_000)):
                budget.take(len(cells))
                rows.append(Row(number + again, list(cells)))
        number += times
    return rows, merges


def _owner(row: etree._Element) -> etree._Element:
    parent = row.getparent()
    while _local(parent) != "table":
        parent = parent.getparent()
    return parent


def _cells(row: etree._Element, number: int, merges: list[Merge]) -> list[str]:
    cells: list[str] = []
    for cell in row.iterchildren("{*}table-cell", "{*}covered-table-cell"):
        wide, high = _count(cell, "number-columns-spanned"), _count(cell, "number-rows-spanned")
        if wide > 1 or high > 1:
            merges.append(Merge(number, number + high - 1, len(cells), len(cells) + wide - 1))
        text = "\n".join(filter(None, (_text(part).strip() for part in cell.iter("{*}p"))))
        cells.extend([text] * min(_count(cell, "number-columns-repeated"), MAX_COLUMNS - len(cells)))
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _count(element: etree._Element, name: str) -> int:
    value = attribute(element, name) or "1"
    return max(int(value), 1) if value.isdecimal() else 1


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
