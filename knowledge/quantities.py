"""Amounts in running text: 7天 = 一周 = 7 days, 1.5% = 1.5 %, ¥1,200 = 1200元. Only what has a unit is an amount."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

_DIGITS = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_SCALES = {"十": 10, "百": 100, "千": 1000}
_HAN_DIGIT = "[零〇一二两三四五六七八九十百千]"
_HAN_NUMBER = f"{_HAN_DIGIT}{{1,7}}"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}

# unit as written → (what it measures, how many of that). Working days are no days, months no 30 of them.
_UNITS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("%", "％", "percent", "per cent"), ("percent", "1")),
    **dict.fromkeys(("‰",), ("percent", "0.1")),
    **dict.fromkeys(("元", "块", "人民币", "rmb", "cny", "yuan"), ("cny", "1")),
    **dict.fromkeys(("万元",), ("cny", "10000")),
    **dict.fromkeys(("亿元",), ("cny", "100000000")),
    **dict.fromkeys(("美元", "美金", "usd", "us dollars", "dollars"), ("usd", "1")),
    **dict.fromkeys(("欧元", "eur", "euros", "euro"), ("eur", "1")),
    **dict.fromkeys(("英镑", "gbp", "pounds"), ("gbp", "1")),
    **dict.fromkeys(("分钟", "minutes", "minute", "mins", "min"), ("minute", "1")),
    **dict.fromkeys(("小时", "个小时", "hours", "hour", "hrs", "hr"), ("minute", "60")),
    **dict.fromkeys(("天", "日", "个自然日", "自然日", "days", "day", "calendar days"), ("minute", "1440")),
    **dict.fromkeys(("周", "个星期", "星期", "weeks", "week"), ("minute", "10080")),
    **dict.fromkeys(
        ("个工作日", "工作日", "working days", "working day", "business days", "business day"), ("working day", "1")
    ),
    **dict.fromkeys(("个月", "月", "months", "month"), ("month", "1")),
    **dict.fromkeys(("年", "years", "year"), ("month", "12")),
    **dict.fromkeys(("kg", "公斤", "千克"), ("gram", "1000")),
    **dict.fromkeys(("g", "克", "grams"), ("gram", "1")),
    **dict.fromkeys(("米", "m"), ("mm", "1000")),
    **dict.fromkeys(("厘米", "cm"), ("mm", "10")),
    **dict.fromkeys(("毫米", "mm"), ("mm", "1")),
    **dict.fromkeys(("升", "l", "liters", "litres"), ("ml", "1000")),
    **dict.fromkeys(("毫升", "ml"), ("ml", "1")),
    **dict.fromkeys(("gb",), ("mb", "1024")),
    **dict.fromkeys(("mb",), ("mb", "1")),
    **dict.fromkeys(("wh",), ("wh", "1")),
    **dict.fromkeys(("次", "times"), ("times", "1")),
    **dict.fromkeys(("分", "points", "points"), ("points", "1")),
    **dict.fromkeys(("件", "pieces", "pcs", "items"), ("pieces", "1")),
    **dict.fromkeys(("张", "款", "个", "人", "家", "倍", "折", "条", "字", "箱"), ("", "1")),  # a count of just that
}
_SIGNS = {"¥": "cny", "￥": "cny", "$": "usd", "US$": "usd", "€": "eur", "£": "gbp"}

_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_TIGHT = r"(?![A-Za-z])"
_PER = r"(?:\s?/\s?[\w一-鿿]{1,6}){0,2}"
_DATE = re.compile(
    r"(?<!\d)(?:(?P<y>20\d\d)\s?[-/.年]\s?)(?P<m>\d{1,2})\s?[-/.月]\s?(?P<d>\d{1,2})(?!\d)\s?日?"
    r"|(?<!\d)(?P<m2>\d{1,2})\s?月\s?(?P<d2>\d{1,2})\s?[日号]"
)
_YEAR = re.compile(r"(?:19|20)\d\d\s?年")
_HAN_UNIT = "个工作日|工作日|个自然日|自然日|个小时|小时|分钟|天|周|个星期|星期|个月|年|次|万元|元"
_AMOUNT = (
    rf"(?P<sign>US\$|[¥￥$€£])\s?(?P<n1>{_NUMBER})(?:\s?[-–—~～至到]\s?[¥￥$€£]?\s?(?P<n2>{_NUMBER}))?(?P<wan>万)?(?P<per1>{_PER})"
    rf"|(?<![\w.,-])(?P<a>{_NUMBER})(?:\s?(?:%|％)?\s?(?:[-–—~～至到]|to)\s?(?P<b>{_NUMBER}))?\s?-?(?P<unit>{_UNIT}){_TIGHT}(?P<per>{_PER})"
    rf"|(?<=[一-鿿])(?P<c>\d+(?:,\d{{3}})*(?:\.\d+)?)(?:\s?[-–—~～至到]\s?(?P<d>{_NUMBER}))?\s?(?P<unit2>{_UNIT}){_TIGHT}(?P<per2>{_PER})"
    rf"|(?P<han>{_HAN_NUMBER})\s?(?P<unit3>{_HAN_UNIT})"
    rf"|\b(?P<word>{'|'.join(_WORDS)})\s(?P<unit4>business days|working days|(?:day|week|hour|month|year)s?)\b"
)
# What every amount, date and plain number has somewhere.
_COUNTED = re.compile(rf"\d|{_HAN_DIGIT}\s?(?:{_HAN_UNIT})|\b(?:{'|'.join(_WORDS)})\s", re.I)


@cache
def _pattern() -> re.Pattern[str]:
    """Compiled when first needed: it takes a tenth of a second, and most processes never look for amounts."""
    return re.compile(_AMOUNT, re.I)


@dataclass(frozen=True, slots=True)
class Amount:
    """``value`` is a number or a range in ``measure``; ``start`` and ``end`` are where it stands in the text."""

    measure: str
    value: str
    start: int
    end: int


def may_state(text: str) -> bool:
    """False where there is surely no amount in it: a twentieth of the time of looking for one."""
    return _COUNTED.search(text) is not None


def amounts(text: str) -> list[Amount]:
    """Every amount and date, in order, none over another."""
    if not may_state(text):
        return []
    found = list(_dates(text))
    taken = [(amount.start, amount.end) for amount in found]
    for match in _pattern().finditer(text):
        over = any(start < match.end() and match.start() < end for start, end in taken)
        if not (over or _YEAR.fullmatch(match[0])):
            found.append(_amount(match))
    return sorted(found, key=lambda amount: amount.start)


def plain_number(text: str) -> str | None:
    """A text that is a number and nothing else → that number."""
    return _plain(Decimal(text.replace(",", ""))) if re.fullmatch(_NUMBER, text.strip()) else None


def _dates(text: str) -> Iterator[Amount]:
    for match in _DATE.finditer(text):
        month, day = int(match["m"] or match["m2"]), int(match["d"] or match["d2"])
        if 1 <= month <= 12 and 1 <= day <= 31:
            value = f"{month:02}-{day:02}"
            yield Amount("date", f"{match['y']}-{value}" if match["y"] else value, match.start(), match.end())


def _amount(match: re.Match[str]) -> Amount:
    per = (match["per1"] or match["per"] or match["per2"] or "").replace(" ", "").lower()
    if match["sign"]:
        measure, factor = _SIGNS[match["sign"].upper()], Decimal(10_000 if match["wan"] else 1)
        first, last = match["n1"], match["n2"]
    else:
        unit = (match["unit"] or match["unit2"] or match["unit3"] or match["unit4"]).lower()
        name, scale = _UNITS[unit]
        measure, factor = name or unit, Decimal(scale)
        first = match["a"] or match["c"] or match["han"] or match["word"]
        last = match["b"] or match["d"]
    values = [_plain(_number(each) * factor) for each in (first, last) if each]
    return Amount(measure + per, "-".join(values), match.start(), match.end())


def _number(written: str) -> Decimal:
    if written[0].isdigit():
        return Decimal(written.replace(",", ""))
    if written.lower() in _WORDS:
        return Decimal(_WORDS[written.lower()])
    total = digit = 0
    for char in written:
        if char in _SCALES:
            total, digit = total + (digit or 1) * _SCALES[char], 0
        else:
            digit = _DIGITS[char]
    return Decimal(total + digit)


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
