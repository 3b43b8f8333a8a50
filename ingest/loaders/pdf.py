"""PDF with a text layer: lines without the page's furniture → headings, paragraphs, tables."""

import re
import threading
from collections import Counter
from dataclasses import dataclass

import pypdfium2 as pdfium

from ingest.blocks import Block, Heading
from ingest.clean import clean
from ingest.loaders.pdf_layout import Layout, font_sizes
from ingest.loaders.pdf_lines import Line, has_rules, is_drawn, page_lines
from ingest.loaders.pdf_rescue import rescued
from ingest.loaders.pdf_tables import FoundTable, find_tables
from ingest.loaders.source import Draft, Source, encrypted, parsing, too_large

MAX_PAGES = 5_000
_NEEDS_PASSWORD = (4, 5)  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
_PDFIUM = threading.Lock()  # PDFium must not be entered by two threads
_IMAGE = re.compile(rb"/Subtype\s*/Image\b")
_MARGIN = 0.12  # of the page's height, above and below, where running heads and page numbers stand
_PAGE_NUMBER = re.compile(
    r"[-–—·|\s]*(?:page|p\.|seite|第)?\s*(?:\d{1,4}|[ivxlc]{1,6})\s*页?"
    r"(?:\s*(?:/|of|von|[，,]?\s*共)\s*\d{1,4}\s*页?)?[-–—·|\s]*",
    re.IGNORECASE,
)
_NOT_TEXT = re.compile(
    r"[\W_]{3,}|.*\.{6,}\s*(?:\d{1,4}|[ivxlc]{1,6})", re.IGNORECASE
)  # rules, lines of a contents page
_DIGITS = re.compile(r"\d+")


def load_pdf(source: Source) -> Draft:
    """Raises DocumentRefused ``encrypted`` only where a password is needed to open, not to print or copy."""
    with parsing("PDF", pdfium.PdfiumError):
        try:
            with _PDFIUM:
                pages = _read_pages(source.data)
        except pdfium.PdfiumError:
            return rescued(source.data)
        tables = find_tables(source.data, {page.number: page.lines for page in pages if page.has_rules})
        draft = Draft()
        _add_scans(draft, pages, source.data)
        draft.blocks = _blocks(pages, tables)
        first = [block for block in draft.blocks if isinstance(block, Heading) and block.page == 1]
        draft.title = min(first, key=lambda block: block.level).text if first else None
        return draft


@dataclass(slots=True)
class _Page:
    number: int
    height: float
    lines: list[Line]
    has_rules: bool = False
    is_drawn: bool = False  # without text, but with something that may be text


def _read_pages(data: bytes) -> list[_Page]:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as exc:
        if getattr(exc, "err_code", None) in _NEEDS_PASSWORD:
            raise encrypted("PDF") from exc
        raise
    try:
        if len(document) > MAX_PAGES:
            raise too_large(f"This PDF has {len(document)} pages; the limit is {MAX_PAGES}.")
        return [_read_page(document, index) for index in range(len(document))]
    finally:
        document.close()


def _read_page(document: pdfium.PdfDocument, index: int) -> _Page:
    try:
        page = document[index]
    except pdfium.PdfiumError:  # one broken page of a document that opens
        return _Page(index + 1, 0.0, [])
    try:
        lines = page_lines(page, index + 1)
        if not lines:
            return _Page(index + 1, page.get_height(), lines, is_drawn=is_drawn(page))
        return _Page(index + 1, page.get_height(), lines, has_rules=has_rules(page))
    finally:
        page.close()


def _blocks(pages: list[_Page], tables: dict[int, list[FoundTable]]) -> list[Block]:
    body, _ = font_sizes([line for page in pages for line in page.lines])
    running = _running_heads(pages, 1.1 * body)
    for page in pages:
        page.lines = [line for line in page.lines if not _is_furniture(line, page, running, len(pages))]
    layout = Layout([line for page in pages for line in page.lines])
    for page in pages:
        layout.add_page(page.lines, tables.get(page.number, []))
    return layout.blocks()


def _running_heads(pages: list[_Page], largest: float) -> set[tuple[bool, str]]:
    """Lines that stand in the margin of a third of the pages (three at least), but for their numbers.

    Those larger than the text are headings: 第一节 and 第二节 differ by no more than their numbers, too.
    """
    seen: Counter[tuple[bool, str]] = Counter()
    for page in pages:
        small = (line for line in page.lines if line.size <= largest)
        seen.update({key for line in small if (key := _margin_key(line, page)) is not None})
    return {key for key, times in seen.items() if times >= max(3, len(pages) / 3)}


def _margin_key(line: Line, page: _Page) -> tuple[bool, str] | None:
    """(above, text with numbers blanked) of a line in the upper or lower margin."""
    _, y = line.middle
    if page.height * _MARGIN <= y <= page.height * (1 - _MARGIN):
        return None
    return y > page.height / 2, _DIGITS.sub("#", " ".join(line.text.split()))


def _is_furniture(line: Line, page: _Page, running: set[tuple[bool, str]], pages: int) -> bool:
    if _NOT_TEXT.fullmatch(line.text):
        return True
    key = _margin_key(line, page)
    return key is not None and (key in running or (pages > 1 and _PAGE_NUMBER.fullmatch(line.text) is not None))


def _add_scans(draft: Draft, pages: list[_Page], data: bytes) -> None:
    """Count what OCR would have to read, and say so."""
    silent = [page for page in pages if not any(clean(line.text) for line in page.lines)]
    images = len(_IMAGE.findall(data))
    if len(silent) == len(pages):
        # letters that mean nothing (a font without Unicode) or outlines are pictures of letters, too
        draft.pictures = images or sum(page.is_drawn or bool(page.lines) for page in pages)
        return
    scanned = [page.number for page in silent if page.is_drawn]
    if scanned and images:
        shown = ", ".join(map(str, scanned[:10])) + (" …" if len(scanned) > 10 else "")
        draft.notes.append(f"{len(scanned)} of {len(pages)} pages have no text layer and were not read: {shown}.")
