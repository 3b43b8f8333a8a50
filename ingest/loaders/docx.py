"""DOCX, read from its XML in document order: headings, lists with their numbers, tables, text boxes, notes.

Not through a library: the text of tracked insertions, content controls and text boxes, which Chinese templates are
full of, is not in the paragraphs a library lists, and an 800-page manual takes it half a minute.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree  # type: ignore[import-untyped]

from ingest.blocks import Block, Heading, Text
from ingest.clean import clean_line
from ingest.loaders.archive import Archive, related
from ingest.loaders.docx_styles import Numbering, Style, Styles, attribute, child_value, list_reference
from ingest.loaders.embedded import EmbeddedPictures
from ingest.loaders.flow import numbered_headings, titled
from ingest.loaders.grid import Grid, Merge, Row, blocks_of
from ingest.loaders.source import Draft, Source, parsing

_BODY = Style()
_SKIPPED = frozenset(
    ("del", "moveFrom", "instrText", "delText", "rPr", "pPr", "sectPr", "Fallback", "rt", "delInstrText")
)
_PICTURES = frozenset(("blip", "imagedata"))


def load_docx(source: Source) -> Draft:
    """The body; headers and footers only where the body says nothing."""
    with parsing("Word", etree.LxmlError):
        archive = Archive(source.data)
        main = next((path for path in related(archive.relations(""), "officeDocument") if archive.has(path)), None)
        main = main or "word/document.xml"
        root, repaired = archive.tree(main)
        relations = archive.relations(main)
        pictures = EmbeddedPictures(source, archive)
        reader = _Reader(archive, relations, pictures)
        body = root.find("{*}body")
        reader.read(body if body is not None else root)
        for part in ("footnotes", "endnotes"):
            reader.notes(related(relations, part))
        if not reader.has_text:
            for path in related(relations, "header") + related(relations, "footer"):
                reader.read_part(path)
        draft = reader.draft()
        pictures.tell(draft)
        if repaired:
            draft.notes.append("The file is damaged; parts of it may be missing.")
        return draft


@dataclass(slots=True)
class _Line:
    """A paragraph while it is read: its text, and what floats beside it."""

    text: list[str] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)  # their relations
    bold: int = 0  # characters in bold
    size: int = 0  # characters in all


class _Reader:
    """Walks the body. List items gather until the list ends."""

    def __init__(self, archive: Archive, relations: dict[str, tuple[str, str]], pictures: EmbeddedPictures) -> None:
        parts = dict(relations.values())
        self._archive = archive
        self._relations = relations
        self._pictures = pictures
        self._waiting: list[str] = []  # pictures inside a table or a note, which come after it
        self._styles = Styles.read(archive, parts.get("styles"))
        self._numbering = Numbering(archive, parts.get("numbering"))
        self._blocks: list[Block] = []
        self._bold: set[int] = set()  # positions of paragraphs that are bold throughout
        self._items: list[str] = []
        self._title: str | None = None

    @property
    def has_text(self) -> bool:
        return any(not isinstance(block, Heading | Text) or block.text.strip() for block in self._blocks)

    def draft(self) -> Draft:
        self._end_list()
        self._read_pictures(self._waiting)
        blocks, title = titled(numbered_headings(self._blocks, self._bold))
        draft = Draft(blocks=blocks, title=self._title or title)
        draft.title = draft.title or draft.leading_title()
        return draft

    def read_part(self, path: str) -> None:
        if self._archive.has(path):
            self._relations = self._archive.relations(path)
            self.read(self._archive.tree(path)[0])

    def notes(self, paths: list[str]) -> None:
        """Foot- and endnotes, after the text. Separators (ids up to 0) are no notes."""
        self._end_list()
        for path in paths:
            for note in self._archive.tree(path)[0] if self._archive.has(path) else ():
                if attribute(note, "type") is None:
                    text = "\n".join(line for line in self._lines_of(note) if line)
                    self._blocks.append(Text(text))

    def read(self, container: etree._Element) -> None:
        for element in container:
            kind = _local(element)
            if kind == "p":
                self._paragraph(element)
            elif kind == "tbl":
                self._end_list()
                self._blocks.extend(self._table(element))
                self._read_pictures(self._waiting)
            elif kind == "sdt":
                if not _is_contents(element):
                    self.read(element.find("{*}sdtContent") if element.find("{*}sdtContent") is not None else element)
            elif kind in ("ins", "moveTo", "customXml", "smartTag", "txbxContent", "sdtContent"):
                self.read(element)
            elif kind == "altChunk":
                continue

    def _paragraph(self, element: etree._Element) -> None:
        properties = element.find("{*}pPr")
        style = self._styles.by_id.get(child_value(properties, "pStyle") or "", _BODY)
        line = self._line(element)
        text = "".join(line.text).strip()
        level = _outline(properties) or style.level
        direct = list_reference(properties)
        list_of = (direct[0], direct[1]) if direct else style.list_of
        if style.kind == "contents":
            return
        if text and level:
            self._heading(text, level, style, list_of)
        elif text and list_of and (mark := self._numbering.mark(list_of)):
            self._items.append(f"{'  ' * min(list_of[1], 6)}{mark}{text}")
        else:
            self._end_list()
            if text:
                if line.size and line.bold >= 0.9 * line.size:
                    self._bold.add(len(self._blocks))
                self._blocks.append(Text(text))
        for box in line.boxes:
            self._end_list()
            self.read(box)
        self._read_pictures(line.pictures)

    def _read_pictures(self, relations: list[str]) -> None:
        """Add the texts of these pictures, and empty the list."""
        for relation in relations:
            if blocks := self._pictures.blocks(self._relations.get(relation, ("", ""))[1]):
                self._end_list()
                self._blocks += blocks
        relations.clear()

    def _heading(self, text: str, level: int, style: Style, list_of: tuple[str, int] | None) -> None:
        self._end_list()
        mark = self._numbering.mark(list_of) if list_of else ""
        if style.kind == "title" and self._title is None:
            self._title = clean_line(text)
        self._blocks.append(Heading(min(level, 6), f"{mark if mark != '- ' else ''}{text}"))

    def _end_list(self) -> None:
        if self._items:
            self._blocks.append(Text("\n".join(self._items)))
            self._items = []

    def _line(self, paragraph: etree._Element) -> _Line:
        line = _Line()
        self._inline(paragraph, line)
        return line

    def _inline(self, element: etree._Element, line: _Line) -> None:
        """Text of runs in order, through links, fields, insertions, controls and formulas."""
        for child in element:
            kind = _local(child)
            if kind == "t":
                line.text.append(child.text or "")
            elif kind in ("tab", "ptab"):
                line.text.append("\t")
            elif kind in ("br", "cr"):
                line.text.append("\n")
            elif kind == "noBreakHyphen":
                line.text.append("-")
            elif kind == "txbxContent":
                line.boxes.append(child)
            elif kind == "r":
                self._run(child, line)
            elif kind in _PICTURES:
                line.pictures.append(attribute(child, "embed") or attribute(child, "id") or "")
            elif kind and kind not in _SKIPPED:
                self._inline(child, line)

    def _run(self, run: etree._Element, line: _Line) -> None:
        properties = run.find("{*}rPr")
        if _is_on(properties, "vanish"):
            return
        before = len(line.text)
        self._inline(run, line)
        size = sum(len(part.strip()) for part in line.text[before:])
        line.size += size
        line.bold += size if _is_on(properties, "b") else 0

    def _lines_of(self, container: etree._Element) -> Iterator[str]:
        """Every paragraph's text below an element; tables inside as lines."""
        for element in container:
            kind = _local(element)
            if kind == "p":
                line = self._line(element)
                properties = element.find("{*}pPr")
                list_of = list_reference(properties)
                text = "".join(line.text).strip()
                yield (self._numbering.mark(list_of) if list_of and text else "") + text
                self._waiting += line.pictures
                for box in line.boxes:
                    yield from self._lines_of(box)
            elif kind == "tr":
                cells = (" ".join(filter(None, self._lines_of(cell))) for cell in element.iterchildren("{*}tc"))
                yield " | ".join(filter(None, cells))
            elif kind in ("tbl", "sdt", "sdtContent", "ins", "tc", "customXml"):
                yield from self._lines_of(element)

    def _table(self, table: etree._Element) -> list[Block]:
        rows = list(_rows(table))
        widths = [sum(1 for _ in _cells(row)) for row in rows]
        if max(widths, default=0) < 2:  # a frame around text
            for row in rows:
                for cell in _cells(row):
                    self.read(cell)
            self._end_list()
            return []
        return blocks_of(self._grid(rows))

    def _grid(self, rows: list[etree._Element]) -> Grid:
        read: list[Row] = []
        merges: list[Merge] = []
        open_merges: dict[int, Merge] = {}
        header = 0
        for number, row in enumerate(rows, start=1):
            properties = row.find("{*}trPr")
            header += header == number - 1 and _is_on(properties, "tblHeader")
            cells = [""] * _int(child_value(properties, "gridBefore"))
            for cell in _cells(row):
                self._cell(cell, number, cells, open_merges, merges)
            read.append(Row(number, cells))
        merges.extend(open_merges.values())
        return Grid(read, merges, header_rows=header if 0 < header < len(rows) else None)

    def _cell(
        self, cell: etree._Element, number: int, cells: list[str], open_merges: dict[int, Merge], merges: list[Merge]
    ) -> None:
        """Add one cell: its text, empty cells for its width, and the merge it begins or goes on with."""
        properties = cell.find("{*}tcPr")
        left, wide = len(cells), min(max(_int(child_value(properties, "gridSpan")), 1), 200)
        vertical = properties.find("{*}vMerge") if properties is not None else None
        going_on = vertical is not None and attribute(vertical, "val") in (None, "continue")
        if going_on and left in open_merges:
            merge = open_merges[left]
            open_merges[left] = Merge(merge.top, number, merge.left, merge.right)
            cells.extend([""] * wide)
            return
        if left in open_merges:
            merges.append(open_merges.pop(left))
        if vertical is not None:
            open_merges[left] = Merge(number, number, left, left + wide - 1)
        elif wide > 1:
            merges.append(Merge(number, number, left, left + wide - 1))
        cells.extend(["\n".join(filter(None, self._lines_of(cell))), *[""] * (wide - 1)])


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for element in table:
        kind = _local(element)
        if kind == "tr":
            yield element
        elif kind in ("sdt", "sdtContent", "ins", "customXml"):
            yield from _rows(element)


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    for element in row:
        kind = _local(element)
        if kind == "tc":
            yield element
        elif kind in ("sdt", "sdtContent", "customXml"):
            yield from _cells(element)


def _outline(properties: etree._Element | None) -> int:
    level = child_value(properties, "outlineLvl")
    return int(level) + 1 if level is not None and level.isdecimal() and int(level) < 9 else 0


def _is_on(properties: etree._Element | None, name: str) -> bool:
    element = properties.find(f"{{*}}{name}") if properties is not None else None
    return element is not None and attribute(element, "val") not in ("0", "false", "off", "none")


def _is_contents(control: etree._Element) -> bool:
    gallery = control.find("{*}sdtPr/{*}docPartObj/{*}docPartGallery")
    return gallery is not None and "contents" in (attribute(gallery, "val") or "").lower()


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _int(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
