"""A picture → its lines worth keeping, whatever its shape."""

from dataclasses import replace

from ingest.ocr.pictures import strips
from ingest.ocr.ports import Alive, Picture, Recognizer, SeenLine, SeenPage

LEAST_CONFIDENCE = 0.6  # below it, what was read was mostly drawing, or letters printed over one another
_LEAST_SIDE = 16  # pixels; a line of text needs about ten
_QUIET = 2  # grey levels that the pixels of a picture without anything in it differ by


def read_page(recognizer: Recognizer, picture: Picture, *, alive: Alive) -> SeenPage:
    """The lines that were read with some confidence."""
    height, width = picture.shape[:2]
    if min(height, width) < _LEAST_SIDE or picture.std() < _QUIET:
        return SeenPage(width, height)
    pages = [(top, recognizer.read(part, alive=alive)) for top, part in strips(picture)]
    if len(pages) == 1:  # may have been turned
        page = pages[0][1]
        return replace(page, lines=tuple(filter(_is_sure, page.lines)))
    lines = [_lower(line, top) for top, page in pages for line in page.lines if _is_sure(line)]
    return SeenPage(width, height, tuple(lines))


def _is_sure(line: SeenLine) -> bool:
    return line.confidence >= LEAST_CONFIDENCE and any(char.isalnum() for char in line.text)


def _lower(line: SeenLine, by: int) -> SeenLine:
    return replace(line, top=line.top + by, bottom=line.bottom + by)
