"""Long Markdown in parts that can each be shown by themselves.

A part ends at the best place that fills it well: a paragraph, a line, a row, a sentence, a clause; inside a word only
where there is nothing else. Code that goes on is closed and opened again with its language, a table repeats its header.
Nothing but white space at the cuts is left out.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator

from bots.dingtalk.blocks import IN_CODE, IN_TABLE, Line, lines, open_fence
from bots.wording import say
from knowledge.language import Language

_FILLED = 0.35  # of what would fit: a better place that leaves a part emptier than this is no better
_HALF = 0.5
_OVERHEAD = 1 / 3  # of a part may go to what is repeated in it
_SENTENCE = re.compile(r"(?:[。！？!?…；]+|\.(?=\s)|;(?=\s))[”’\"'」』）)】》]*\s*")
_CLAUSE = re.compile(r"[，、：,:]\s*|\s+")
_WHOLE = re.compile(
    r"!?\[[^\[\]\n]*\]\([^()\n]*\)|`[^`\n]+`|\*\*[^*\n]+\*\*|\[\d[\d,， ]*\]|https?://[^\s，。；、）】》”<>]+|<[^<>\n]+>"
)
_LONGEST = 500  # characters of a link that is kept whole
_ZWJ = "\u200d"
_STICKY = frozenset("`~*_#")  # runs of marks mean something as a whole

Size = Callable[[str], int]


def split_points(markdown: str, limit: int) -> list[str]:
    """Parts of at most ``limit`` code points. Raises ValueError for a limit below one."""
    return split_bytes(markdown, limit, size=len)


def split_bytes(markdown: str, limit: int, *, size: Size) -> list[str]:
    """Parts of at most ``limit`` as ``size`` measures them, such as bytes as they are sent.

    ``size`` grows with its text. Raises ValueError where not even one character is within the limit.
    """
    return [part for part in _Splitter(markdown, limit, size).parts() if part.strip()]


def shortened(markdown: str, limit: int, link: str | None, language: Language) -> str:
    """All of it when it is within ``limit`` code points, else its beginning and where the rest can be read."""
    if len(markdown) <= limit:
        return markdown
    line = say("answer.full_text", language, link=link) if link else say("answer.cut", language)
    room = limit - len(line) - 2
    if room < len(line):  # a link that is longer than what it leaves room for
        return split_points(markdown, limit)[0]
    return f"{split_points(markdown, room)[0]}\n\n{line}"


class _Splitter:
    def __init__(self, text: str, limit: int, size: Size) -> None:
        self._text = text
        self._limit = limit
        self._size = size
        self._lines = lines(text)
        self._starts = [line.start for line in self._lines]
        self._grades = [_grade(self._lines, number) for number in range(len(self._lines))]

    def parts(self) -> Iterator[str]:
        start = 0
        while start < len(self._text):
            opening = self._opening(start)
            end = self._end(start, opening)
            if end == start and opening:
                opening = ""
                end = self._end(start, opening)
            if end == start:
                raise ValueError(f"One character is longer than the limit of {self._limit}.")
            if self._text[start:end].strip():
                yield self._part(start, opening, end)
            start = end

    def _part(self, start: int, opening: str, end: int) -> str:
        body = self._text[start:end]
        part = opening + (body if opening else body.lstrip("\n"))
        fence = open_fence(part)
        if fence is None:
            return part.rstrip()
        return f"{part}{'' if part.endswith(chr(10)) else chr(10)}{fence.closer}"

    def _opening(self, start: int) -> str:
        """What a part that starts in the middle of a block needs before it."""
        line = self._line(start)
        openers: tuple[str, ...] = ()
        if line.kind in IN_CODE and line.fence and (line.kind != "open" or start > line.start):
            openers = (f"{line.fence.opener}\n", f"{line.fence.closer}\n")
        elif line.kind == "row" and start == line.start:
            openers = (f"{line.head}\n",)
        return next((each for each in openers if self._size(each) <= self._limit * _OVERHEAD), "")

    def _end(self, start: int, opening: str) -> int:
        def fits(end: int) -> bool:
            return self._size(self._part(start, opening, end)) <= self._limit

        reach = _reach(fits, start, len(self._text), step=self._limit)
        if reach in (start, len(self._text)):
            return reach
        return next((end for end in self._places(start, reach) if fits(end)), reach)

    def _places(self, start: int, reach: int) -> Iterator[int]:
        """Where a part may end, the best first."""
        filled = start + int((reach - start) * _FILLED) + 1
        for grade, least in ((0, start + int((reach - start) * _HALF) + 1), (1, filled), (2, filled)):
            yield from self._line_starts(least, reach, grade)
        line = self._line(reach)
        begin = max(line.start, start)
        near = self._text[begin : min(line.start + len(line.text), reach + _LONGEST)]
        whole = _Whole(near, begin) if line.kind not in IN_CODE else _Whole("", begin)
        for mark in (_SENTENCE, _CLAUSE) if line.kind not in IN_CODE else (_CLAUSE,):
            ends = (match.end() + begin for match in mark.finditer(near))
            yield from sorted((end for end in ends if filled <= end <= reach and not whole.holds(end)), reverse=True)
        yield from self._line_starts(filled, reach, 3)
        for end in range(reach, max(filled, reach - 400), -1):
            if not whole.holds(end) and not _joined(self._text, end):
                yield end
        yield from (end for end in range(reach, max(start, reach - 40), -1) if not _joined(self._text, end))

    def _line_starts(self, least: int, most: int, grade: int) -> Iterator[int]:
        for number in range(bisect_right(self._starts, most) - 1, -1, -1):
            if self._starts[number] < least:
                return
            if self._grades[number] == grade:
                yield self._starts[number]

    def _line(self, at: int) -> Line:
        return self._lines[bisect_right(self._starts, at) - 1]


class _Whole:
    """Links, citations, addresses, code and bold text: what should not be cut. ``begin`` is the text's offset."""

    def __init__(self, text: str, begin: int) -> None:
        self._spans = [(begin + match.start(), begin + match.end()) for match in _WHOLE.finditer(text)]

    def holds(self, at: int) -> bool:
        return any(start < at < end for start, end in self._spans)


