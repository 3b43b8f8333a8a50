"""Numbers in words: 三千五百, 二〇二四, 三点五, 两; twenty-five, half."""

import re
from decimal import Decimal

_DIGITS = {
    "零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9,
    "壹": 1, "贰": 2, "叁": 3, "肆": 4, "伍": 5, "陆": 6, "柒": 7, "捌": 8, "玖": 9,
}  # fmt: skip
_TENS = {"十": 10, "百": 100, "千": 1000, "拾": 10, "佰": 100, "仟": 1000}
_GROUPS = {"万": 10_000, "亿": 100_000_000}

CHINESE = f"[{''.join(_DIGITS)}{''.join(_TENS)}{''.join(_GROUPS)}半]"
"""One character of a Chinese numeral."""

_LONGEST = 24  # characters; no number of a product is longer

_WORDS = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {
    word: 10 * ten
    for ten, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "dozen": 12}

ENGLISH = re.compile(
    rf"\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))}|half)"
    rf"(?:[ -](?:and )?(?:{'|'.join([*_WORDS, *_SCALES])}))*\b",
    re.IGNORECASE,
)


def chinese(text: str) -> Decimal | None:
    """三千零五 → 3005, 二〇二四 → 2024, 三点五 → 3.5, 半 → 0.5; None for what is no number (万百, 三四)."""
    if text == "半":
        return Decimal("0.5")
    if len(text) > _LONGEST:
        return None
    whole, point, fraction = text.partition("点")
    value = _whole(whole)
    if value is None or not point:
        return None if value is None else Decimal(value)
    if not fraction or any(sign not in _DIGITS for sign in fraction):
        return None
    return Decimal(f"{value}.{''.join(str(_DIGITS[sign]) for sign in fraction)}")


def english(text: str) -> Decimal | None:
    """``twenty-five`` → 25, ``two hundred and ten`` → 210, ``half`` → 0.5."""
    if text.lower() == "half":
        return Decimal("0.5")
    total, current = 0, 0
    for word in re.split(r"[ -]+", text.lower()):
        if word in _WORDS:
            current += _WORDS[word]
        elif word in {"hundred", "dozen"}:
            current = max(current, 1) * _SCALES[word]
        elif word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
        elif word != "and":
            return None
    return Decimal(total + current)


def _whole(text: str) -> int | None:
    if not text:
        return None
    if all(sign in _DIGITS for sign in text):
        if len(text) == 2 and "零" not in text and "〇" not in text:
            return None  # 三四个 are three or four
        return int("".join(str(_DIGITS[sign]) for sign in text))
    total = 0
    for group in ("亿", "万"):
        before, found, text = text.rpartition(group)
        if found:
            value = _whole(before) if before else None
            if value is None:
                return None
            total += value * _GROUPS[group]
    rest = _below_ten_thousand(text)
    return None if rest is None else total + rest


def _below_ten_thousand(text: str) -> int | None:
    """Digits and tens in turn, the tens falling; 十二 is 12."""
    total, digit, last = 0, None, 10_000
    for sign in text:
        if sign in _DIGITS:
            if digit not in (None, 0):
                return None
            digit = _DIGITS[sign]
        elif sign in _TENS:
            scale = _TENS[sign]
            if scale >= last or digit == 0:
                return None
            if digit is None and not (scale == 10 and total == 0):
                return None
            total, digit, last = total + (1 if digit is None else digit) * scale, None, scale
        else:
            return None
    if digit and last > 10 and last < 10_000 and text[-2:-1] != "零":
        digit *= last // 10  # 三百五 is 350
    return total + (digit or 0)
