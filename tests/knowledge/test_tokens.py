"""Terms are what a customer may type: pairs of characters, words, numbers, codes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from knowledge.tokens import terms, tokens_text


def test_chinese_becomes_overlapping_pairs_and_a_single_character_stays() -> None:
    assert terms("运费险，贵") == ["运费", "费险", "贵"]


def test_english_plurals_and_possessives_are_one_word_with_the_singular() -> None:
    assert terms("Refunds boxes policies the seller's addresses") == terms("refund box policy the seller address")


@pytest.mark.parametrize("word", ["status", "address", "basis", "gas", "us"])
def test_words_that_only_look_plural_are_left_alone(word: str) -> None:
    assert terms(word) == [word]


@pytest.mark.parametrize(
    ("written", "asked"),
    [("1,299.00", "1299"), ("2.50元", "2.5元"), ("１２９９", "1299"), ("100,000 件", "100000件")],
)
def test_a_number_has_one_spelling(written: str, asked: str) -> None:
    assert terms(written) == terms(asked)


def test_a_percentage_is_found_as_such_and_as_its_number() -> None:
    assert terms("佣金 8.1%")[-2:] == ["8.1%", "8.1"]


@pytest.mark.parametrize("code", ["HB-KT-2048", "SKU_77", "2.4.7", "B08N5WRWNW", "v2.0", "A4-铝"])
def test_a_code_is_one_term_wherever_it_stands(code: str) -> None:
    for text in (code, f"型号{code}的价格？", f"price of {code}, please", f"（{code}）。"):
        assert code.lower() in terms(text)


def test_a_code_is_also_found_by_its_parts_and_without_its_hyphens() -> None:
    found = terms("HB-KT-2048")
    assert {"hb", "kt", "2048"} <= set(found)
    assert set(terms("hbkt2048")) & set(found)


def test_a_code_does_not_swallow_the_words_behind_its_hyphen() -> None:
    assert {"a4-铝", "a4", "铝合", "合金"} <= set(terms("A4-铝合金"))


def test_one_code_is_not_another() -> None:
    assert "hb-kt-2048" not in terms("HB-KT-2049 HB-KT-20480 AHB-KT-2048")


def test_full_width_and_invisible_characters_make_no_difference() -> None:
    assert terms("ＨＢ－ＫＴ－２０４８") == terms("HB-\u200bKT-2048")


def test_traditional_characters_are_found_by_simplified_ones_and_the_other_way_round() -> None:
    assert terms("運費險由誰承擔") == terms("运费险由谁承担")
    assert "乾" in terms("乾")[0]  # has a meaning of its own in simplified text, too


def test_sentence_punctuation_is_not_part_of_a_number_or_a_word() -> None:
    assert terms("Costs 25. Fine.") == ["cost", "25", "fine"]


@example("\u1680")  # a space among letters
@given(st.text(max_size=200))
def test_terms_are_folded_and_hold_no_space(text: str) -> None:
    found = terms(text)
    assert all(term and not any(map(str.isspace, term)) for term in found)
    assert tokens_text(text).split(" ") == (found or [""])


@given(st.text(alphabet="运费险abz019.,-_%' 铝A", max_size=40))
def test_case_does_not_matter(text: str) -> None:
    assert terms(text.upper()) == terms(text.lower())
