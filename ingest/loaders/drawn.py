"""Pages of a PDF or a picture: drawn, and where the lines of their text stand."""

import io
from ctypes import c_int
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as c
from PIL import Image

from ingest import sniff
from ingest.loaders.pdf_lines import PDFIUM, Line, page_lines
from ingest.loaders.source import corrupt, parsing, too_large
from ingest.ocr.pictures import frame, frame_count, size_of
from ingest.ocr.ports import TooLarge, Unreadable
from ingest.shown import ShownLine, ShownPage, ShownPages

WIDTH = 1200  # pixels: a pane of 600 points on a screen with two pixels a point
_HIGHEST = 6_000  # pixels: a till receipt is drawn narrower
_QUALITY = 80
_MOST_LINES = 2_000  # of a page; more are no text that anybody reads
_LETTER = (612.0, 792.0)
_TENTHS = 10  # PDFium gives places in whole numbers


def pages(path: Path, *, first: int, count: int, max_bytes: int) -> ShownPages:
    """Of a PDF or a picture; ``first`` counts from 1. Raises DocumentRefused."""
    data = _bytes(path, max_bytes)
    if not _is_pdf(data):
        return _frames(data, first, count)
    with parsing("PDF", pdfium.PdfiumError), PDFIUM:
        document = pdfium.PdfDocument(data)
        try:
            shown = range(first - 1, min(first - 1 + count, len(document)))
            return ShownPages(len(document), first, tuple(_page(document, index) for index in shown))
        finally:
            document.close()


def page_picture(path: Path, *, number: int, max_bytes: int) -> bytes:
    """A page as WebP, at most :data:`WIDTH` pixels wide. Raises DocumentRefused."""
    data = _bytes(path, max_bytes)
    drawn = _drawn(data, number) if _is_pdf(data) else _seen(data, number)
    made = io.BytesIO()
    drawn.save(made, "WEBP", quality=_QUALITY, method=2)
    return made.getvalue()


def _bytes(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise too_large("The file is larger than what is read.")
    return data


def _is_pdf(data: bytes) -> bool:
    return sniff.sniff(data, "") == sniff.PDF


def _page(document: pdfium.PdfDocument, index: int) -> ShownPage:
    try:
        page = document[index]
    except pdfium.PdfiumError:  # one broken page of a document that opens
        return ShownPage(*_LETTER)
    try:
        width, height = page.get_size()
        return ShownPage(width, height, tuple(_shown(page, line) for line in page_lines(page, index + 1)[:_MOST_LINES]))
    finally:
        page.close()


def _shown(page: pdfium.PdfPage, line: Line) -> ShownLine:
    """With the page's rotation and crop, which a line's own place knows nothing of."""
    ends = [_on_page(page, line.left, line.bottom), _on_page(page, line.right, line.top)]
    (left, right), (top, bottom) = sorted(x for x, _ in ends), sorted(y for _, y in ends)
    return ShownLine(line.text, left, top, right - left, bottom - top)


def _on_page(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
    across, down = c_int(), c_int()
    width, height = (round(side * _TENTHS) for side in page.get_size())
    c.FPDF_PageToDevice(page.raw, 0, 0, width, height, 0, x, y, across, down)
    return across.value / _TENTHS, down.value / _TENTHS


def _drawn(data: bytes, number: int) -> Image.Image:
    with parsing("PDF", pdfium.PdfiumError), PDFIUM:
        document = pdfium.PdfDocument(data)
        try:
            page = document[number - 1]
            width, height = page.get_size()
            bitmap = page.render(scale=min(WIDTH / width, _HIGHEST / height))
            image: Image.Image = bitmap.to_pil().convert("RGB").copy()
            return image
        finally:
            document.close()


def _frames(data: bytes, first: int, count: int) -> ShownPages:
    try:
        width, height = size_of(data)
        total = frame_count(data)
    except Unreadable as exc:
        raise corrupt("picture") from exc
    shown = range(first, min(first + count, total + 1))
    return ShownPages(total, first, tuple(ShownPage(width, height) for _ in shown))


def _seen(data: bytes, number: int) -> Image.Image:
    try:
        image = Image.fromarray(frame(data, number - 1))
    except TooLarge as exc:
        raise too_large("This picture has too many pixels.") from exc
    except Unreadable as exc:
        raise corrupt("picture") from exc
    image.thumbnail((WIDTH, _HIGHEST))
    return image
