"""A Markdown text as lines that know what they are: enough of CommonMark and GFM to cut, repair and translate it.

Code fences may stand at any depth (in list items); a table is a line with bars over a delimiter row of as many cells.
"""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "blank", "text", "heading", "item", "quote", "rule", "open", "code", "close", "header", "delimiter", "row"
]

IN_CODE = ("open", "code", "close")
IN_TABLE = ("header", "delimiter", "row")

_FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^\n]*)$")
_MARKED = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*", re.MULTILINE)
_DELIMITER = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_SHAPES: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"^[ \t]*$"), "blank"),
    (re.compile(r"^ {0,3}#{1,6}(?:[ \t]|$)"), "heading"),
    (re.compile(r"^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$"), "rule"),
    (re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+\S"), "item"),
    (re.compile(r"^ {0,3}>"), "quote"),
)


@dataclass(frozen=True, slots=True)
class Fence:
    """How a block of code was opened."""

    indent: str
    marks: str
    info: str

    @property
    def opener(self) -> str:
        return f"{self.indent}{self.marks}{self.info}"

    @property
    def closer(self) -> str:
        return f"{self.indent}{self.marks}"


@dataclass(frozen=True, slots=True)
class Line:
    """``start`` is its offset in the text; ``head``, of all lines of a table, is its header and delimiter row."""

    start: int
    text: str
    kind: Kind
    fence: Fence | None = None
    head: str = ""

    @property
    def indented(self) -> bool:
        return self.text[:1] in (" ", "\t")


def lines(text: str) -> list[Line]:
    """Every line of a text, the last one too when it is empty."""
    found: list[Line] = []
    texts = text.split("\n")
    start = 0
    for number, line in enumerate(texts):
        found.append(_line(start, line, found[-1] if found else None, texts[number + 1 : number + 2]))
        start += len(line) + 1
    return found


def open_fence(text: str) -> Fence | None:
    """The block of code that a text ends in, if it does."""
    fence: Fence | None = None
    for match in _MARKED.finditer(text):
        if fence is None:
            fence = _opened(match[0])
        elif _closes(fence, match[0]):
            fence = None
    return fence


def cells(row: str) -> list[str]:
    """The cells of a table's row, stripped; a bar after a backslash is none."""
    inner = row.strip().removeprefix("|")
    parts = re.split(r"(?<!\\)\|", inner)
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    return [part.strip() for part in parts]


def _line(start: int, text: str, before: Line | None, after: list[str]) -> Line:
    fence = before.fence if before and before.kind in ("open", "code") else None
    if fence is not None:
        return Line(start, text, "close" if _closes(fence, text) else "code", fence)
    if opened := _opened(text):
        return Line(start, text, "open", opened)
    if before and before.kind == "header":
        return Line(start, text, "delimiter", head=before.head)
    kind: Kind = next((kind for shape, kind in _SHAPES if shape.match(text)), "text")
    if before and before.kind in ("delimiter", "row") and "|" in text and kind in ("text", "item"):
        return Line(start, text, "row", head=before.head)
    if kind in ("text", "item") and after and _heads(text, after[0]):
        return Line(start, text, "header", head=f"{text}\n{after[0]}")
    return Line(start, text, kind)


def _opened(text: str) -> Fence | None:
    match = _FENCE.match(text)
    if match is None or (match[2][0] == "`" and "`" in match[3]):
        return None
    return Fence(match[1], match[2], match[3].rstrip())


def _closes(fence: Fence, text: str) -> bool:
    marks = text.strip()
    return len(marks) >= len(fence.marks) and not marks.strip(fence.marks[0])


def _heads(text: str, after: str) -> bool:
    if "|" not in text or "|" not in after or not _DELIMITER.match(after):
        return False
    return len(cells(text)) == len(cells(after))
