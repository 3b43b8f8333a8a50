"""Pages of a PDF without text: drawn as pictures, one at a time, and read by recognition."""

from collections.abc import Iterator, Sequence
from functools import partial

import pypdfium2 as pdfium

from ingest.loaders.pdf_lines import PDFIUM
from ingest.loaders.source import Source
from ingest.ocr.pictures import scale_to_read
from ingest.ocr.ports import Picture, Recognizer, SeenPage, Unreadable
from ingest.ocr.reading import read_page


def read_scans(source: Source, recognizer: Recognizer, numbers: Sequence[int]) -> Iterator[tuple[int, SeenPage | None]]:
    """Those pages (counted from 1) in order, None for one that could not be drawn or read."""
    with PDFIUM:
        document = pdfium.PdfDocument(source.data)
    try:
        for done, number in enumerate(numbers):
            try:
                picture = _drawn(document, number - 1)
                page = read_page(recognizer, picture, alive=partial(source.progress, done, len(numbers)))
            except (pdfium.PdfiumError, Unreadable):
                page = None
            source.progress(done + 1, len(numbers))
            yield number, page
    finally:
        with PDFIUM:
            document.close()


def _drawn(document: pdfium.PdfDocument, index: int) -> Picture:
    """Raises PdfiumError."""
    with PDFIUM:
        page = document[index]
        try:
            bitmap = page.render(scale=scale_to_read(*page.get_size()), rev_byteorder=True)
            picture: Picture = bitmap.to_numpy()[..., :3].copy()
            bitmap.close()
            return picture
        finally:
            page.close()
