"""HTML → blocks: what a reader of the page would read, without its furniture."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ingest.blocks import Block, Heading, Text
from ingest.clean import clean, clean_line
from ingest.encoding import decode
from ingest.loaders.grid import Grid, Merge, Row, blocks_of
from ingest.loaders.source import Draft, Source, parsing, too_large

_DROPPED = frozenset(
    (
        *("script", "style", "template", "noscript", "head", "svg", "canvas", "iframe", "object", "video", "audio"),
        *("button", "select", "input", "textarea", "dialog", "nav", "footer", "-comment", "!doctype"),
    )
)
_FURNITURE = frozenset(("nav", "footer"))  # text all the same, if a page has no other
_DROPPED_ROLES = frozenset(("navigation", "contentinfo", "search", "menu", "menubar", "dialog", "alertdialog"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt"),
        *("fieldset", "figcaption", "figure", "form", "header", "hr", "html", "li", "main", "menu", "p", "section"),
        *("summary", "table", "tbody", "tfoot", "thead", "tr", "ul", "ol"),
    )
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_STRUCTURE = "table, h1, h2, h3, h4, h5, h6, pre"
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_DEEPEST = 150  # elements inside each other; what is deeper is taken as plain text
_MOST_CELLS = 3_000_000


def load_html(source: Source) -> Draft:
    """A saved page, or a sheet that a shop system exported as HTML under an Excel name."""
    with parsing("HTML"):
        declared = _CHARSET.search(source.data[:4096])
        return draft_of_html(decode(source.data, declared=declared[1].decode("ascii") if declared else None).text)


def draft_of_html(text: str) -> Draft:
    """Blocks of an HTML text, also of the body of a message. The main part is taken where the page names one."""
    tree = LexborHTMLParser(text)
    root = tree.body or tree.root
    if root is None:
        return Draft()
    page = _Page(_DROPPED)
    page.read(_main_part(tree, root))
    if not page.blocks:  # everything was inside what is usually furniture
        page = _Page(_DROPPED - _FURNITURE)
        page.read(root)
    title = tree.css_first("title")
    draft = Draft(blocks=page.blocks, title=clean_line(title.text()) if title else None, pictures=page.pictures)
    draft.title = draft.title or draft.leading_title()
    return draft


def _main_part(tree: LexborHTMLParser, root: LexborNode) -> LexborNode:
    for selector in ("main", "[role=main]", "article"):
        found = tree.css(selector)
        if len(found) == 1:
            inside = len(found[0].text(strip=True))
            if inside >= 200 and inside * 4 >= len(root.text(strip=True)):
                return found[0]
    return root


class _Page:
    """Walks the tree and collects blocks; inline text gathers in a buffer until a block begins or ends."""

    def __init__(self, dropped: frozenset[str]) -> None:
        self.blocks: list[Block] = []
        self.pictures = 0
        self._dropped = dropped
        self._inline: list[str] = []
        self._cells = 0

    def read(self, root: LexborNode) -> None:
        self._children(root, 0)
        self._flush()

    def _children(self, node: LexborNode, depth: int) -> None:
        if depth > _DEEPEST:
            self._inline.append(_BLANKS.sub(" ", node.text(separator=" ")))
            return
        for child in _children_of(node):
            self._visit(child, depth + 1)

    def _visit(self, node: LexborNode, depth: int) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._inline.append(_BLANKS.sub(" ", node.text_content or ""))
        elif self._is_dropped(node, tag):
            return
        elif tag == "br":
            self._inline.append("\n")
        elif tag == "img":
            self.pictures += 1
        elif tag in _HEADINGS:
            self._flush()
            self._emit(Heading(_HEADINGS[tag], clean_line(self._text_of(node, depth))))
        elif tag == "pre":
            self._flush()
            self._emit(Text(f"```\n{node.text()}\n```" if node.css_first("code") else node.text()))
        elif tag in ("ul", "ol") and node.css_first(_STRUCTURE) is None:
            self._flush()
            self._emit(Text("\n".join(self._list_lines(node, depth, ""))))
        elif tag == "table":
            self._flush()
            self._table(node, depth)
        else:
            self._container(node, tag, depth)

    def _container(self, node: LexborNode, tag: str, depth: int) -> None:
        is_block = tag in _BLOCKS
        if is_block:
            self._flush()
        elif tag in ("td", "th"):
            self._inline.append(" ")
        self._children(node, depth)
        if is_block:
            self._flush()

    def _is_dropped(self, node: LexborNode, tag: str) -> bool:
        if tag in self._dropped:
            return True
        attributes = node.attributes
        if not attributes:
            return False
        return (
            "hidden" in attributes
            or attributes.get("aria-hidden") == "true"
            or (attributes.get("role") in _DROPPED_ROLES and "nav" in self._dropped)
            or bool(_HIDDEN_STYLE.search(attributes.get("style") or ""))
        )

    def _flush(self) -> None:
        lines = "".join(self._inline).split("\n")
        self._inline = []
        self._emit(Text("\n".join(line.strip() for line in lines if line.strip())))

    def _emit(self, block: Heading | Text) -> None:
        if block.text.strip():
            self.blocks.append(block)

    def _text_of(self, node: LexborNode, depth: int) -> str:
        """The inline text of one element, apart from the flow around it."""
        page = _Page(self._dropped)
        page._children(node, depth)
        page._flush()
        self.pictures += page.pictures
        return "\n".join(block.text for block in page.blocks if isinstance(block, Text | Heading))

    def _list_lines(self, node: LexborNode, depth: int, indent: str) -> Iterator[str]:
        number = 0
        for item in _children_of(node):
            if item.tag != "li" or self._is_dropped(item, "li"):
                continue
            number += 1
            mark = f"{number}. " if node.tag == "ol" else "- "
            own: list[LexborNode] = []
            nested: list[LexborNode] = []
            for child in _children_of(item):
                (nested if child.tag in ("ul", "ol") else own).append(child)
            page = _Page(self._dropped)
            for child in own:
                page._visit(child, depth + 1)
            page._flush()
            self.pictures += page.pictures
            text = " ".join(clean_line(block.text) for block in page.blocks if isinstance(block, Text))
            if text:
                yield f"{indent}{mark}{text}"
            if depth < _DEEPEST:
                for inner in nested:
                    yield from self._list_lines(inner, depth + 2, indent + "  ")

    def _table(self, table: LexborNode, depth: int) -> None:
        rows = [row for row in table.css("tr") if not self._is_dropped(row, "tr")]
        if _is_layout(table, rows):
            self._children(table, depth)
            self._flush()
            return
        if (caption := table.css_first("caption")) is not None:
            self._emit(Text(clean_line(caption.text())))
        grid = self._grid(rows, depth)
        self.blocks.extend(blocks_of(grid))

    def _grid(self, rows: list[LexborNode], depth: int) -> Grid:
        """Cells at their places, spans as merges; numbers outside sane bounds are cut, as browsers do."""
        read: list[Row] = []
        merges: list[Merge] = []
        taken: dict[tuple[int, int], bool] = {}
        header = 0
        for number, row in enumerate(rows, start=1):
            cells: list[str] = []
            tags = set()
            for cell in _children_of(row):
                if cell.tag not in ("td", "th"):
                    continue
                tags.add(cell.tag)
                while taken.pop((number, len(cells)), False):
                    cells.append("")
                wide, high = _span(cell, "colspan"), min(_span(cell, "rowspan"), len(rows) - number + 1)
                left = len(cells)
                self._cells += wide * high
                if self._cells > _MOST_CELLS:
                    raise too_large("This page has a table with more cells than a document may have.")
                cells.extend([clean(self._text_of(cell, depth)), *[""] * (wide - 1)])
                if wide > 1 or high > 1:
                    merges.append(Merge(number, number + high - 1, left, left + wide - 1))
                    spread = range(left, left + wide)
                    taken.update(((below, at), True) for below in range(number + 1, number + high) for at in spread)
            is_header = (tags == {"th"} or (row.parent is not None and row.parent.tag == "thead")) and number < len(
                rows
            )
            header += is_header and header == number - 1
            read.append(Row(number, cells))
        return Grid(read, merges, header_rows=header or None)


def _is_layout(table: LexborNode, rows: list[LexborNode]) -> bool:
    """Tables that only place things: one cell a row, tables inside, headings inside, pages of text in a cell."""
    role = table.attributes.get("role") or ""
    # css() finds the table itself, too
    if role in ("presentation", "none") or len(table.css("table")) > 1 or table.css_first("h1, h2, h3"):
        return True
    widths = [sum(1 for cell in _children_of(row) if cell.tag in ("td", "th")) for row in rows]
    if len(rows) < 2 or max(widths, default=0) < 2:
        return True
    return len(table.text(strip=True)) > 600 * sum(widths)


def _children_of(node: LexborNode) -> Iterator[LexborNode]:
    child = node.child
    while child is not None:
        yield child
        child = child.next


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "1").strip()
    return max(1, min(int(value), 1000)) if value.isdecimal() and len(value) < 6 else 1
