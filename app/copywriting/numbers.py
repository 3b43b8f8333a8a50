"""Numbers with their units: 500ml, 1,500元, 三层, 20×30×10cm, twelve months, 8.5折, -20~60°C."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from app.copywriting import numerals
from app.copywriting.units import Unit, units


@dataclass(frozen=True, slots=True)
class Number:
    """``readings``: 1,500 is fifteen hundred, or one and five hundred. ``inherited``: the unit stands further on."""

    start: int
    end: int
    readings: tuple[tuple[Decimal, ...], ...]
    unit: Unit | None = None
    inherited: bool = False


DISCOUNT = Unit("折", "discount", "metric", Decimal(1))

_DIGITS = r"([1-9]\d{0,2}(?:[,，]\d{3}(?!\d))+(?:\.\d+)?|\d+(?:[.,]\d+)*)"
_FIGURE = re.compile(rf"(?<![A-Za-z\d.])(?:[xX](?=\d))?{_DIGITS}|(?<=[A-Za-z\d][xX]){_DIGITS}")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_DOTTED = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_MANY = re.compile(r"\s?(?:(百万|千万)(?=[像次元人个美])|([百千万亿])(?![克米瓦帕焦卡伏赫兆牛])|([kK])(?![A-Za-z0-9]))")
_MANY_AS = {"百": 100, "千": 1000, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "k": 1000, "K": 1000}
_MINUS = re.compile(r"(?:(?:^|[\s(\[:,，;~至到/])-|零下\s?|minus )$", re.IGNORECASE)
_LINK = re.compile(r"\s*(?:[×xX*~\-/、]|至|到|to)\s*")
_TIMES = re.compile(r"[xX](?![A-Za-z0-9])")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?![A-Za-z])")
_PERCENT = re.compile(rf"百分之(\d+(?:\.\d+)?|{numerals.CHINESE}+)|百分(百)")
_FOLD_WORDS = "叠|痕|射|扣店|边|合|角|纸|返|腾|磨|伞|页|屏|钱包|被|布"
_DISCOUNT = re.compile(rf"(\d{{1,2}}(?:\.\d)?|[一二三四五六七八九]{{1,2}})折(?!{_FOLD_WORDS})")
_HALF_MORE = re.compile(
    rf"(?P<count>\d{{1,4}}|{numerals.CHINESE}{{1,4}})(?:个半(?=小时|钟头|月|星期)|(?P<unit>年|天|米|斤|公斤|小时|倍|升)半(?![价年]))"
)
_CHINESE = re.compile(rf"{numerals.CHINESE}+(?:点[零〇一二三四五六七八九]+)?|双(?=[层核频芯卡门])")
_ONE_IS_MEANT = {"months", "seconds", "mass", "volume", "length", "area", "percent", "times", "money"}
_SELDOM_MEANT = {"天", "日", "周", "day", "second", "times", "fold", "重"}  # 一天, one day, 双重: rarely a figure


def find_discounts(text: str) -> Iterator[Number]:
    """8.5折, 八五折, 百分之三十. ``text`` is folded, here and below."""
    for match in _DISCOUNT.finditer(text):
        tenths = _tenths(match.group(1))
        yield Number(match.start(), match.end(), ((tenths,),), DISCOUNT)
    for match in _PERCENT.finditer(text):
        said = match.group(1) or match.group(2)
        value = Decimal(said) if said[0].isdigit() else numerals.chinese("一百" if said == "百" else said)
        if value is not None:
            yield Number(match.start(), match.end(), ((value,),), units().named("%"))


def find_numbers(text: str, touched: Callable[[int, int], bool], *, strict: bool, commas: bool) -> list[Number]:
    """Figures and numbers in words, except where ``touched`` says that the place is explained already.

    ``strict``: a number in words counts only with a unit. ``commas``: 1,5 is one and a half, as in German.
    """
    halves = list(_halves(text))
    spans = [(one.start, one.end) for one in halves]
    words = [*_chinese(text, strict=strict), *_english(text, strict=strict)]
    in_words = {one.start for one in words}
    found = [*_figures(text, commas=commas), *words]
    found = [one for one in found if not any(one.start < end and start < one.end for start, end in spans)]
    free = sorted((one for one in [*halves, *found] if not touched(one.start, one.end)), key=lambda one: one.start)
    linked = _linked(text, free)
    return [one for one in linked if one.unit or not strict or one.start not in in_words]


def _figures(text: str, *, commas: bool) -> Iterator[Number]:
    for match in _FIGURE.finditer(text):
        group = 1 if match.group(1) else 2
        start, end = match.span(group)
        scale = Decimal(1)
        if many := _MANY.match(text, end):
            scale, end = Decimal(_MANY_AS[next(filter(None, many.groups()))]), many.end()
        unit, end = _unit(text, end)
        before = text[:start][-6:]
        if sign := units().before.search(before):
            unit, start = units().currency(sign.group().strip()), start - len(sign.group())
        if _MINUS.search(text[:start][-7:]):
            scale = -scale
        readings = _readings(match.group(group).replace("，", ","), commas=commas)
        yield Number(start, end, tuple(tuple(part * scale for part in one) for one in readings), unit)


def _unit(text: str, end: int) -> tuple[Unit | None, int]:
    """The unit after a number (``500 ml``, ``30-day``), and where both end."""
    if suffix := _ORDINAL.match(text, end):
        return None, suffix.end()
    for gap in (r"\s?", r"-(?=[A-Za-z])"):
        skipped = re.compile(gap).match(text, end)
        if skipped and (match := units().pattern.match(text, skipped.end())):
            return units().named(match.group()), match.end()
    if factor := _TIMES.match(text, end):
        return units().named("times"), factor.end()
    return None, end


def _readings(figure: str, *, commas: bool) -> tuple[tuple[Decimal, ...], ...]:
    parts = re.split(r"[.,]", figure)
    apart = tuple(Decimal(part) for part in parts)
    listed = [] if any(part[0] == "0" and len(part) > 1 for part in parts) else [apart]
    if len(parts) == 1:
        return (apart,)
    if _GROUPED.fullmatch(figure):
        whole = (Decimal(figure.replace(",", "")),)
        return (whole, *listed) if "." not in figure else (whole,)
    if len(parts) == 2 and "." in figure:
        thousands = [(Decimal("".join(parts)),)] if commas and _DOTTED.fullmatch(figure) else []
        return ((Decimal(figure),), *thousands)
    if commas and "," in figure and figure.count(",") == 1:
        return ((Decimal(figure.replace(".", "").replace(",", ".")),), *listed)
    return tuple(listed) or (apart,)


def _halves(text: str) -> Iterator[Number]:
    """一个半小时, 两年半: a half on top."""
    for match in _HALF_MORE.finditer(text):
        said = match.group("count")
        value = Decimal(said) if said[0].isdigit() else numerals.chinese(said)
        unit, end = units().named(match.group("unit") or ""), match.end()
        if unit is None:
            unit, end = _unit(text, end)
        if value is not None:
            yield Number(match.start(), end, ((value + Decimal("0.5"),),), unit)


def _chinese(text: str, *, strict: bool) -> Iterator[Number]:
    for match in _CHINESE.finditer(text):
        said = match.group()
        if len(said) > 1 and said.endswith("两") and not said.endswith(("百两", "千两")):
            said = said[:-1]  # 三两 are three liang
        value = Decimal(2) if said == "双" else numerals.chinese(said)
        if value is None:
            continue
        end = match.start() + len(said)
        unit, end = _unit(text, end)
        if not strict or _is_meant(value, unit, said):
            yield Number(match.start(), end, ((value,),), unit)


def _english(text: str, *, strict: bool) -> Iterator[Number]:
    for match in numerals.ENGLISH.finditer(text):
        value = numerals.english(match.group())
        if value is None:
            continue
        unit, end = _unit(text, match.end())
        if not strict or _is_meant(value, unit, match.group()):
            yield Number(match.start(), end, ((value,),), unit)


def _is_meant(value: Decimal, unit: Unit | None, said: str) -> bool:
    """Whether a number in words says something of the product: 三层 does, 一款, 一天 and 半个 do not."""
    if unit is None:
        return said not in ("半", "一", "half", "one")  # it may still inherit one
    if value > 1:
        return unit.name != "重" or value > 2
    return unit.dimension in _ONE_IS_MEANT and unit.name not in _SELDOM_MEANT


def _linked(text: str, numbers: Sequence[Number]) -> list[Number]:
    """20×30×10cm: what has no unit takes that of the number it is linked to."""
    linked = list(numbers)
    for at in range(len(linked) - 2, -1, -1):
        one, after = linked[at], linked[at + 1]
        if one.unit is None and after.unit is not None and _LINK.fullmatch(text, one.end, after.start):
            linked[at] = replace(one, unit=after.unit, inherited=True)
    return linked


def _tenths(said: str) -> Decimal:
    if not said[0].isdigit():
        said = ".".join(str(numerals.chinese(sign)) for sign in said)
    value = Decimal(said)
    return value / 10 if value >= 10 else value
