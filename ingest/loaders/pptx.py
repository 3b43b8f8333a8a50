"""PPTX: a slide is a page; its title a heading; then texts, tables, diagrams and speaker's notes."""

from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from ingest.blocks import Block, Heading, Text
from ingest.loaders.archive import Archive, related
from ingest.loaders.docx_styles import attribute
from ingest.loaders.embedded import EmbeddedPictures
from ingest.loaders.grid import Grid, Merge, Row, blocks_of
from ingest.loaders.source import Draft, Source, parsing

_TITLES = frozenset(("title", "ctrTitle"))
_NO_CONTENT = frozenset(("dt", "ftr", "sldNum", "hdr", "sldImg"))
_LONGEST_TITLE = 60  # characters of a first line that may stand for a missing title


def load_pptx(source: Source) -> Draft:
    """Slides in the order they are shown; hidden ones are left out and noted."""
    with parsing("PowerPoint", etree.LxmlError):
        archive = Archive(source.data)
        main = next((path for path in related(archive.relations(""), "officeDocument") if archive.has(path)), None)
        main = main or "ppt/presentation.xml"
        relations = archive.relations(main)
        draft = Draft()
        pictures = EmbeddedPictures(source, archive)
        for page, path in enumerate(_slides(archive.tree(main)[0], relations), start=1):
            if archive.has(path):
                _Slide(archive, path, page, draft, pictures).read()
            else:
                draft.notes.append(f"Slide {page} is missing in the file.")
        pictures.tell(draft)
        titles = (block.text for block in draft.blocks if isinstance(block, Heading))
        draft.title = next(titles, None)
        return draft


def _slides(presentation: etree._Element, relations: dict[str, tuple[str, str]]) -> Iterator[str]:
    for entry in presentation.iterfind("{*}sldIdLst/{*}sldId"):
        target = next((relations[value][1] for value in entry.attrib.values() if value in relations), None)
        if target:
            yield target


class _Slide:
    """One slide. A shape that cannot be read is skipped with a note; the others count."""

    def __init__(self, archive: Archive, path: str, page: int, draft: Draft, pictures: EmbeddedPictures) -> None:
        self._archive = archive
        self._path = path
        self._relations = archive.relations(path)
        self._page = page
        self._draft = draft
        self._pictures = pictures
        self._title: str | None = None
        self._body: list[Block] = []

    def read(self) -> None:
        root, repaired = self._archive.tree(self._path)
        if attribute(root, "show") in ("0", "false"):
            self._draft.notes.append(f"Slide {self._page} is hidden and was left out.")
            return
        if repaired:
            self._draft.notes.append(f"Slide {self._page} is damaged; parts of it may be missing.")
        tree = root.find("{*}cSld/{*}spTree")
        self._shapes(tree if tree is not None else root)
        self._speaker_notes()
        if self._body or self._title:
            self._draft.blocks += [Heading(1, self._heading(), page=self._page), *self._body]

    def _heading(self) -> str:
        """The title, or the first short line, or the number: without one the slide before would go on."""
        if self._title:
            return self._title
        first = self._body[0]
        line = first.text.partition("\n")[0].strip() if isinstance(first, Text | Heading) else ""
        if 0 < len(line) <= _LONGEST_TITLE and isinstance(first, Text):
            rest = first.text.partition("\n")[2]
            self._body[:1] = [Text(rest, page=self._page)] if rest.strip() else []
            return line
        return f"Slide {self._page}"

    def _shapes(self, tree: etree._Element) -> None:
        for shape in tree:
            kind = _local(shape)
            try:
                self._shape(shape, kind)
            except (ValueError, LookupError, TypeError, AttributeError):
                self._draft.notes.append(f"A malformed shape on slide {self._page} was skipped.")

    def _shape(self, shape: etree._Element, kind: str) -> None:
        if kind in ("sp", "cxnSp"):
            self._text_shape(shape)
        elif kind == "grpSp":
            self._shapes(shape)
        elif kind == "graphicFrame":
            self._graphic(shape)
        elif kind == "pic":
            relation = attribute(shape.find("{*}blipFill/{*}blip"), "embed") or ""
            self._body += self._pictures.blocks(self._relations.get(relation, ("", ""))[1], page=self._page)
        elif kind == "AlternateContent":
            choice = shape.find("{*}Choice")
            fallback = shape.find("{*}Fallback")
            self._shapes(choice if choice is not None and len(choice) else fallback if fallback is not None else [])

    def _text_shape(self, shape: etree._Element) -> None:
        placeholder = shape.find("{*}nvSpPr/{*}nvPr/{*}ph")
        role = attribute(placeholder, "type") or ""
        if role in _NO_CONTENT:
            return
        text = "\n".join(_paragraphs(shape.find("{*}txBody"), listed=role not in _TITLES))
        if not text.strip():
            return
        if role in _TITLES and self._title is None:
            self._title = " ".join(text.split())
        else:
            self._body.append(Text(text, page=self._page))

    def _graphic(self, frame: etree._Element) -> None:
        data = frame.find("{*}graphic/{*}graphicData")
        if data is None:
            return
        table = data.find("{*}tbl")
        if table is not None:
            self._body.extend(blocks_of(_grid(table, self._page)))
        elif (diagram := data.find("{*}relIds")) is not None:
            self._part(attribute(diagram, "dm"), "pt")
        elif (chart := data.find("{*}chart")) is not None:
            self._part(attribute(chart, "id"), "title")

    def _part(self, relation: str | None, inside: str) -> None:
        """The texts of a diagram's points or of a chart's titles, one a line."""
        _, path = self._relations.get(relation or "", ("", ""))
        if not self._archive.has(path):
            return
        lines = [
            "".join(t.text or "" for t in el.iter("{*}t")) for el in self._archive.tree(path)[0].iter(f"{{*}}{inside}")
        ]
        if text := "\n".join(line for line in lines if line.strip()):
            self._body.append(Text(text, page=self._page))

    def _speaker_notes(self) -> None:
        for path in related(self._relations, "notesSlide"):
            if not self._archive.has(path):
                continue
            for shape in self._archive.tree(path)[0].iter("{*}sp"):
                role = attribute(shape.find("{*}nvSpPr/{*}nvPr/{*}ph"), "type") or ""
                text = "\n".join(_paragraphs(shape.find("{*}txBody"), listed=False))
                if role == "body" and text.strip():
                    self._body.append(Text(text, page=self._page))


