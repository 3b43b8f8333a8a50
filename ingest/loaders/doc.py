"""DOC (Word 97–2003): the piece table gives the text in order ([MS-DOC]); headings are found by their numbers.

Formatting is not read. Tables are: their cells end in character 7, their rows in two of them.
"""

import io
import re
import struct
from collections.abc import Iterator
from itertools import groupby

import olefile

from ingest.blocks import Block, Text
from ingest.encoding import decode
from ingest.loaders.flow import titled, with_headings
from ingest.loaders.grid import blocks_of, grid_of
from ingest.loaders.source import Draft, Source, corrupt, encrypted, parsing

_WORD = 0xA5EC  # wIdent of Word 6 and later
_WORD_97 = 0x00C1  # nFib from which on the piece table lies in the table stream
_ENCRYPTED, _SECOND_TABLE, _OBFUSCATED = 0x0100, 0x0200, 0x8000
_COMPRESSED = 0x40000000  # a piece of one byte a character
_FIELD_CODE = re.compile("\x13[^\x13\x14\x15]*\x14([^\x13\x14\x15]*)\x15|\x13[^\x13\x14\x15]*\x15")
_CONTENTS = re.compile(r"\t(?:\d{1,4}|[ivxlc]{1,6})\s*$")  # a heading, a tab, its page
_CELL = "\x07"


def load_doc(source: Source) -> Draft:
    """Raises DocumentRefused ``encrypted`` for a document with a password to open."""
    with parsing("Word"), olefile.OleFileIO(io.BytesIO(source.data)) as container:
        with container.openstream("WordDocument") as stream:
            main = stream.read()
        ident, version, flags = struct.unpack_from("<HH6xH", main)
        if ident != _WORD:
            raise corrupt("Word")
        if flags & (_ENCRYPTED | _OBFUSCATED):
            raise encrypted("Word")
        if version < _WORD_97:
            text = _old_text(main)
        else:
            name = "1Table" if flags & _SECOND_TABLE else "0Table"
            with container.openstream(name) as stream:
                text = _text(main, stream.read())
        text = _without_fields(text)
        blocks, title = titled(_blocks(text))
        return Draft(blocks=blocks, title=title, pictures=text.count("\x01") + text.count("\x08"))


def _text(main: bytes, table: bytes) -> str:
    """The body's characters, piece by piece; foot- and endnotes follow it, headers do not."""
    body, notes, headers, _, remarks, endnotes = struct.unpack_from("<6i", main, 0x4C)
    start, size = struct.unpack_from("<II", main, 0x01A2)
    characters = "".join(_pieces(main, table[start : start + size]))
    endnote_start = body + notes + headers + max(remarks, 0)
    return characters[: body + notes] + characters[endnote_start : endnote_start + max(endnotes, 0)]


def _pieces(main: bytes, clx: bytes) -> Iterator[str]:
    at = 0
    while at < len(clx) and clx[at] == 1:  # formatting of pieces, not needed
        at += 3 + int.from_bytes(clx[at + 1 : at + 3], "little")
    if at >= len(clx) or clx[at] != 2:
        raise corrupt("Word")
    size = int.from_bytes(clx[at + 1 : at + 5], "little")
    plc = clx[at + 5 : at + 5 + size]
    count = (len(plc) - 4) // 12
    positions = struct.unpack_from(f"<{count + 1}I", plc)
    for index in range(count):
        length = positions[index + 1] - positions[index]
        (place,) = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * index + 2)
        if length > len(main):
            raise corrupt("Word")
        if place & _COMPRESSED:
            begin = (place & ~_COMPRESSED) // 2
            yield main[begin : begin + length].decode("cp1252", errors="replace")
        else:
            yield main[place : place + 2 * length].decode("utf-16-le", errors="replace")


def _old_text(main: bytes) -> str:
    """Word 6 and 95: one run of bytes in the code page of the machine that wrote it."""
    first, last = struct.unpack_from("<II", main, 0x18)
    return decode(main[first:last]).text


def _without_fields(text: str) -> str:
    """Field codes are dropped, what fields show is kept; fields stand inside each other."""
    while (shown := _FIELD_CODE.sub(lambda match: match[1] or "", text)) != text:
        text = shown
    return text


def _blocks(text: str) -> list[Block]:
    """Paragraphs and rows, without the lines of a table of contents."""
    text = text.translate({0x0B: "\n", 0x0C: "\r", 0x0E: "\r", 0x1E: "-", 0x1F: None, 0x02: None, 0x05: None})
    paragraphs = _rows_joined(text)
    blocks: list[Block] = []
    for is_row, lines in groupby(paragraphs, key=lambda line: _CELL in line):
        if is_row:
            blocks.extend(_table([line.split(_CELL) for line in lines]))
        else:
            blocks.extend(with_headings(line.strip() for line in lines if line.strip() and not _CONTENTS.search(line)))
    return blocks


def _rows_joined(text: str) -> Iterator[str]:
    """Paragraphs; those inside a table's cells stay with their row, which is one line."""
    for part in re.split(f"(?<={_CELL}{_CELL})", text):
        if not part.endswith(_CELL * 2):
            yield from part.split("\r")
            continue
        # what stands before the row's first cell ended with a paragraph mark: its last line begins the row
        before, _, row = part[:-2].partition(_CELL)
        *paragraphs, first = before.split("\r")
        yield from paragraphs
        yield f"{first}{_CELL}{row}".replace("\r", "\n") if row or _CELL in part[:-2] else first + _CELL


def _table(rows: list[list[str]]) -> list[Block]:
    cells = [[cell.strip() for cell in row] for row in rows]
    if max(map(len, cells)) < 2:
        return [Text("\n".join(cell for row in cells for cell in row if cell))]
    return blocks_of(grid_of(cells))
