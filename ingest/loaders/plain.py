"""Plain text: paragraphs, numbered headings, underlined headings; hard-wrapped lines joined."""

import re
from itertools import pairwise
from textwrap import dedent

from ingest.blocks import Block, Heading
from ingest.clean import clean
from ingest.encoding import decode
from ingest.loaders.flow import BULLET, join_lines, titled, with_headings
from ingest.loaders.source import Draft, Source, parsing

_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_UNDERLINE = re.compile(r"([=\-~*#_])\1{2,}")
_WRAP = range(55, 101)  # usual widths of hard-wrapped text, in columns


def load_plain(source: Source) -> Draft:
    """Paragraphs are separated by empty lines; where there are none every line stays a line."""
    with parsing("text"):
        decoded = decode(source.data)
        blocks, title = titled(plain_blocks(decoded.text))
        draft = Draft(blocks=blocks, title=title)
        if "\ufffd" in decoded.text:
            draft.notes.append(f"Some characters could not be read as {decoded.encoding}.")
        return draft


def plain_blocks(text: str) -> list[Block]:
    """Blocks of a plain text, also of the body of a message."""
    blocks: list[Block] = []
    pending: list[str] = []
    for paragraph in _EMPTY_LINES.split(clean(text)):
        lines = [line.rstrip() for line in dedent(paragraph).split("\n") if line.strip()]
        if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1].strip()) and len(lines[0]) <= 80:
            blocks.extend(with_headings(pending))
            blocks.append(Heading(1 if lines[1].strip()[0] == "=" else 2, lines[0].strip()))
            pending = []
            lines = lines[2:]
        lines = [line for line in lines if not _UNDERLINE.fullmatch(line.strip())]
        if lines:
            pending.append(join_lines(lines) if _is_wrapped(lines) else "\n".join(lines))
    return blocks + with_headings(pending)


def _is_wrapped(lines: list[str]) -> bool:
    """Whether line ends are only where the paper ended: after none of them would the next word have fitted."""
    if len(lines) < 3 or any(BULLET.match(line) or line.startswith((" ", "\t")) for line in lines):
        return False
    limit = max(map(_width, lines))
    return limit in _WRAP and all(_width(line) + _room(after) > limit for line, after in pairwise(lines))


def _width(text: str) -> int:
    return len(text) + sum(char > "\u2e80" for char in text)


def _room(text: str) -> int:
    """What the first word of a line would have taken at the end of the one before, its blank included."""
    return 3 if text[0] > "\u2e80" else len(text.split(" ", 1)[0]) + 1