def _paragraphs(body: etree._Element | None, *, listed: bool) -> Iterator[str]:
    """Lines of a text frame; deeper levels are indented, so that an outline stays one."""
    for paragraph in body.iterchildren("{*}p") if body is not None else ():
        text = "".join(_run_text(element) for element in paragraph).strip()
        level = attribute(paragraph.find("{*}pPr"), "lvl") or "0"
        if text:
            indent = "  " * min(int(level), 6) if listed and level.isdecimal() else ""
            yield indent + text


def _run_text(element: etree._Element) -> str:
    kind = _local(element)
    if kind == "br":
        return "\n"
    if kind in ("r", "fld"):
        return "".join(text.text or "" for text in element.iterchildren("{*}t"))
    return "".join(text.text or "" for text in element.iter("{*}t")) if kind == "m" else ""


def _grid(table: etree._Element, page: int) -> Grid:
    rows: list[Row] = []
    merges: list[Merge] = []
    for number, row in enumerate(table.iterchildren("{*}tr"), start=1):
        cells: list[str] = []
        for cell in row.iterchildren("{*}tc"):
            wide, high = _span(cell, "gridSpan"), _span(cell, "rowSpan")
            if wide > 1 or high > 1:
                merges.append(Merge(number, number + high - 1, len(cells), len(cells) + wide - 1))
            covered = attribute(cell, "hMerge") or attribute(cell, "vMerge")
            cells.append(
                "" if covered in ("1", "true") else "\n".join(_paragraphs(cell.find("{*}txBody"), listed=False))
            )
        rows.append(Row(number, cells))
    first = attribute(table.find("{*}tblPr"), "firstRow") in ("1", "true")
    header = 1 if first and not any(merge.top == 1 for merge in merges) and len(rows) > 1 else None
    return Grid(rows, merges, page=page, header_rows=header)


def _span(cell: etree._Element, name: str) -> int:
    value = attribute(cell, name) or "1"
    return min(int(value), 1000) if value.isdecimal() else 1


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
