"""Plain text: paragraphs, numbered headings, underlined headings; hard-wrapped lines joined."""

import re
import statistics
from textwrap import dedent

from ingest.blocks import Block, Heading
from ingest.clean import clean
from ingest.encoding import decode
from ingest.loaders.flow import BULLET, join_lines, with_headings
from ingest.loaders.source import Draft, Source, parsing

_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_UNDERLINE = re.compile(r"([=\-~*#_])\1{2,}")
_WRAP = range(55, 101)  # usual widths of hard-wrapped text, in columns


def load_plain(source: Source) -> Draft:
    """Paragraphs are separated by empty lines; where there are none every line stays a line."""
    with parsing("text"):
        decoded = decode(source.data)
        draft = Draft(blocks=plain_blocks(decoded.text))
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
    """Whether line ends are only where the paper ended: all lines but the last nearly equally long, none a list."""
    if len(lines) < 3 or any(BULLET.match(line) or line.startswith((" ", "\t")) for line in lines):
        return False
    widths = [len(line) + sum(char > "\u2e80" for char in line) for line in lines]
    return max(widths) in _WRAP and statistics.median(widths[:-1]) >= max(widths) - 12 and widths[-1] <= max(widths)
