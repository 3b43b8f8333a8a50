"""Lines as they were laid out → running text, and which short lines are headings."""

import re
from collections.abc import Container, Iterable

from ingest.blocks import Block, Heading, Text

_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f\u201c\u201d\u2018\u2019\u2026\u2014"
_WIDE_MARK = re.compile(f"[{_WIDE}]")
_HYPHENATED = re.compile(r"[a-zà-ÿ]-$")
BULLET = re.compile(
    r"\s*([-*+•·●○■□◆◇▪▶➢➤✓✔]|[（(]?(\d{1,3}|[a-zA-Z])([)、）]|\.(?!\d))|[（(][一二三四五六七八九十]+[）)]|[①-⑳])\s*\S"
)

_LONGEST_BOLD = 60  # characters of a bold line that is taken for a heading
_SHORT = 40  # characters of a heading that is only recognised by its number
_NO_HEADING = re.compile(r"[。；;，,！!？?…]$|[.:：]$")
_CHAPTER = re.compile(r"第[一二三四五六七八九十百零〇\d]{1,5}([章编篇部]|节)(?![一-龥]*[，。])")
_ORDINAL = re.compile(r"[一二三四五六七八九十]{1,3}[、．.]\s*\S")
_BRACKETED = re.compile(r"[（(][一二三四五六七八九十]{1,3}[）)]\s*\S")
_DECIMAL = re.compile(r"(\d{1,2}(?:\.\d{1,2}){1,4})[.、．]?\s*[^\d\s.%]")


def join_lines(lines: Iterable[str]) -> str:
    """Wrapped lines as one: nothing between Chinese characters, a blank between words, hyphenated words whole."""
    parts: list[str] = []
    for line in map(str.strip, lines):
        if not line:
            continue
        last = parts[-1] if parts else ""
        if _HYPHENATED.search(last[-2:]) and line[0].islower():
            parts[-1] = last[:-1]
        elif last and not (_WIDE_MARK.match(last[-1]) and _WIDE_MARK.match(line)):
            parts.append(" ")
        parts.append(line)
    return "".join(parts)


def heading_level(line: str) -> int | None:
    """Level of a short numbered line that heads a section (第一章, 一、, （一）, 1.2), or None."""
    line = line.strip()
    if not line or len(line) > _SHORT or _NO_HEADING.search(line):
        return None
    if chapter := _CHAPTER.match(line):
        return 2 if chapter.group(1) == "节" else 1
    if _ORDINAL.match(line):
        return 2
    if _BRACKETED.match(line):
        return 3
    decimal = _DECIMAL.match(line)
    return min(decimal.group(1).count(".") + 2, 6) if decimal else None


def with_headings(paragraphs: Iterable[str]) -> list[Block]:
    """Paragraphs of plain text; one that is a single short numbered line becomes a heading."""
    blocks: list[Block] = []
    for paragraph in paragraphs:
        lines = paragraph.split("\n")
        while lines and (level := _leads(lines)) is not None:
            blocks.append(Heading(level, lines.pop(0).strip()))
        if lines:
            blocks.append(Text("\n".join(lines)))
    return blocks


def numbered_headings(blocks: list[Block], bold: Container[int] = ()) -> list[Block]:
    """In a document without any heading style, short numbered lines are its headings, and so are bold ones.

    ``bold`` holds the positions of blocks that are bold throughout.
    """
    if any(isinstance(block, Heading) for block in blocks):
        return blocks
    return [_as_heading(block, is_bold=at in bold) for at, block in enumerate(blocks)]


def titled(blocks: list[Block]) -> tuple[list[Block], str | None]:
    """The first line as the document's heading and title, where it is short and all headings after it are lower."""
    first = blocks[0] if blocks else None
    highest = min((block.level for block in blocks if isinstance(block, Heading)), default=1)
    if not isinstance(first, Text) or highest == 1 or "\n" in first.text.strip():
        return blocks, None
    title = first.text.strip()
    if len(title) > _SHORT or _NO_HEADING.search(title) or BULLET.match(title):
        return blocks, None
    return [Heading(1, title, page=first.page), *blocks[1:]], title


def _as_heading(block: Block, *, is_bold: bool) -> Block:
    if not isinstance(block, Text) or "\n" in block.text:
        return block
    if level := heading_level(block.text):
        return Heading(level, block.text, page=block.page)
    if is_bold and len(block.text) <= _LONGEST_BOLD and not _NO_HEADING.search(block.text):
        return Heading(2, block.text, page=block.page)
    return block


def _leads(lines: list[str]) -> int | None:
    """The level of the first line if it is a heading and not the first of a numbered list."""
    level = heading_level(lines[0])
    alike = len(lines) > 1 and heading_level(lines[1]) is not None
    return None if alike else level
