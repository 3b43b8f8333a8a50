"""PPT (PowerPoint 97–2003): a tree of records ([MS-PPT]); texts stand in the outline and in the drawings of slides."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import olefile

from ingest.blocks import Block, Heading, Text
from ingest.loaders.source import Draft, Source, encrypted, parsing

_SLIDE_LIST, _SLIDE_PERSIST, _SLIDE = 0x0FF0, 0x03F3, 0x03EE
_TEXT_HEADER, _TEXT_CHARS, _TEXT_BYTES = 0x0F9F, 0x0FA0, 0x0FA8
_PERSIST_DIRECTORY, _ENCRYPTION, _TITLE_TYPES = 0x1772, 0x2F14, (0, 6)
_SLIDES = 0  # instance of the list that holds slides; 1 are masters, 2 notes
_CONTAINER = 0x0F
_LONGEST_TITLE = 60
_DEEPEST = 40


@dataclass(slots=True)
class _Slide:
    persist: int
    title: str | None = None
    texts: list[str] = field(default_factory=list)


def load_ppt(source: Source) -> Draft:
    """Slides in their order. Raises DocumentRefused ``encrypted`` for a file with a password."""
    with parsing("PowerPoint"), olefile.OleFileIO(io.BytesIO(source.data)) as container:
        with container.openstream("PowerPoint Document") as stream:
            data = stream.read()
        records = list(_records(data, 0, len(data)))
        if any(record.kind == _ENCRYPTION for record in records) or container.exists("EncryptedSummary"):
            raise encrypted("PowerPoint")
        slides = _outline(data, records)
        offsets = _offsets(data, records)
        for slide in slides:
            _add_drawing(data, offsets.get(slide.persist), slide)
        draft = Draft(pictures=1 if container.exists("Pictures") else 0)
        for page, slide in enumerate(slides, start=1):
            draft.blocks.extend(_slide_blocks(slide, page))
        draft.title = next((block.text for block in draft.blocks if isinstance(block, Heading)), None)
        return draft


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    instance: int
    is_container: bool
    start: int  # of its contents
    end: int


def _records(data: bytes, start: int, end: int, depth: int = 0) -> Iterator[_Record]:
    """All records of a stretch, containers before what they contain."""
    at = start
    while at + 8 <= end:
        head, kind, size = struct.unpack_from("<HHI", data, at)
        record = _Record(kind, head >> 4, head & 0x0F == _CONTAINER, at + 8, min(at + 8 + size, end))
        yield record
        if record.is_container and depth < _DEEPEST:
            yield from _records(data, record.start, record.end, depth + 1)
        at += 8 + size


def _outline(data: bytes, records: list[_Record]) -> list[_Slide]:
    """Slides as the last saved list of slides names them, with the texts of their placeholders."""
    lists = [record for record in records if record.kind == _SLIDE_LIST and record.instance == _SLIDES]
    slides: list[_Slide] = []
    kind = -1
    for record in _records(data, lists[-1].start, lists[-1].end) if lists else ():
        if record.kind == _SLIDE_PERSIST:
            slides.append(_Slide(struct.unpack_from("<I", data, record.start)[0]))
        elif record.kind == _TEXT_HEADER:
            (kind,) = struct.unpack_from("<I", data, record.start)
        elif slides and (text := _text(data, record)):
            _add(slides[-1], text, is_title=kind in _TITLE_TYPES)
    return slides


def _offsets(data: bytes, records: list[_Record]) -> dict[int, int]:
    """Persist id → place of the object; directories saved later override earlier ones."""
    found: dict[int, int] = {}
    for record in records:
        at = record.start
        while record.kind == _PERSIST_DIRECTORY and at + 4 <= record.end:
            (head,) = struct.unpack_from("<I", data, at)
            first, count = head & 0xFFFFF, head >> 20
            places = struct.unpack_from(f"<{count}I", data, at + 4)
            found.update(zip(range(first, first + count), places, strict=True))
            at += 4 + 4 * count
    return found


def _add_drawing(data: bytes, offset: int | None, slide: _Slide) -> None:
    """Texts of a slide's own drawing: text boxes, and placeholders that are not in the outline."""
    if offset is None or offset + 8 > len(data):
        return
    _, kind, size = struct.unpack_from("<HHI", data, offset)
    if kind != _SLIDE:
        return
    text_kind = -1
    for record in _records(data, offset + 8, min(offset + 8 + size, len(data))):
        if record.kind == _TEXT_HEADER:
            (text_kind,) = struct.unpack_from("<I", data, record.start)
        elif text := _text(data, record):
            _add(slide, text, is_title=text_kind in _TITLE_TYPES)


def _text(data: bytes, record: _Record) -> str:
    raw = data[record.start : record.end]
    if record.kind == _TEXT_CHARS:
        text = raw.decode("utf-16-le", errors="replace")
    elif record.kind == _TEXT_BYTES:
        text = raw.decode("latin-1")
    else:
        return ""
    return text.replace("\r", "\n").replace("\x0b", "\n").strip()


def _add(slide: _Slide, text: str, *, is_title: bool) -> None:
    if is_title and slide.title is None:
        slide.title = " ".join(text.split())
    elif text not in slide.texts:
        slide.texts.append(text)


def _slide_blocks(slide: _Slide, page: int) -> list[Block]:
    if not slide.texts and not slide.title:
        return []
    texts, title = slide.texts, slide.title
    if title is None and len(texts[0]) <= _LONGEST_TITLE and "\n" not in texts[0]:
        title, texts = texts[0], texts[1:]
    return [Heading(1, title or f"Slide {page}", page=page), *(Text(text, page=page) for text in texts)]
