"""A PDF page → its lines with their places and sizes, through PDFium's plain C interface.

Two boxes and one font name a line are asked for, not one a character: that is what keeps a page at a few
milliseconds.
"""

import ctypes
import math
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as c

PDFIUM = threading.Lock()  # PDFium must not be entered by two threads
_BREAKS = re.compile("\r\n|\r|\n|\ufffe|\x02")
_HYPHENS = ("\ufffe", "\x02")  # where PDFium found a word divided at the line's end
_MOST_OBJECTS = 3000  # of a page, looked at for rules; drawings have more and no tables
_WIDE = re.compile("[\u2e81-\U0010ffff]")  # letters as wide as they are high
_BOLD = re.compile(rb"bold|black|heavy|semibold|heiti|simhei", re.IGNORECASE)


@dataclass(slots=True)
class Line:
    """Points from the lower left corner of the page; ``size`` is that of the font, as shown."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    bold: bool = False
    hyphenated: bool = False
    page: int | None = 0  # None: of a picture that is no page

    @property
    def is_sparse(self) -> bool:
        """Whether there are gaps inside, as between the cells of a row: a letter takes half its size on average."""
        wide = 0 if self.text.isascii() else len(_WIDE.findall(self.text))
        return 0.5 * (len(self.text) + wide) * self.size < 0.7 * (self.right - self.left)

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2


def page_lines(page: pdfium.PdfPage, number: int) -> list[Line]:
    """Lines in the order of the page's content."""
    textpage = page.get_textpage()
    try:
        return _rejoined(_lines(textpage, number))
    finally:
        textpage.close()


def _rejoined(lines: Iterable[Line]) -> list[Line]:
    """Pieces side by side are one line again; PDFium breaks before and after every raised mark."""
    joined: list[Line] = []
    for line in lines:
        last = joined[-1] if joined else None
        if last is None or last.hyphenated or not _beside(last, line):
            joined.append(line)
            continue
        gap = " " if line.left - last.right > 0.15 * min(last.size, line.size) else ""
        last.text = f"{last.text}{gap}{line.text}"
        last.right, last.hyphenated = max(last.right, line.right), line.hyphenated
        last.size, last.bold = max(last.size, line.size), last.bold and line.bold
        last.top, last.bottom = max(last.top, line.top), min(last.bottom, line.bottom)
    return joined


def _beside(left: Line, right: Line) -> bool:
    overlap = min(left.top, right.top) - max(left.bottom, right.bottom)
    height = min(left.top - left.bottom, right.top - right.bottom)
    return overlap > 0.5 * height and -2 <= right.left - left.right < 1.5 * max(left.size, right.size)


def has_rules(page: pdfium.PdfPage) -> bool:
    """Whether the page has horizontal and vertical lines, or boxes, enough for a table."""
    across = down = boxes = 0
    bounds = [ctypes.c_float() for _ in range(4)]
    for index in range(min(c.FPDFPage_CountObjects(page.raw), _MOST_OBJECTS)):
        item = c.FPDFPage_GetObject(page.raw, index)
        if c.FPDFPageObj_GetType(item) != c.FPDF_PAGEOBJ_PATH or not c.FPDFPageObj_GetBounds(item, *bounds):
            continue
        left, bottom, right, top = (bound.value for bound in bounds)
        wide, high = right - left, top - bottom
        across += wide > 20 and high < 3
        down += high > 5 and wide < 3
        boxes += wide > 20 and 5 < high < 200
    return (across >= 3 and down >= 2) or boxes >= 4


def is_drawn(page: pdfium.PdfPage) -> bool:
    """Whether a page without text shows something that may be text: a picture, outlines, letters without Unicode."""
    kinds: Counter[int] = Counter()
    for index in range(min(c.FPDFPage_CountObjects(page.raw), _MOST_OBJECTS)):
        kinds[c.FPDFPageObj_GetType(c.FPDFPage_GetObject(page.raw, index))] += 1
    pictures = kinds[c.FPDF_PAGEOBJ_IMAGE] + kinds[c.FPDF_PAGEOBJ_FORM] + kinds[c.FPDF_PAGEOBJ_SHADING]
    return pictures > 0 or kinds[c.FPDF_PAGEOBJ_PATH] >= 20 or kinds[c.FPDF_PAGEOBJ_TEXT] >= 5


def _lines(textpage: pdfium.PdfTextPage, number: int) -> Iterator[Line]:
    count = textpage.count_chars()
    text = textpage.get_text_range() if count else ""
    if len(text) != count:  # characters without Unicode are left out there, and places would shift
        text = "".join(_character(textpage, index) for index in range(count))
    start = 0
    for mark in [*_BREAKS.finditer(text), None]:
        end = mark.start() if mark else len(text)
        if line := _line(textpage, text, start, end, number):
            line.hyphenated = mark is not None and mark.group() in _HYPHENS
            yield line
        start = mark.end() if mark else end


def _character(textpage: pdfium.PdfTextPage, index: int) -> str:
    code = c.FPDFText_GetUnicode(textpage.raw, index)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "


def _line(textpage: pdfium.PdfTextPage, text: str, start: int, end: int, number: int) -> Line | None:
    stripped = text[start:end].strip()
    if not stripped:
        return None
    first = start + text[start:end].index(stripped)
    last = first + len(stripped) - 1
    left, bottom, _, top = _box(textpage, first)
    _, low, right, high = _box(textpage, last)
    bold = _is_bold(textpage, first) and _is_bold(textpage, last)
    size = max(_font_size(textpage, first), _font_size(textpage, last)) or max(top - bottom, high - low)
    return Line(stripped, left, max(right, left), min(bottom, low), max(top, high), size, bold, page=number)


def _box(textpage: pdfium.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    box = c.FS_RECTF()
    c.FPDFText_GetLooseCharBox(textpage.raw, index, box)
    return box.left, box.bottom, box.right, box.top


def _font_size(textpage: pdfium.PdfTextPage, index: int) -> float:
    """The font's size times what its matrix does to it: many writers set size 1 and scale."""
    matrix = c.FS_MATRIX()
    size = float(c.FPDFText_GetFontSize(textpage.raw, index))
    return size * math.hypot(matrix.b, matrix.d) if c.FPDFText_GetMatrix(textpage.raw, index, matrix) else size


def _is_bold(textpage: pdfium.PdfTextPage, index: int) -> bool:
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    c.FPDFText_GetFontInfo(textpage.raw, index, name, 128, flags)
    return bool(_BOLD.search(name.value)) or c.FPDFText_GetFontWeight(textpage.raw, index) >= 600
