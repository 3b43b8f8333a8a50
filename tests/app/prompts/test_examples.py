"""Approved answers show form: near ones, where the template has a place for them, without a figure, no evidence."""

from pathlib import Path

from app.chat.cache import MemoryCache
from app.chat.prompt_examples import formal
from tests.app.console.visits import see, words
from tests.app.prompts.serving import QUESTION, SHIPPED, answering, published, served, told

WITH_EXAMPLES = SHIPPED.replace("## input\n", "{examples}\n\n## input\n")
OTHER = "家居类目的佣金比例是多少？"


def test_an_example_keeps_its_form_and_citations_and_loses_its_figures() -> None:
    assert formal("保证金 50,000.00 元[1]，退款 2026-11-22 到账[12]。") == "保证金 ×× 元[1]，退款 ×× 到账[12]。"


async def test_a_liked_answer_becomes_an_example_and_is_shown_to_the_model(tmp_path: Path) -> None:
    model, answerer = answering(["佣金是 8%[1]。"])
    async with served(tmp_path, answerer, cache=MemoryCache()) as (http, _):
        turn = (await told(http, OTHER))["turn_id"]
        await http.post(f"/v1/turns/{turn}/feedback", json={"rating": "up"})
        (candidate,) = (await http.get("/v1/prompts/examples")).json()["candidates"]
        assert candidate["turn_id"] == turn
        await published(http, WITH_EXAMPLES)
        await told(http)
        assert "佣金是" not in model.calls[-1].messages[0].content
        assert (await told(http))["cached"] == "exact"
        assert (await http.put(f"/v1/prompts/examples/{turn}")).status_code == 204
        assert (await http.put(f"/v1/prompts/examples/{turn}")).status_code == 204
        assert (await told(http))["cached"] is None  # it was made without the example
        prompt = model.calls[-1].messages[0].content
        assert "佣金是 ××%[1]。" in prompt
        assert "不是资料" in prompt
        await told(http, f"请问，{OTHER}")
        assert "佣金是 ××" not in model.calls[-1].messages[0].content  # its own question is not answered for it
        assert (await http.delete(f"/v1/prompts/examples/{turn}")).status_code == 204
        assert (await http.delete(f"/v1/prompts/examples/{turn}")).json()["code"] == "example_not_found"
        assert (await told(http))["cached"] == "exact"


async def test_only_a_whole_answer_of_ones_own_can_be_an_example(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        refused = (await told(http, "火星上有几家店？"))["turn_id"]
        assert (await http.put(f"/v1/prompts/examples/{refused}")).json()["code"] == "example_not_answered"
        assert (await http.put("/v1/prompts/examples/none")).json()["code"] == "turn_not_found"


async def test_examples_are_marked_and_taken_away_in_the_console(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        turn = (await told(http, QUESTION))["turn_id"]
        assert "还没有被点赞的回答" in words(await see(http, "/console/prompts/answer"), "#examples")
        await http.post(f"/v1/turns/{turn}/feedback", json={"rating": "up"})
        for on, shown in (("yes", "不再作为示例"), ("", "设为示例")):
            await http.post(f"/console/prompts/examples/{turn}", data={"on": on})
            assert shown in words(await see(http, "/console/prompts/answer"), "[data-example]")
        assert (await see(http, "/console/prompts/work")).css_first("#examples") is None
