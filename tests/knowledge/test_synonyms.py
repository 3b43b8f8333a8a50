"""A question is searched with the words that a tenant's people use for the same thing, and each of several alone."""

from pathlib import Path

import pytest

from knowledge.errors import InvalidInput
from knowledge.models import DEFAULT_TENANT
from knowledge.question import parts_of
from knowledge.synonyms import Synonyms
from tests.products import product, take_in


def test_a_question_is_also_asked_with_the_other_words_of_a_group() -> None:
    known = Synonyms.parse("保证金 = 押金 = deposit\n# 物流\n空派 = 空运专线  # 他们这么叫")
    assert known.phrasings("押金多少？") == ["保证金多少?", "deposit多少?"]
    assert known.phrasings("空派幾天") == ["空运专线几天"]
    assert known.phrasings("退货运费") == []


def test_latin_words_count_only_where_they_stand_alone() -> None:
    known = Synonyms.parse("fee = commission")
    assert known.phrasings("What is the Fee?") == ["what is the commission?"]
    assert known.phrasings("Where is the coffee?") == []


@pytest.mark.parametrize(
    ("lines", "number"), [("保证金", 1), ("a = b", 1), ("好的 = 可以\n= 押金", 2), ("词" * 41 + " = 短词", 1)]
)
def test_a_line_that_is_no_group_is_named(lines: str, number: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        Synonyms.parse(lines)
    assert caught.value.error_code == "synonyms_invalid"
    assert f"Line {number} " in caught.value.message


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("运费谁承担？退款多久到账？", ["运费谁承担", "退款多久到账"]),
        ("保证金多少，另外佣金怎么收？", ["保证金多少", "佣金怎么收"]),
        ("请问运费谁承担？谢谢！", []),
        ("HB-KT-2048 多少钱？", []),
    ],
)
def test_several_questions_at_once_are_told_apart(question: str, parts: list[str]) -> None:
    assert parts_of(question) == parts


async def test_what_documents_call_otherwise_is_found_as_soon_as_the_list_says_so(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", "# 费用\n\n旗舰店须缴纳履约金五万元。")
        await take_in(services, "shop", "其他.md", "# 其他\n\n保密协议须盖章后寄回。")
        search = services.knowledge.search
        before = await search(DEFAULT_TENANT, "押金", kbs=["shop"], limit=5)
        assert before.phrasings == ("押金",)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await services.parts.synonyms.write(DEFAULT_TENANT, "履约金 = 押金", by="me")
        found = await search(DEFAULT_TENANT, "押金", kbs=["shop"], limit=5)
        assert found.phrasings == ("押金", "履约金")
        assert found.passages[0].document == "费用.md"
        assert found.passages[0].scores.lexical is not None
        assert found.states[kb.id] != before.states[kb.id], "kept answers follow"


async def test_each_of_two_questions_finds_its_passage(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        for number in range(8):
            await take_in(services, "shop", f"{number}.md", f"# 第 {number} 章\n\n店铺 {number} 的装修说明和运费模板。")
        await take_in(services, "shop", "退款.md", "# 退款\n\n退款三个工作日到账。")
        await take_in(services, "shop", "发票.md", "# 发票\n\n增值税专票每月十号开具。")
        found = await services.knowledge.search(
            DEFAULT_TENANT, "退款什么时候到账？增值税专票哪天开具？", kbs=["shop"], limit=2
        )
        assert {passage.document for passage in found.passages} == {"退款.md", "发票.md"}
        assert len(found.phrasings) == 3
