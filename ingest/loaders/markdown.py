"""Markdown as repositories and help centres write it: CommonMark's blocks, pipe tables, front matter, HTML in it."""

import re
from collections.abc import Callable
from dataclasses import replace

from ingest.blocks import Block, Heading, Table, Text
from ingest.clean import clean_line
from ingest.encoding import decode
from ingest.loaders import front_matter
from ingest.loaders.flow import join_lines
from ingest.loaders.html_page import draft_of_html
from ingest.loaders.markdown_inline import count_images, inline
from ingest.loaders.source import Draft, Source, parsing

_FRONT_MATTER = re.compile(r"\A\s*(---|\+\+\+)[ \t]*\n(.*?\n)?\1[ \t]*(?:\n|\Z)", re.S)
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_ATX_TIGHT = re.compile(r"(#{1,6})([\u4e00-\u9fff].*)")  # "##标题": not CommonMark, and everywhere
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})([^`]*)")
_ITEM = re.compile(r"(\s*)([-*+]|\d{1,9}[.)])[ \t]+(\S.*)")
_QUOTE = re.compile(r" {0,3}(?:>[ \t]?)+")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_DEFINITION = re.compile(r" {0,3}\[[^\]^]+\]:\s+\S+.*")
_ADMONITION = re.compile(r"\s*:::+\s*(?:\w+)?\s*(?:\[(.*)\]|(.*))")
_ACCORDION = re.compile(r"\+\+\+\s*(.*)")
_MODULE_LINE = re.compile(r"(?:import\s.+\sfrom\s+['\"].*|import\s+['\"].*|export\s+(?:const|default)\b.*)")
_PIPE = re.compile(r"(?<!\\)\|")
_HARD_BREAK = re.compile(r"(?: {2,}|\\)$")
# HTML that runs over several lines and is read (tables) or left out as a whole
_HTML_BLOCK = re.compile(r"\s*<(table|script|style|svg)\b", re.I)


def load_markdown(source: Source) -> Draft:
    """The front matter's title is the document's, and its window; the rest says nothing to a reader and is left out."""
    with parsing("Markdown"):
        text = decode(source.data).text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
        front = _FRONT_MATTER.match(text)
        said = (front[2] or "") if front else ""
        window, notes = front_matter.window(said)
        body = text[front.end() :] if front else text
        parser = _Parser(body.expandtabs(4).split("\n"), first_line=1 + text.count("\n") - body.count("\n"))
        parser.run()
        draft = Draft(parser.blocks, front_matter.title(said), notes, pictures=count_images(text), window=window)
        draft.title = draft.title or draft.leading_title()
        return draft


class _Parser:
    """Goes down the lines once. ``_lines`` is the paragraph or list being gathered."""

    def __init__(self, lines: list[str], *, first_line: int = 1) -> None:
        self.blocks: list[Block] = []
        self._source = lines
        self._first_line = first_line
        self._at = 0
        self._lines: list[str] = []
        self._in_list = False

    def run(self) -> None:
        handlers: tuple[Callable[[str], bool], ...] = (
            self._fence,
            self._html,
            self._blank,
            self._heading,
            self._rule,
            self._table,
            self._furniture,
            self._item,
        )
        while self._at < len(self._source):
            line = self._line()
            if not any(handle(line) for handle in handlers):
                self._lines.append(line)
                self._at += 1
        self._flush()

    def _line(self) -> str:
        """The current line without marks of quotation; a quotation's text is text."""
        line = self._source[self._at]
        if quote := _QUOTE.match(line):
            if self._at == 0 or not _QUOTE.match(self._source[self._at - 1]):
                self._flush()
            return line[quote.end() :]
        return line

    def _fence(self, line: str) -> bool:
        fence = _FENCE.fullmatch(line)
        if fence is None:
            return False
        mark, quoted = fence[1], _QUOTE.match(self._source[self._at]) is not None
        self._flush()
        body = []
        self._at += 1
        while self._at < len(self._source):
            inner = self._line() if quoted else self._source[self._at]
            self._at += 1
            if inner.strip().startswith(mark) and not inner.strip().strip(mark[0]):
                break
            body.append(inner)
        if any(part.strip() for part in body):
            self.blocks.append(Text("\n".join([f"```{fence[2].strip()}", *body, "```"])))
        return True

    def _html(self, line: str) -> bool:
        if line.lstrip().startswith("<!--"):
            self._flush()
            self._skip_to("-->")
            return True
        opening = _HTML_BLOCK.match(line)
        if opening is None:
            return False
        self._flush()
        text = self._skip_to(f"</{opening[1].lower()}>")
        if opening[1].lower() == "table":
            self.blocks.extend(_rewritten(block) for block in draft_of_html(text).blocks)
        return True

    def _skip_to(self, end: str) -> str:
        """The lines up to the one with ``end``; only this one where the end never comes."""
        start = self._at
        while self._at < len(self._source) and end not in self._source[self._at].lower():
            self._at += 1
        self._at = self._at + 1 if self._at < len(self._source) else start + 1
        return "\n".join(self._source[start : self._at])

    def _blank(self, line: str) -> bool:
        if line.strip():
            return False
        following = self._source[self._at + 1] if self._at + 1 < len(self._source) else ""
        if not (self._in_list and (following.startswith("  ") or _ITEM.fullmatch(following))):
            self._flush()
        self._at += 1
        return True

    def _heading(self, line: str) -> bool:
        atx = _ATX.fullmatch(line) or _ATX_TIGHT.fullmatch(line)
        if atx is not None:
            self._flush()
            self._add_heading(len(atx[1]), atx[2] or "")
            self._at += 1
            return True
        if self._lines and not self._in_list and (under := _SETEXT.fullmatch(line)):
            heading = self._lines.pop()
            self._flush()
            self._add_heading(1 if under[1][0] == "=" else 2, heading)
            self._at += 1
            return True
        return False

    def _add_heading(self, level: int, text: str) -> None:
        if text := clean_line(inline(text, line_break=" ")):
            self.blocks.append(Heading(level, text))

    def _rule(self, line: str) -> bool:
        if _RULE.fullmatch(line) is None:
            return False
        self._flush()
        self._at += 1
        return True

    def _table(self, line: str) -> bool:
        following = self._source[self._at + 1] if self._at + 1 < len(self._source) else ""
        if "|" not in line or "|" not in following + line[:1] or not _TABLE_RULE.fullmatch(_QUOTE.sub("", following)):
            return False
        self._flush()
        header = _cells(line)
        self._at += 2
        rows, numbers = [], []
        while self._at < len(self._source) and "|" in self._line():
            cells = _cells(self._line())
            rows.append(tuple((cells + [""] * len(header))[: len(header)]))
            numbers.append(self._first_line + self._at)
            self._at += 1
        if rows:
            self.blocks.append(Table(tuple(header), tuple(rows), row_numbers=tuple(numbers)))
        elif any(header):
            self.blocks.append(Text(" | ".join(cell for cell in header if cell)))
        return True

    def _furniture(self, line: str) -> bool:
        """Definitions of links, module lines of MDX, and marks of boxes, whose titles are kept."""
        if _DEFINITION.fullmatch(line) or (not self._lines and _MODULE_LINE.fullmatch(line)):
            self._at += 1
            return True
        box = _ADMONITION.fullmatch(line) or _ACCORDION.fullmatch(line)
        if box is None:
            return False
        self._flush()
        if title := next((group for group in box.groups() if group), ""):
            self.blocks.append(Text(inline(title)))
        self._at += 1
        return True

    def _item(self, line: str) -> bool:
        item = _ITEM.fullmatch(line)
        if item is None or (self._lines and not self._in_list and item[2][0].isdigit() and item[2][:-1] != "1"):
            return False
        if not self._in_list:
            self._flush()
            self._in_list = True
        mark = "-" if item[2] in "-*+" else item[2]
        self._lines.append(f"{item[1]}{mark} {item[3]}")
        self._at += 1
        return True

    def _flush(self) -> None:
        text = _list_text(self._lines) if self._in_list else _paragraph(self._lines)
        self._lines, self._in_list = [], False
        if text.strip():
            self.blocks.append(Text(text))


def _rewritten(block: Block) -> Block:
    """A block of HTML inside Markdown, whose texts may be Markdown again."""
    if isinstance(block, Table):
        rows = tuple(tuple(inline(cell, line_break=" ") for cell in row) for row in block.rows)
        return replace(block, header=tuple(map(inline, block.header)), rows=rows)
    if isinstance(block, Text | Heading) and not block.text.startswith("```"):
        return replace(block, text=inline(block.text))
    return block


def _cells(line: str) -> list[str]:
    line = line.strip()
    parts = _PIPE.split(line.removeprefix("|"))
    if line.endswith("|") and not line.endswith("\\|"):
        parts = parts[:-1]
    return [clean_line(inline(part.replace("\\|", "|"), line_break=" ")) for part in parts]


def _paragraph(lines: list[str]) -> str:
    """Soft line ends are blanks (or nothing, in Chinese); hard ones stay."""
    parts: list[list[str]] = [[]]
    for line in lines:
        parts[-1].append(_HARD_BREAK.sub("", line))
        if _HARD_BREAK.search(line):
            parts.append([])
    return "\n".join(filter(str.strip, (inline(join_lines(part)) for part in parts)))


def _list_text(lines: list[str]) -> str:
    """One line an item; what follows an item's mark on further lines belongs to it."""
    items: list[list[str]] = []
    for line in lines:
        if not items or _ITEM.fullmatch(line):
            items.append([line])
        else:
            items[-1].append(line)
    texts = []
    counts: dict[int, int] = {}
    for first, *rest in items:
        indent = min(len(first) - len(first.lstrip()), 12)
        text = inline(join_lines([_renumbered(first, indent, counts), *rest]), line_break=" ")
        if text.strip(" -"):
            texts.append(" " * indent + text)
    return "\n".join(texts)


def _renumbered(line: str, indent: int, counts: dict[int, int]) -> str:
    """The item with its number as shown: writers often put ``1.`` before every one. Deeper lists begin again."""
    for deeper in [level for level in counts if level > indent]:
        del counts[deeper]
    item = _ITEM.fullmatch(line)
    if item is None or not item[2][0].isdigit():
        counts.pop(indent, None)
        return line
    counts[indent] = counts[indent] + 1 if indent in counts else int(item[2][:-1])
    return f"{counts[indent]}{item[2][-1]} {item[3]}"
