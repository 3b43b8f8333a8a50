"""A share of what was given for a similar question is made anew beside it, compared, and counted."""

import asyncio
from pathlib import Path

import pytest

from app.chat.second_looks import agree
from app.llm.ports import ModelUnavailable, Usage
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.test_answer_cache import QUESTION, ask, model
from tests.app.test_receipts import receipt_of, served
from tests.products import FEES, product, take_in

OTHER_WORDS = "请问旗舰店保证金多少"


@pytest.mark.parametrize(
    ("served", "fresh", "right"),
    [
        ("旗舰店保证金为 50000 元[1]。", "保证金是 5 万元 [1]，退店后 60 天内退还[2]。", True),
        ("旗舰店保证金为 50000 元[1]。", "旗舰店保证金为 30000 元[1]。", False),
        ("可以退货[1]。质量问题不收运费。", "可以退[1]。", True),
        ("可以退货[1]。", "不可以退货[1]。", False),
        ("HB-KT-2048 有货。", "HB-KT-2049 有货。", False),
        ("Yes, within 7 days [1].", "It can't be returned within 7 days [1].", False),
    ],
)
def test_answers_agree_by_their_numbers_codes_and_negation(served: str, fresh: str, right: bool) -> None:
    assert agree(served, fresh) is right


async def looked(services: Services, count: int) -> tuple[int, int]:
    async with asyncio.timeout(20):
        while True:
            use = await services.cache_use.since(DEFAULT_TENANT)
            if use.looked_true + use.looked_false >= count:
                return use.looked_true, use.looked_false
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("fresh", "counted"), [("保证金是 5 万元[1]", (1, 0)), ("30000 元[1]", (0, 1))])
async def test_a_second_look_is_counted_and_neither_served_kept_nor_on_the_receipt(
    tmp_path: Path, fresh: str, counted: tuple[int, int]
) -> None:
    scripted, answerer = model(["50000 元[1]", Usage(100, 20)], [fresh])
    async with served(tmp_path, answerer, answer_cache_sample=1) as (http, services):
        await ask(services, QUESTION)
        given = (await http.post("/v1/chat", json={"question": OTHER_WORDS, "stream": False})).json()
        assert (given["cached"], given["answer"]) == ("evidence", "50000 元[1]")
        assert await looked(services, 1) == counted
        receipt = await receipt_of(http, given["turn_id"])
        assert (receipt["calls"], receipt["prompts"]) == ([], [])
        use = (await http.get("/v1/answer-cache")).json()
        assert (use["looked_true"], use["looked_false"]) == counted
        page = await http.get("/console", headers={"Accept-Language": "zh"})
        assert f"{counted[0]} / {counted[1]}" in page.text.partition("抽查")[2][:100]
        assert (await http.post("/v1/chat", json={"question": QUESTION, "stream": False})).json()["cached"] == "exact"
    assert len(scripted.calls) == 2


async def test_nothing_is_looked_at_when_off_or_when_the_question_is_the_same(tmp_path: Path) -> None:
    for share, again in ((0, OTHER_WORDS), (1, QUESTION)):
        scripted, answerer = model(["50000 元[1]"])
        async with product(tmp_path / str(share), answerer=answerer, answer_cache_sample=share) as services:
            await take_in(services, "shop", "费用.md", FEES)
            await ask(services, QUESTION)
            await ask(services, again)
        assert len(scripted.calls) == 1


async def test_a_model_that_fails_then_is_not_counted(tmp_path: Path) -> None:
    scripted, answerer = model(["50000 元[1]"], [ModelUnavailable("down")], ["5 万元[1]"])
    async with product(tmp_path, answerer=answerer, answer_cache_sample=1) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await ask(services, QUESTION)
        await ask(services, OTHER_WORDS)
        await ask(services, OTHER_WORDS)
        assert await looked(services, 1) == (1, 0)
    assert len(scripted.calls) == 3
