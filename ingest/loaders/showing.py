"""What a page of the console shows of a file. Called in a parser's process, as loaders are: a file that was read once
may still take too long to be drawn.
"""

from dataclasses import replace
from pathlib import Path

from ingest.blocks import Block, Faq, Heading, LoadedDocument, Table, Text
from ingest.loaders.registry import load
from ingest.loaders.source import Progress, silent
from ingest.shown import CUT, ShownPages


def pages(path: Path, *, first: int, count: int, max_bytes: int) -> ShownPages:
    """Of a PDF or a picture; ``first`` counts from 1. Raises DocumentRefused."""
    from ingest.loaders import drawn

    return drawn.pages(path, first=first, count=count, max_bytes=max_bytes)


def page_picture(path: Path, *, number: int, max_bytes: int) -> bytes:
    """A page as WebP. Raises DocumentRefused."""
    from ingest.loaders import drawn

    return drawn.page_picture(path, number=number, max_bytes=max_bytes)


def blocks(path: Path, *, name: str, max_bytes: int, most: int, progress: Progress = silent) -> LoadedDocument:
    """As :func:`load`, without text recognition and to the block that passes ``most`` characters; a note says so."""
    loaded = load(path, name=name, max_bytes=max_bytes, progress=progress)
    kept: list[Block] = []
    left = most
    for block in loaded.blocks:
        kept.append(_cut(block, left))
        left -= sum(map(len, _texts(kept[-1])))
        if left <= 0:
            return replace(loaded, blocks=tuple(kept), notes=(CUT,))
    return replace(loaded, notes=())


def _cut(block: Block, most: int) -> Block:
    if isinstance(block, Text):
        return replace(block, text=block.text[:most])
    if not isinstance(block, Table):
        return block
    rows, left = 0, most
    while rows < len(block.rows) and left > 0:
        left -= sum(map(len, block.rows[rows]))
        rows += 1
    return replace(block, rows=block.rows[:rows], row_numbers=block.row_numbers[:rows])


def _texts(block: Block) -> list[str]:
    match block:
        case Table():
            return [cell for row in block.rows for cell in row]
        case Faq():
            return [block.question, block.answer]
        case Heading() | Text():
            return [block.text]
