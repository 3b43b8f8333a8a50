"""Numbers, dates, times and codes in a question → tokens of their value: 5 万 is ⟦50000⟧, 下午 3 点 is ⟦15:00⟧."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from app.copywriting.dates import find_dates
from app.copywriting.numbers import Number, find_discounts, find_numbers

Span: TypeAlias = tuple[int, int, str]

# Letters with figures (hb-kt-2048, a4), figures with a leading zero, versions (2.4.7). 500ml and 20cm are amounts.
_CODE = re.compile(
    r"(?<![a-z0-9])(?!\d+(?:\.\d+)?[a-z]+(?![a-z0-9]|[-_]\w))(?=[a-z0-9._-]*[a-z])(?=[a-z0-9._-]*\d)"
    r"[a-z0-9]+(?:[-_.][a-z0-9]+)*|(?<![\d.:：])0\d+(?![\d:.])|(?<![\d.])\d+(?:\.\d+){2,}"
)
_CLOCK = re.compile(
    r"(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上|夜里)?\s?(?<!\d)(?P<hour>\d{1,2})\s?"
    r"(?:[:：](?P<minute>\d{2})(?!\d)|点(?!\d*%)(?:(?P<more>\d{1,2})分?|(?P<half>半)|钟|整)?|(?=\s?(?:am|pm)\b))"
    r"\s?(?P<half_day>(?:am|pm)\b)?"
)
_LATER = {"下午", "傍晚", "晚上", "夜里", "pm"}
_TOKEN = re.compile(r"⟦[^⟧]*⟧")


def valued(text: str) -> str:
    """``text`` is folded (:func:`knowledge.tokens.fold`)."""
    finders: tuple[Callable[[str], Iterable[Span]], ...] = (_codes, _dates, _clocks, _numbers)
    for find in finders:
        text = _replaced(text, find(text))
    return text


def _replaced(text: str, spans: Iterable[Span]) -> str:
    taken = [match.span() for match in _TOKEN.finditer(text)]
    parts, at = [], 0
    for start, end, token in sorted(spans):
        if start >= at and not any(start < until and begin < end for begin, until in taken):
            parts += [text[at:start], f"⟦{token}⟧"]
            at = end
    return "".join([*parts, text[at:]])


def _codes(text: str) -> Iterator[Span]:
    for match in _CODE.finditer(text):
        said = match[0]
        version = said.replace(".", "").isdigit()
        yield match.start(), match.end(), said if version else re.sub(r"[-_.]", "", said)


def _dates(text: str) -> Iterator[Span]:
    for date in find_dates(text):
        yield date.start, date.end, f"{date.year}-{date.month}-{date.day}"


def _clocks(text: str) -> Iterator[Span]:
    for match in _CLOCK.finditer(text):
        hours, minutes = int(match["hour"]), 30 if match["half"] else int(match["minute"] or match["more"] or 0)
        if hours < 12 and {match["part"], match["half_day"]} & _LATER:
            hours += 12
        if hours <= 24 and minutes < 60:
            yield match.start(), match.end(), f"{hours}:{minutes:02}"


def _numbers(text: str) -> Iterator[Span]:
    taken = [match.span() for match in _TOKEN.finditer(text)]

    def touched(start: int, end: int) -> bool:
        return any(start < until and begin < end for begin, until in taken)

    discounts = [one for one in find_discounts(text) if not touched(one.start, one.end)]
    taken += [(one.start, one.end) for one in discounts]
    for one in [*discounts, *find_numbers(text, touched, strict=False, commas=False)]:
        yield one.start, one.end, _said(one)


def _said(number: Number) -> str:
    unit = number.unit
    values = "/".join(f"{value * unit.factor if unit else value:f}" for value in number.readings[0])
    values = re.sub(r"\.0+(?=/|$)|(\.\d*?)0+(?=/|$)", r"\1", values)
    return f"{values} {unit.dimension} {unit.system}" if unit else values
