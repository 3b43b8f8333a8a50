"""When the passages are enough to answer from, and when it is honest to say that nothing was found."""

import math

import pytest

from knowledge.answerability import LENIENT, assess
from knowledge.models import Passage, Place, StageScores

RETURNS = "买家签收后七天内可以无理由退货，退货运费由买家承担。定制商品不支持无理由退货。"
PRICES = "型号: HB-KT-2048；品名: 保温杯；单价: 129 元\n型号: HB-KT-2050；品名: 焖烧杯；单价: 159 元"


def passage(text: str, *, cosine: float | None = 0.9, heading: str = "") -> Passage:
    return Passage("c", "d", "规则.md", "kb", text, 1.0, Place(heading=heading), StageScores(dense=cosine))


def rarity(term: str) -> float:
    """Inverse document frequencies as a knowledge base about returns and prices has them."""
    return math.log(1 + 500 / (0.5 + (RETURNS + PRICES).count(term)))


def test_a_passage_that_says_what_is_asked_answers_it() -> None:
    verdict = assess("退货运费由谁承担？", [passage(RETURNS, cosine=0.91)], idf=rarity)
    assert verdict.answerable
    assert verdict.score >= 0.5
    assert verdict.cosine == 0.91


def test_a_foreign_question_is_refused() -> None:
    verdict = assess("鲁迅的原名叫什么？", [passage(RETURNS, cosine=0.8), passage(PRICES, cosine=0.79)], idf=rarity)
    assert not verdict.answerable
    assert verdict.score < 0.5


def test_nothing_found_answers_nothing() -> None:
    assert not assess("退货运费由谁承担？", []).answerable


@pytest.mark.parametrize("question", ["", "？！", "   "])
def test_a_question_without_words_is_refused(question: str) -> None:
    assert not assess(question, [passage(RETURNS, cosine=0.82)], idf=rarity).answerable


def test_a_paraphrase_is_answered_when_meaning_is_very_near() -> None:
    assert assess("不想要了寄回去谁出邮费", [passage(RETURNS, cosine=0.95)], idf=rarity).answerable


def test_a_nearer_passage_is_never_worse() -> None:
    scores = [
        assess("运费谁出？", [passage(RETURNS, cosine=cosine)], idf=rarity).score for cosine in (0.8, 0.85, 0.9, 0.95)
    ]
    assert scores == sorted(scores)


def test_headings_count_as_said() -> None:
    plain = assess("海外仓退货运费", [passage("由买家承担。")], idf=rarity)
    headed = assess("海外仓退货运费", [passage("由买家承担。", heading="海外仓 > 退货运费")], idf=rarity)
    assert headed.coverage > plain.coverage


@pytest.mark.parametrize("question", ["HB-KT-2049 多少钱？", "hbkt2049 的单价", "请问HB-KT-2049的价格"])
def test_a_product_code_that_no_passage_has_is_refused_however_similar_its_neighbours(question: str) -> None:
    verdict = assess(question, [passage(PRICES, cosine=0.95)], idf=rarity)
    assert not verdict.answerable
    assert verdict.missing_codes


@pytest.mark.parametrize(
    "question", ["HB-KT-2048 多少钱？", "hbkt2048 单价多少", "HB_KT_2048 的单价", "HB-KT-2048 和 HB-KT-9999 哪个贵？"]
)
def test_a_code_that_is_there_in_whatever_spelling_is_not_missing(question: str) -> None:
    verdict = assess(question, [passage(PRICES, cosine=0.92)], idf=rarity)
    assert verdict.answerable
    assert verdict.missing_codes == ()


def test_cosines_of_another_model_are_left_out() -> None:
    """0.45 is near for many models and impossible for the bundled one; the words alone decide then."""
    assert assess("退货运费由谁承担？", [passage(RETURNS, cosine=0.45)], idf=rarity).answerable
    assert assess("退货运费由谁承担？", [passage(RETURNS, cosine=0.78)], idf=rarity, known_scale=False).answerable
    assert not assess("鲁迅的原名叫什么？", [passage(RETURNS, cosine=0.45)], idf=rarity).answerable


def test_passages_found_by_words_alone_can_answer() -> None:
    verdict = assess("退货运费由谁承担？", [passage(RETURNS, cosine=None)], idf=rarity)
    assert verdict.answerable
    assert verdict.cosine is None


def test_only_the_best_five_passages_count() -> None:
    others = [passage(f"第{i}条与此无关的说明。", cosine=0.8) for i in range(5)]
    assert not assess("退货运费由谁承担？", [*others, passage(RETURNS, cosine=0.95)], idf=rarity).answerable


def test_a_lenient_verdict_lets_a_doubtful_question_through_and_a_foreign_one_not() -> None:
    doubtful, foreign = "寄回去邮费谁出", "鲁迅的原名叫什么？"
    assert not assess(doubtful, [passage(RETURNS, cosine=0.895)], idf=rarity).answerable
    assert assess(doubtful, [passage(RETURNS, cosine=0.895)], idf=rarity, at_least=LENIENT).answerable
    assert not assess(foreign, [passage(RETURNS, cosine=0.82)], idf=rarity, at_least=LENIENT).answerable


def test_an_english_question_to_chinese_passages_is_not_held_against_the_distance_of_languages() -> None:
    same = "Return shipping is paid by the buyer, except for defects. Refunds take three days after arrival."
    assert assess("Who pays the return freight?", [passage(RETURNS, cosine=0.87)], idf=rarity).cosine == pytest.approx(
        0.91
    )
    assert assess("Who pays the return freight?", [passage(same, cosine=0.87)], idf=rarity).cosine == pytest.approx(
        0.87
    )
