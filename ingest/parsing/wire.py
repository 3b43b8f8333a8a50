"""What goes through the pipes between a parser and its parent: JSON behind its length, and values made from it.

Not pickle: a parser that a hostile file has taken over could send code, and its parent would run it.
"""

import base64
import json
import struct
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeAlias, get_args

from ingest.blocks import Block, LoadedDocument
from ingest.shown import ShownLine, ShownPage, ShownPages
from ingest.unpacked import LeftOut, Member, Unpacked
from knowledge.validity import Window

Message: TypeAlias = dict[str, Any]  # one key, that names its kind

LONGEST = 256 << 20  # bytes of a message: some 80 million Chinese characters
_LENGTH = struct.Struct("<I")
_BLOCKS = {kind.__name__: kind for kind in get_args(Block)}


class TooLong(Exception):
    """A message is longer than :data:`LONGEST`."""


def packed(message: Message) -> bytes:
    """Raises TooLong."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if len(body) > LONGEST:
        raise TooLong
    return _LENGTH.pack(len(body)) + body


def taken(buffer: bytearray) -> Message | None:
    """Take a message off the buffer's beginning; None if it is not complete.

    Raises TooLong and ValueError for what no parser of ours sends.
    """
    if len(buffer) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(buffer)
    if length > LONGEST:
        raise TooLong
    end = _LENGTH.size + length
    if len(buffer) < end:
        return None
    message = json.loads(buffer[_LENGTH.size : end].decode("utf-8", "surrogatepass"))
    del buffer[:end]
    if not isinstance(message, dict) or len(message) != 1:
        raise ValueError(message)
    return message


def document_message(document: LoadedDocument) -> Message:
    blocks = [[type(block).__name__, _values(block)] for block in document.blocks]
    window = document.window
    bounds = None if window is None else [bound and bound.isoformat() for bound in (window.start, window.end)]
    return {"document": {**_values(document), "blocks": blocks, "window": bounds}}


def document_of(content: Any) -> LoadedDocument:
    """Raises ValueError, TypeError or LookupError where it is none."""
    blocks = tuple(_BLOCKS[kind](**_frozen_values(values)) for kind, values in content.pop("blocks"))
    bounds = content.pop("window")
    window = None if bounds is None else Window(*[bound and datetime.fromisoformat(bound) for bound in bounds])
    return LoadedDocument(blocks=blocks, window=window, **_frozen_values(content))


def unpacked_message(unpacked: Unpacked) -> Message:
    return {
        "unpacked": [
            [[member.file, member.name] for member in unpacked.members],
            [[left.name, left.reason] for left in unpacked.left_out],
        ]
    }


def unpacked_of(content: Any) -> Unpacked:
    """Raises as :func:`document_of` does."""
    members, left_out = content
    return Unpacked(tuple(Member(*member) for member in members), tuple(LeftOut(*left) for left in left_out))


def pages_message(shown: ShownPages) -> Message:
    pages = [[page.width, page.height, [list(_values(line).values()) for line in page.lines]] for page in shown.pages]
    return {"pages": [shown.total, shown.first, pages]}


def pages_of(content: Any) -> ShownPages:
    """Raises as :func:`document_of` does."""
    total, first, pages = content
    return ShownPages(int(total), int(first), tuple(_page_of(*page) for page in pages))


def _page_of(width: float, height: float, lines: list[Any]) -> ShownPage:
    made = (ShownLine(str(text), *(float(number) for number in place)) for text, *place in lines)
    return ShownPage(float(width), float(height), tuple(made))


def picture_message(picture: bytes) -> Message:
    return {"picture": base64.b64encode(picture).decode("ascii")}


def picture_of(content: Any) -> bytes:
    """Raises as :func:`document_of` does."""
    return base64.b64decode(content, validate=True)


def _values(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _frozen_values(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _frozen(value) for name, value in values.items()}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
