"""A PDF that PDFium cannot open: pdfminer finds objects without a directory, which saves what a cut-off file has."""

import io
import time
from dataclasses import replace

from ingest.blocks import Block, Text
from ingest.loaders.plain import plain_blocks
from ingest.loaders.source import Draft, corrupt

TIME_LIMIT = 20.0  # seconds; pages that come later are missing, and the note says so


def rescued(data: bytes) -> Draft:
    """The texts of the pages that can be found. Raises DocumentRefused ``corrupt`` if none can."""
    from pdfminer.high_level import extract_pages
    from pdfminer.layout import LTTextContainer
    from pdfminer.pdfexceptions import PDFException
    from pdfminer.psexceptions import PSException

    draft = Draft(notes=["The file is damaged; parts of it may be missing."])
    started = time.monotonic()
    try:
        for number, page in enumerate(extract_pages(io.BytesIO(data)), start=1):
            text = "\n".join(part.get_text() for part in page if isinstance(part, LTTextContainer))
            draft.blocks.extend(_on_page(block, number) for block in plain_blocks(text))
            if time.monotonic() - started > TIME_LIMIT:
                break
    except (PDFException, PSException, ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
        if not draft.blocks:
            raise corrupt("PDF") from exc
    if not draft.blocks:
        raise corrupt("PDF")
    return draft


def _on_page(block: Block, page: int) -> Block:
    return replace(block, page=page) if isinstance(block, Text) else block
