"""Questions to ask next: after the last word, before the end, and never at the price of the answer."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from app.chat import suggestions
from app.llm.ports import ModelUnavailable
from app.llm.scripted import Step
from tests.app.prompts.serving import QUESTION, answering, published, served, told
from tests.products import RETURNS, take_in

ANSWER: list[Step] = ["50000 元", "[1]。"]
NEXT = [
    "1. 专营店的保证金是多少？\n- 保证金什么时候退还？[1]\n旗舰店的保证金是多少?\nHow long?\n没有\n第四个？\n第五个？"
]


async def events(http: httpx.AsyncClient, question: str = QUESTION) -> list[tuple[str, dict[str, Any]]]:
    answer = await http.post("/v1/chat", json={"question": question})
    blocks = [block.split("\n") for block in answer.text.replace("\r", "").split("\n\n") if "event: " in block]
    return [(block[1].removeprefix("event: "), json.loads(block[2].removeprefix("data: "))) for block in blocks]


async def test_the_models_questions_come_after_the_last_word_and_before_done(tmp_path: Path) -> None:
    model, answerer = answering(ANSWER, NEXT)
    async with served(tmp_path, answerer, suggestions="model") as (http, _):
        await take_in(http._transport.app.state.services, "shop", "退换货.md", RETURNS)  # type: ignore[attr-defined]
        seen = await events(http)
    names = [name for name, _ in seen]
    assert names[-3:] == ["token", "suggestions", "done"]
    assert seen[-2][1] == {"questions": ["专营店的保证金是多少？", "保证金什么时候退还？", "第四个？"]}
    call = model.calls[1]
    assert call.max_tokens == suggestions.TOKENS
    assert QUESTION in call.messages[-1].content
    assert "50000 元[1]。" in call.messages[-1].content
    assert "退货期限" in call.messages[0].content


async def test_a_kept_answer_brings_its_questions_along_and_costs_no_call(tmp_path: Path) -> None:
    model, answerer = answering(ANSWER, NEXT)
    async with served(tmp_path, answerer, suggestions="model") as (http, services):
        await take_in(services, "shop", "退换货.md", RETURNS)
        first, exact = await told(http), await told(http)
        similar = await told(http, "请问旗舰店的保证金是多少")
    assert (exact["cached"], similar["cached"]) == ("exact", "evidence")
    assert first["suggestions"] == exact["suggestions"] == similar["suggestions"] != []
    assert len(model.calls) == 2


async def test_a_model_that_fails_or_is_slow_leaves_headings_and_the_answer_as_it_is(tmp_path: Path) -> None:
    slow: Sequence[Step] = [60.0, "太晚了？"]
    model, answerer = answering(ANSWER, [ModelUnavailable("away")], ANSWER, slow)
    async with served(tmp_path, answerer, suggestions="model", answer_cache=False) as (http, services):
        await take_in(services, "shop", "退换货.md", RETURNS)
        for _ in range(2):
            began = time.monotonic()
            done = await told(http)
            assert (done["answer"], done["finish"]) == ("50000 元[1]。", "stop")
            assert done["suggestions"] == ["关于“退换货规则”有哪些说明？"]
            assert time.monotonic() - began < suggestions.SECONDS + 1
    assert model.calls[3].left


async def test_without_a_model_headings_that_were_found_and_not_cited_are_offered(tmp_path: Path) -> None:
    async with served(tmp_path, suggestions="model") as (http, services):
        await take_in(services, "shop", "faq.md", "# FAQ\n\n## 保证金什么时候退？\n\n退店后 60 天内退还保证金。")
        done = await told(http)
        assert done["suggestions"] != []
        assert QUESTION not in done["suggestions"]
        english = (await told(http, "What is the deposit of 旗舰店 flagship shops?"))["suggestions"]
        assert english
        assert all(each.startswith("What do the documents say about ") for each in english)


async def test_many_who_ask_the_same_at_once_cost_one_call_more(tmp_path: Path) -> None:
    model, answerer = answering([0.2, *ANSWER], [0.1, *NEXT])
    async with served(tmp_path, answerer, suggestions="model") as (http, services):
        await take_in(services, "shop", "退换货.md", RETURNS)
        answers = await asyncio.gather(*(told(http) for _ in range(5)))
    assert len({json.dumps(answer["suggestions"]) for answer in answers}) == 1
    assert answers[0]["suggestions"]
    assert len(model.calls) == 2


async def test_none_when_switched_off_when_the_answer_was_cut_and_for_other_channels(tmp_path: Path) -> None:
    model, answerer = answering(ANSWER)
    async with served(tmp_path, answerer, suggestions="off") as (http, _):
        assert (await told(http))["suggestions"] == []
        assert "suggestions" not in [name for name, _ in await events(http)]
    async with served(tmp_path / "b", answerer, suggestions="model") as (http, _):
        body = {"model": "copilot", "messages": [{"role": "user", "content": QUESTION}]}
        assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
        unasked = {"question": "专营店的保证金是多少？", "stream": False, "suggestions": False}
        assert (await http.post("/v1/chat", json=unasked)).json()["suggestions"] == []
    assert len(model.calls) == 3


async def test_the_template_of_suggestions_is_the_tenants(tmp_path: Path) -> None:
    model, answerer = answering(ANSWER, NEXT)
    async with served(tmp_path, answerer, suggestions="model") as (http, services):
        await take_in(services, "shop", "退换货.md", RETURNS)
        await published(http, (await services.prompts.live("default")).suggest.text + "只问价格。\n", "suggest")
        await told(http)
    assert "只问价格。" in model.calls[1].messages[0].content
