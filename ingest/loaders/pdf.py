"""PDF with a text layer: lines without the page's furniture → headings, paragraphs, tables."""

import re
from collections import Counter
from dataclasses import dataclass

import pypdfium2 as pdfium

from ingest.blocks import Block, Heading
from ingest.clean import clean
from ingest.loaders.pdf_layout import Layout, font_sizes
from ingest.loaders.pdf_lines import PDFIUM, Line, has_rules, is_drawn, page_lines
from ingest.loaders.pdf_rescue import rescued
from ingest.loaders.pdf_tables import FoundTable, find_tables
from ingest.loaders.seen_page import USUAL_SIZE, lay_out
from ingest.loaders.source import Draft, Source, encrypted, parsing, too_large
from ingest.ocr.ports import Recognizer

MAX_PAGES = 5_000
_NEEDS_PASSWORD = (4, 5)  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
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
            with PDFIUM:
                pages = _read_pages(source)
        except pdfium.PdfiumError:
            return rescued(source.data)
        tables = find_tables(source.data, {page.number: page.lines for page in pages if page.has_rules})
        draft = Draft()
        if source.recognizer is None:
            _add_scans(draft, pages, source.data)
        else:
            _read_scans(source, source.recognizer, draft, pages, tables)
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


def _read_pages(source: Source) -> list[_Page]:
    try:
        document = pdfium.PdfDocument(source.data)
    except pdfium.PdfiumError as exc:
        if getattr(exc, "err_code", None) in _NEEDS_PASSWORD:
            raise encrypted("PDF") from exc
        raise
    try:
        if len(document) > MAX_PAGES:
            raise too_large(f"This PDF has {len(document)} pages; the limit is {MAX_PAGES}.")
        pages = []
        for index in range(len(document)):
            source.progress(index, 0)  # pages with text take no time; those that are recognised are counted
            pages.append(_read_page(document, index))
        return pages
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


def _read_scans(
    source: Source, recognizer: Recognizer, draft: Draft, pages: list[_Page], tables: dict[int, list[FoundTable]]
) -> None:
    """Put lines and tables where pages had none, and say so."""
    from ingest.loaders.pdf_scans import read_scans

    scans = [page for page in pages if _is_silent(page) and (page.is_drawn or page.lines)]
    text = [line for page in pages if not _is_silent(page) for line in page.lines]
    size = font_sizes(text)[0] if text else USUAL_SIZE
    read, failed = [], []
    for number, seen in read_scans(source, recognizer, [page.number for page in scans]):
        if seen is None:
            failed.append(number)
            continue
        laid = lay_out(seen, number=number, size=size)
        page = pages[number - 1]
        page.height, page.lines, tables[number] = laid.height, laid.lines, laid.tables
        if laid.lines:
            read.append(number)
    if read:
        draft.notes.append(f"{len(read)} of {len(pages)} pages were read by text recognition: {_listed(read)}.")
    elif scans and not text:
        draft.notes.append("Text recognition found none on its pages.")
    if failed:
        draft.notes.append(f"{len(failed)} of {len(pages)} pages could not be read: {_listed(failed)}.")


def _add_scans(draft: Draft, pages: list[_Page], data: bytes) -> None:
    """Count what OCR would have to read, and say so."""
    silent = [page for page in pages if _is_silent(page)]
    images = len(_IMAGE.findall(data))
    if len(silent) == len(pages):
        # letters that mean nothing (a font without Unicode) or outlines are pictures of letters, too
        draft.pictures = images or sum(page.is_drawn or bool(page.lines) for page in pages)
        return
    scanned = [page.number for page in silent if page.is_drawn]
    if scanned and images:
        draft.notes.append(
            f"{len(scanned)} of {len(pages)} pages have no text layer and were not read: {_listed(scanned)}."
        )


def _is_silent(page: _Page) -> bool:
    return not any(clean(line.text) for line in page.lines)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")
