"""Cleaning text: what is seen stays, what is not seen goes."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.clean import clean, clean_line


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("全角标点，保留：（是）！", "全角标点，保留：（是）！"),
        ("价\u200b格\ufeff 299", "价格 299"),
        ("a\u00a0\u3000b\t\tc", "a b c"),
        ("软\u00ad连字", "软连字"),
        ("一行\r\n二行\r三行\u2028四行", "一行\n二行\n三行\n四行"),
        ("一\n\n\n\n二", "一\n\n二"),
        ("e\u0301te\u0301", "été"),
        ("半\x00个\x07控制\ud800符", "半个控制符"),
        ("⼀⻓⻛", "一长风"),
        ("o\ufb03ce", "office"),
        ("\uf0b7 要点", "• 要点"),
        ("👩\u200d💻 和 中\u200d文", "👩\u200d💻 和 中文"),
    ],
)
def test_text_is_normalised(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


def test_the_indentation_of_lines_survives_and_runs_inside_them_do_not() -> None:
    assert clean("- 一  二\n    - 三\t四  ") == "- 一 二\n    - 三    四".replace("    四", " 四")


def test_a_line_has_no_line_ends() -> None:
    assert clean_line("价格\n（元）\t含税 ") == "价格 （元） 含税"


@given(st.text())
@example("\r\t0")
@example("\ue000\u200d")
def test_cleaning_twice_changes_nothing_and_the_result_can_be_stored(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode("utf-8")
    assert "\r" not in once
    assert "\x00" not in once
