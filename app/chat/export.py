"""Turns as a file that other programs read: JSON lines, or a table that a spreadsheet opens.

A cell that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection): what people
write in a chat must not run on the machine of who opens the file. The mark at the beginning has Excel read UTF-8.
"""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from app.chat.archive import KeptTurn

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_MARK = "\ufeff"


class Format(StrEnum):
    """A line for a turn either way."""

    JSONL = "jsonl"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        return "application/x-ndjson" if self is Format.JSONL else "text/csv; charset=utf-8"


async def exported(lots: AsyncIterator[list[KeptTurn]], form: Format) -> AsyncIterator[bytes]:
    """The file in pieces, as its turns are read."""
    if form is Format.CSV:
        yield (_MARK + _lines([list(KeptTurn.__dataclass_fields__)])).encode()
    async for turns in lots:
        if form is Format.CSV:
            yield _lines([[cell(value) for value in asdict(turn).values()] for turn in turns]).encode()
        else:
            yield b"".join(orjson.dumps(turn, option=orjson.OPT_APPEND_NEWLINE) for turn in turns)


def cell(value: Any) -> str:
    """A value as text that no spreadsheet runs."""
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = value.isoformat()
        case tuple():
            text = " | ".join(map(str, value))
        case _:
            text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _lines(rows: Sequence[Sequence[str]]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerows(rows)
    return made.getvalue()
