"""Numbers in words are read as the numbers they are."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.copywriting.numerals import ENGLISH, chinese, english

DIGITS = "零一二三四五六七八九"


def written(number: int) -> str:
    """A number below 10⁸ in Chinese, as it is taught: 10,050 is 一万零五十."""
    if number >= 10_000:
        rest = number % 10_000
        gap = "零" if 0 < rest < 1000 else ""
        return f"{written(number // 10_000)}万{gap}{written(rest) if rest else ''}"
    text, gap = "", False
    for scale, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // scale % 10
        if digit:
            text += ("零" if gap and text else "") + DIGITS[digit] + name
        gap = digit == 0
    return text or "零"


@given(st.integers(min_value=0, max_value=99_999_999))
def test_what_is_written_in_chinese_is_read_back(number: int) -> None:
    assert chinese(written(number)) == number


@given(st.integers(min_value=1900, max_value=2099))
def test_years_are_read_digit_by_digit(year: int) -> None:
    assert chinese("".join(DIGITS[int(digit)] for digit in str(year))) == year


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("两", 2),
        ("十", 10),
        ("十二", 12),
        ("二十", 20),
        ("三百五", 350),
        ("三点五", "3.5"),
        ("半", "0.5"),
        ("壹佰", 100),
    ],
)
def test_the_short_forms(text: str, value: int | str) -> None:
    assert chinese(text) == Decimal(value)


@pytest.mark.parametrize("text", ["三四", "万百", "百", "一点", "十十"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert chinese(text) is None


TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@given(st.integers(min_value=0, max_value=7), st.integers(min_value=0, max_value=8), st.sampled_from([" ", "-"]))
def test_english_tens_and_units(ten: int, unit: int, gap: str) -> None:
    text = f"{TENS[ten]}{gap}{UNITS[unit]}"
    match = ENGLISH.search(f"about {text} layers")
    assert match is not None
    assert match.group() == text
    assert english(text) == 10 * (ten + 2) + unit + 1


def test_english_scales() -> None:
    assert english("two hundred and ten") == 210
    assert english("three thousand five hundred") == 3500
    assert english("half") == Decimal("0.5")
    assert english("two dozen") == 24
