"""Lines with places and sizes → headings and paragraphs; wrapped lines joined, also across columns and pages."""

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ingest.blocks import Block, Heading, Text
from ingest.clean import clean, clean_line
from ingest.loaders.flow import BULLET, heading_level, join_lines
from ingest.loaders.pdf_lines import Line
from ingest.loaders.pdf_tables import FoundTable

_LARGER = 1.15  # times the body's size: a heading
_MOST_LEVELS = 4
_LONGEST_HEADING = 90  # characters; a Chinese one is rarely longer than 40
_GAP = 1.4  # times the usual distance of lines: a new paragraph
_ENDS_SENTENCE = re.compile(r"[。！？!?；;：:.…”’）)」』]$")
_NO_HEADING = re.compile(r"[。，；,;]$|[a-z]\.$")
_WIDE = re.compile("[\u2e80-\u9fff\uff00-\uffef]")


class Layout:
    """Learns the body's size from all lines, then takes page after page."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._body, self._levels = font_sizes(lines)
        self._bold_is_rare = sum(line.bold for line in lines) < 0.4 * len(lines)
        self._blocks: list[Block] = []
        self._open: list[Line] = []  # the paragraph being gathered
        self._edges: list[float] = []  # where its lines' column ends
        self._distance = 0.0  # from line to line on the page at hand

    def add_page(self, lines: Sequence[Line], tables: Sequence[FoundTable]) -> None:
        """Lines in the page's order; a table stands where the first of its lines would."""
        waiting = list(tables)
        self._distance = _usual_distance(lines)
        previous: Line | None = None
        for index, line in enumerate(lines):
            table = next((table for table in tables if table.holds(line)), None)
            if table is not None:
                if table in waiting:
                    waiting.remove(table)
                    self._close()
                    self._blocks.extend(table.blocks)
                previous = None
                continue
            following = lines[index + 1] if index + 1 < len(lines) else None
            self._add(line, previous, following, _edge(lines, index))
            previous = line
        for table in waiting:
            self._close()
            self._blocks.extend(table.blocks)

    def blocks(self) -> list[Block]:
        self._close()
        return self._blocks

    def _add(self, line: Line, previous: Line | None, following: Line | None, edge: float) -> None:
        level = self._level(line)
        if level is None and self._is_bold_heading(line, previous, following):
            level = min(len(self._levels) + 1, _MOST_LEVELS)
        if level is not None:
            self._heading(line, level, previous)
            return
        if not self._open or not self._goes_on(line, previous):
            self._close()
        self._open.append(line)
        self._edges.append(edge)

    def _level(self, line: Line) -> int | None:
        if not _may_be_heading(line):
            return None
        if (level := self._levels.get(_rounded(line.size))) is not None:
            return level
        numbered = heading_level(line.text)
        if numbered is not None and (line.bold or _WIDE.search(line.text)):
            return max(numbered, min(len(self._levels) + 1, 3))
        return None

    def _is_bold_heading(self, line: Line, previous: Line | None, following: Line | None) -> bool:
        """A bold line of its own above text that is not, in a document whose text is not."""
        if not line.bold or not self._bold_is_rare or len(line.text) > 60 or not _may_be_heading(line):
            return False
        if following is None or following.bold or following.bottom > line.bottom or line.text.endswith((":", "：")):
            return False
        return previous is None or not self._open or not 0 < previous.bottom - line.bottom < 1.15 * self._distance

    def _heading(self, line: Line, level: int, previous: Line | None) -> None:
        self._close()
        last = self._blocks[-1] if self._blocks else None
        wrapped = (
            previous is not None
            and isinstance(last, Heading)
            and last.level == level
            and _rounded(previous.size) == _rounded(line.size)
            and 0 < previous.bottom - line.bottom < 1.8 * line.size
            and heading_level(line.text) is None
        )
        if wrapped and isinstance(last, Heading):
            self._blocks[-1] = Heading(level, clean_line(join_lines([last.text, line.text])), page=last.page)
        else:
            self._blocks.append(Heading(level, clean_line(line.text), page=line.page))

    def _goes_on(self, line: Line, previous: Line | None) -> bool:
        """Whether the line belongs to the open paragraph."""
        last = self._open[-1]
        if BULLET.match(line.text) or abs(last.size - line.size) > 0.15 * self._body:
            return False
        if previous is None or line.page != last.page or line.bottom > last.bottom + line.size:
            # a new page or column: only an unfinished sentence goes on
            full = _is_full(last, line, self._edges[-1])
            return full and not _ENDS_SENTENCE.search(last.text[-1:]) and not line.text[:1].isupper()
        if last.bottom - line.bottom > _GAP * max(self._distance, line.size):
            return False
        indented = line.left > last.left + 0.8 * line.size and len(self._open) > 1
        return not (indented and _ENDS_SENTENCE.search(last.text[-1:]) and not BULLET.match(self._open[0].text))

    def _close(self) -> None:
        """End the paragraph: full lines are joined to the next, others stay lines."""
        if not self._open:
            return
        lines: list[list[str]] = [[]]
        following: Sequence[Line | None] = [*self._open[1:], None]
        for line, after, edge in zip(self._open, following, self._edges, strict=True):
            lines[-1].append(f"{line.text}-" if line.hyphenated and after is not None else line.text)
            if after is not None and not _is_full(line, after, edge):
                lines.append([])
        text = "\n".join(filter(None, (clean(join_lines(parts)) for parts in lines)))
        if text:
            self._append(Text(text, page=self._open[0].page))
        self._open, self._edges = [], []

    def _append(self, block: Text) -> None:
        """Add a paragraph; an item of a list joins the items before it."""
        last = self._blocks[-1] if self._blocks else None
        is_item = isinstance(last, Text) and BULLET.match(last.text) and BULLET.match(block.text)
        if is_item and isinstance(last, Text) and last.page == block.page:
            self._blocks[-1] = Text(f"{last.text}\n{block.text}", page=last.page)
        else:
            self._blocks.append(block)