def _grade(found: list[Line], number: int) -> int:
    """How well a text can be cut before a line: 0 a paragraph, 1 a line, 2 a row of a table or of code, 3 badly."""
    line, before = found[number], found[number - 1] if number else None
    if before is None or line.kind in ("close", "delimiter") or before.kind in ("open", "delimiter"):
        return 3
    if line.kind in ("code", "row"):
        return 2
    said = next((each for each in reversed(found[:number][-3:]) if each.kind != "blank"), before)
    if said.kind == "heading" or said.text.rstrip().endswith((":", "：")):
        return 3
    return 0 if before.kind == "blank" or before.kind in ("close", *IN_TABLE) else 1


def _reach(fits: Callable[[int], bool], start: int, last: int, *, step: int) -> int:
    """As far as a part can go from ``start``: found by doubling, then by halving."""
    low, high = start, min(last, start + max(step, 1))
    while fits(high):
        if high == last:
            return last
        low, step = high, step * 2
        high = min(last, high + step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _joined(text: str, at: int) -> bool:
    """Whether what stands before and after an offset is one character to a reader."""
    before, after = text[at - 1], text[at : at + 1]
    if not after or after == "\n":
        return False
    if _ZWJ in (before, after) or _is_modifier(after) or (before == after and before in _STICKY):
        return True
    if _is_flag(before) and _is_flag(after):
        return _flags_before(text, at) % 2 == 1
    return (before == "\r" and after == "\n") or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")


def _is_modifier(character: str) -> bool:
    """Accents, variation selectors, skin tones, tags."""
    point = ord(character)
    return unicodedata.category(character).startswith("M") or 0x1F3FB <= point <= 0x1F3FF or 0xE0020 <= point <= 0xE007F


def _is_flag(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF


def _flags_before(text: str, at: int) -> int:
    count = 0
    while count < at and _is_flag(text[at - 1 - count]):
        count += 1
    return count
