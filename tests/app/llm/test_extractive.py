"""The answer without a model: quotes, word for word, with the number of the passage they are from."""

from collections.abc import Sequence

import numpy as np

from app.llm.extractive import Quote, paragraphs, select
from knowledge.models import Passage, Place, StageScores
from knowledge.ports import Vector

RETURNS = (
    "买家签收后七天内可以申请无理由退货。退货运费由买家承担，质量问题除外。"
    "退款在仓库收到退货后三个工作日内原路退回。定制商品不支持无理由退货。"
)
SHIPPING = "订单付款后48小时内发货。国内快递一般三天送达。海外直邮需要10至15个工作日。"


def passages(*texts: str, heading: str = "") -> list[Passage]:
    return [
        Passage(
            f"c{i}",
            f"d{i}",
            f"文档{i}.md",
            "kb",
            text,
            1.0 - i / 10,
            Place(heading=heading),
            StageScores(dense=0.9 - i / 100),
        )
        for i, text in enumerate(texts)
    ]


def answer(question: str, *texts: str, sentences: int = 2) -> str:
    return "".join(quote.text for quote in select(question, passages(*texts), sentences=sentences))


def test_the_sentence_that_answers_comes_first() -> None:
    assert answer("退货运费由谁承担？", RETURNS, SHIPPING, sentences=1) == "退货运费由买家承担，质量问题除外。"
    assert answer("海外直邮要多久？", RETURNS, SHIPPING, sentences=1) == "海外直邮需要10至15个工作日。"
    assert answer("多久能收到退款？", RETURNS, SHIPPING, sentences=1) == "退款在仓库收到退货后三个工作日内原路退回。"


def test_what_is_asked_weighs_more_than_what_it_is_asked_of() -> None:
    text = "蓝鲸保温杯是蓝鲸系列的第一款保温杯，蓝鲸保温杯由蓝鲸工厂出品。内胆材质为316不锈钢。"
    assert answer("蓝鲸保温杯的内胆是什么材质？", text, sentences=1) == "内胆材质为316不锈钢。"


def test_every_quote_stands_word_for_word_in_the_passage_it_names() -> None:
    found = passages(RETURNS, SHIPPING)
    for question in ("退货运费由谁承担？", "多久发货？", "怎么退款", "国内快递几天到"):
        for quote in select(question, found):
            assert quote.text in found[quote.n - 1].text


def test_neighbouring_sentences_become_one_quote_in_the_order_of_the_document() -> None:
    text = "仓库每天下午四点截单。因此四点以后付款的订单第二天发货。其他时间正常发货。"
    (quote,) = select("为什么四点以后付款的订单第二天发货？", passages(text))
    assert quote.text == "仓库每天下午四点截单。因此四点以后付款的订单第二天发货。"


def test_at_most_as_many_sentences_as_asked_for() -> None:
    assert answer("退货", RETURNS, SHIPPING, sentences=1).count("。") == 1
    assert answer("退货", RETURNS, SHIPPING, sentences=2).count("。") <= 2


def test_of_an_faq_the_answer_is_quoted() -> None:
    faq = "问：可以开增值税专用发票吗？\n答：可以，请在订单完成后提交开票资料。电子发票两天内发出。"
    assert (
        answer("能开专用发票吗", faq, SHIPPING, sentences=1) == "可以，请在订单完成后提交开票资料。电子发票两天内发出。"
    )
    english = "Q: Do you ship to Norway?\nA: Yes, within ten business days. Duties are paid by the buyer."
    assert (
        answer("Do you ship to Norway?", english, sentences=1)
        == "Yes, within ten business days. Duties are paid by the buyer."
    )


def test_of_a_table_the_row_is_quoted() -> None:
    rows = "\n".join(f"型号: HB-KT-{n}；品名: 保温杯；单价: {n % 97} 元" for n in range(2040, 2060))
    assert (
        answer("HB-KT-2048 的单价是多少？", rows, SHIPPING, sentences=1)
        == "型号: HB-KT-2048；品名: 保温杯；单价: 11 元"
    )


def test_a_list_is_quoted_with_the_line_that_announces_it() -> None:
    text = "入驻须知\n开店需要提交以下资料：\n- 营业执照\n- 法人身份证\n- 开户许可证\n资料齐全后三天内审核。"
    assert "开店需要提交以下资料：\n- 营业执照\n- 法人身份证\n- 开户许可证" in answer(
        "开店需要提交哪些资料？", text, sentences=1
    )


def test_a_heading_inside_the_text_is_no_answer() -> None:
    text = "退货运费\n由买家承担，质量问题除外。\n\n换货运费\n由平台承担。"
    assert answer("换货运费谁承担？", text, sentences=1) == "由平台承担。"


def test_english_questions_get_english_sentences() -> None:
    text = "Returns are accepted within 30 days. The buyer pays for return shipping. Refunds take 5 business days."
    assert answer("Who pays for return shipping?", text, sentences=1) == "The buyer pays for return shipping."
    assert answer("How long do refunds take?", text, sentences=1) == "Refunds take 5 business days."


def test_the_same_sentence_from_overlapping_chunks_is_quoted_once() -> None:
    quotes = select("退货运费由谁承担？", passages(RETURNS, RETURNS))
    assert sum(quote.text.count("退货运费由买家承担") for quote in quotes) == 1


def test_passages_beyond_the_fifth_are_not_quoted() -> None:
    assert "48小时" not in answer("多久发货？", *[f"这是第{i}条无关的说明文字。" for i in range(5)], SHIPPING)


def test_nothing_found_nothing_quoted() -> None:
    assert select("退货", []) == []
    assert select("退货", passages("")) == []
    assert paragraphs([]) == []


def test_a_question_of_marks_only_still_ends() -> None:
    assert len(select("？？", passages(RETURNS))) >= 1


def test_paragraphs_carry_their_citations() -> None:
    quotes = [Quote("运费由买家承担。", 2, 1.0), Quote("Shipping is free", 1, 0.5)]
    assert "".join(paragraphs(quotes)) == "运费由买家承担。[2]\n\nShipping is free [1]"


class Near:
    """Finds the sentence with 邮费 nearest to everything and counts what it was asked to embed."""

    model_id = "near"
    dimensions = 2

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        self.texts += texts
        return np.array([[1, 0] if "邮费" in text else [0.6, 0.8] for text in texts], np.float32)

    def embed_query(self, text: str) -> Vector:
        self.texts.append(text)
        return np.array([1, 0], np.float32)


def test_an_embedder_finds_a_sentence_in_other_words_and_embeds_six_at_most() -> None:
    text = "退回商品时要保持完好。寄回来的钱怎么算见下。邮费买家自己出。" + "".join(
        f"第{i}条另有说明。" for i in range(20)
    )
    near = Near()
    best = select("寄回来的钱谁付？", passages(text), sentences=1, embedder=near)[0]
    assert best.text == "邮费买家自己出。"
    assert len(near.texts) <= 7
