"""Lengths are counted as each channel counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.copywriting.channels import Limit, channel, channels
from knowledge.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "characters", "width", "byte_count"),
    [("保温杯", 3, 6, 9), ("mug 500ml", 9, 9, 9), ("杯ＡB", 3, 5, 7), ("café", 4, 5, 5), ("7×7cm", 5, 6, 6)],
)
def test_characters_double_width_and_bytes(text: str, characters: int, width: int, byte_count: int) -> None:
    assert Limit(60).length(text) == characters
    assert Limit(60, "width").length(text) == width
    assert Limit(60, "bytes").length(text) == byte_count


def test_thirty_chinese_characters_are_the_most_for_taobao() -> None:
    limit = channel("taobao").limits["title"]
    assert limit.fits("杯" * 30)
    assert not limit.fits("杯" * 30 + "a")
    flag = limit.flags("杯" * 31)[0]
    assert (flag.rule, flag.message["zh"]) == ("too_long", "长度 62，渠道上限 60（width）。")


def test_a_title_may_be_too_short_as_well() -> None:
    assert channel("amazon").limits["title"].flags("Mug")[0].rule == "too_short"


def test_every_channel_says_where_its_figures_come_from_and_has_two_names() -> None:
    assert {"taobao", "jd", "pinduoduo", "douyin", "1688", "amazon", "shopee", "aliexpress"} <= set(channels())
    for one in channels().values():
        assert one.source
        assert set(one.name) == {"zh", "en"}
        assert one.limits["title"].max > one.limits["title"].min


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(InvalidInput):
        channel("nowhere")


@given(st.text(max_size=50), st.text(max_size=50))
def test_lengths_add_up(one: str, other: str) -> None:
    for limit in (Limit(1), Limit(1, "width")):
        assert limit.length(one + other) == limit.length(one) + limit.length(other)
        assert limit.length(one) >= len(one)
