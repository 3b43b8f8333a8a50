"""Where a sentence ends, in Chinese and English and where both are mixed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.sentences import is_row, split


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("七天内可退。运费由买家承担！可以吗？", ["七天内可退。", "运费由买家承担！", "可以吗？"]),
        ("他说：“可以退。”然后离开了。", ["他说：“可以退。”", "然后离开了。"]),
        ("等等……好", ["等等……", "好"]),
        ("版本2.4.7已发布。请升级。", ["版本2.4.7已发布。", "请升级。"]),
        ("真的?好的!谢谢", ["真的?", "好的!", "谢谢"]),
    ],
)
def test_chinese_sentences_end_at_their_marks_and_closing_quotes(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It costs 3.50 USD. Shipping is free.", ["It costs 3.50 USD.", "Shipping is free."]),
        ("See e.g. Fig. 2 for details. Ask Mr. Li.", ["See e.g. Fig. 2 for details.", "Ask Mr. Li."]),
        ('"Is it new?" Yes! It is.', ['"Is it new?"', "Yes!", "It is."]),
        ("Wait... what is it? Nothing.", ["Wait... what is it?", "Nothing."]),
        ("Open https://a.example/search?q=1!x now. Done.", ["Open https://a.example/search?q=1!x now.", "Done."]),
        ("Model HB.2048 is out. J. Smith knows.", ["Model HB.2048 is out.", "J. Smith knows."]),
    ],
)
def test_a_full_stop_inside_a_number_code_address_or_abbreviation_ends_nothing(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


def test_every_list_item_is_a_sentence_and_keeps_its_number() -> None:
    assert split("1. 打开设置\n2. 点击保存。然后等待\n- 完成") == ["1. 打开设置", "2. 点击保存。", "然后等待", "- 完成"]


def test_a_table_row_stays_whole_although_its_cells_hold_sentences() -> None:
    row = "型号: HB-KT-2048；价格: 1299；备注: 缺货。下周补货！"
    assert is_row(row)
    assert split(row) == [row]


def test_a_sentence_with_one_colon_is_no_table_row() -> None:
    assert split("注意：先付款。再发货。") == ["注意：先付款。", "再发货。"]


@given(st.text(alphabet='好的。！？；….!?;: \n"”）1a.Be', max_size=80))
def test_no_character_is_lost_or_invented(text: str) -> None:
    sentences = split(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence == sentence.strip() != "" for sentence in sentences)
