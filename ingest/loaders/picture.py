"""A picture file, or a TIFF of scanned pages: what recognition reads of it."""

from functools import partial

from ingest.loaders.seen_page import blocks_seen
from ingest.loaders.source import Draft, Source, corrupt, needs_ocr, too_large
from ingest.ocr.ports import Recognizer, SeenPage, TooLarge, Unreadable
from knowledge.errors import DocumentRefused


def load_picture(source: Source) -> Draft:
    """Raises DocumentRefused ``needs_ocr`` without a recogniser; ``corrupt`` where not one page can be opened."""
    if source.recognizer is None:
        raise needs_ocr("This is a picture.")
    from ingest.ocr.pictures import frame_count

    try:
        count = frame_count(source.data)
    except Unreadable as exc:
        raise _refused(exc) from exc
    draft = Draft()
    pages = [page for at in range(count) if (page := _read(source, source.recognizer, at, count, draft)) is not None]
    draft.blocks = blocks_seen(pages, numbered=count > 1)
    draft.title = draft.leading_title()
    read = "Read by text recognition." if draft.blocks else "Text recognition found none in it."
    draft.notes.insert(0, read)
    return draft


def _read(source: Source, recognizer: Recognizer, at: int, count: int, draft: Draft) -> tuple[int, SeenPage] | None:
    """(number, page); a page that can't be read costs itself, unless it is all there is."""
    from ingest.ocr.pictures import frame
    from ingest.ocr.reading import read_page

    try:
        page = read_page(recognizer, frame(source.data, at), alive=partial(source.progress, at, count))
    except Unreadable as exc:
        if count == 1:
            raise _refused(exc) from exc
        draft.notes.append(f"Page {at + 1} could not be read.")
        return None
    source.progress(at + 1, count)
    return at + 1, page


def _refused(why: Unreadable) -> DocumentRefused:
    return too_large("This picture has too many pixels.") if isinstance(why, TooLarge) else corrupt("picture")