def _may_be_heading(line: Line) -> bool:
    upright = line.top - line.bottom > 3 * line.size  # a stamp up the margin
    if len(line.text) > _LONGEST_HEADING or _NO_HEADING.search(line.text[-2:]) or line.is_sparse or upright:
        return False
    return any(char.isalpha() for char in line.text)


def _is_full(line: Line, following: Line, edge: float) -> bool:
    """Whether the line ended because its column did: the next word would not have fitted."""
    if line.hyphenated:  # PDFium took the hyphen of a divided word away
        return True
    if line.is_sparse:
        return False
    word = following.text.split(" ", 1)[0]
    room = 1.6 if _WIDE.match(word) else 0.5 * min(len(word), 20) + 0.8
    return line.right + room * line.size >= edge


def _edge(lines: Sequence[Line], index: int) -> float:
    """Where the lines around this one, that begin where it does, end."""
    line = lines[index]
    around = lines[max(index - 3, 0) : index + 4]
    return max(other.right for other in around if abs(other.left - line.left) < 3 * line.size)


def font_sizes(lines: Sequence[Line]) -> tuple[float, dict[float, int]]:
    """The size most letters have, and the larger ones as heading levels (1 the largest)."""
    letters: Counter[float] = Counter()
    for line in lines:
        letters[_rounded(line.size)] += len(line.text)
    if not letters:
        return 1.0, {}
    body = letters.most_common(1)[0][0]
    larger = sorted((size for size in letters if size >= _LARGER * body), reverse=True)
    if sum(letters[size] for size in larger) > 0.3 * letters.total():  # a poster, not a text with headings
        return body, {}
    return body, {size: min(level, _MOST_LEVELS) for level, size in enumerate(larger, start=1)}


def _rounded(size: float) -> float:
    return round(size * 2) / 2


def _usual_distance(lines: Sequence[Line]) -> float:
    steps = [above.bottom - below.bottom for above, below in pairwise(lines)]
    small = [step for step, line in zip(steps, lines, strict=False) if 2 < step < min(60, 3 * line.size)]
    return statistics.median(small) if small else 0.0
