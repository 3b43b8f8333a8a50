"""Several models behind the chat: who is named, what is kept in the cache, what is left out, what is written down."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import RowMapping, select

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.events import Done, Event, Failed, Reasoning, Sources, Token
from app.chat.turns import Ask
from app.llm.budget import TokenBudget
from app.llm.fallback import FallbackModel
from app.llm.ports import Endpoint, Finished, ModelUnavailable, ReasoningDelta, Usage
from app.llm.scripted import ScriptedModel, Step
from app.llm.tables import model_calls
from app.llm.tokens import TokenCounter
from app.wiring import Services
from evals.fake_model import FakeModelRecord, running_fake_model
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, RETURNS, product, take_in

QUESTION = "旗舰店的保证金是多少？"
DOWN = ModelUnavailable("down")


def ordered(*models: ScriptedModel, budget: TokenBudget | None = None) -> ModelAnswerer:
    model = FallbackModel([(Endpoint(f"{each.name}@host", each.name), each) for each in models])
    return ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=100, budget=budget)


@asynccontextmanager
async def filled(data: Path, answerer: ModelAnswerer | None = None, **overrides: object) -> AsyncIterator[Services]:
    async with product(data, answerer=answerer, **overrides) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退换货.md", RETURNS)
        yield services


async def ask(services: Services, question: str = QUESTION, **more: Any) -> list[Event]:
    turn = await services.chat.prepare(Ask(DEFAULT_TENANT, question, **more))
    return [event async for event in services.chat.answer(turn)]


async def answered(services: Services, question: str = QUESTION, **more: Any) -> Done:
    done = (await ask(services, question, **more))[-1]
    assert isinstance(done, Done), done
    return done


async def written_down(services: Services) -> list[RowMapping]:
    async with services.parts.database.read() as connection:
        rows = await connection.execute(select(model_calls).order_by(model_calls.c.created_at))
        return list(rows.mappings())


def script(text: str) -> list[Step]:
    return [ReasoningDelta("想一想"), text, Usage(100, 5)]


async def test_the_model_that_answers_is_named_and_its_reasoning_stays_apart(tmp_path: Path) -> None:
    one, two = ScriptedModel([DOWN], name="one"), ScriptedModel(script("50000 元[1]"), name="two")
    async with filled(tmp_path, ordered(one, two)) as services:
        events = await ask(services)
        done = events[-1]
        (call,) = await written_down(services)
    assert isinstance(done, Done)
    assert (done.model, done.answer) == ("two", "50000 元[1]")
    assert "".join(event.text for event in events if isinstance(event, Reasoning)) == "想一想"
    assert "".join(event.text for event in events if isinstance(event, Token)) == "50000 元[1]"
    assert (call["tenant"], call["turn_id"], call["purpose"]) == (DEFAULT_TENANT, done.turn_id, "answer")
    assert (call["endpoint"], call["model"], call["outcome"]) == ("two@host", "two", "stop")
    assert call["failed_attempts"] == [{"endpoint": "one@host", "code": "model_unavailable"}]
    assert (call["attempts"], call["taken_over"]) == (2, True)
    assert (call["prompt_tokens"], call["completion_tokens"], call["amount"]) == (100, 5, None)
    assert QUESTION not in json.dumps([str(value) for value in call.values()], ensure_ascii=False)


async def test_what_another_model_said_is_not_served_as_the_firsts(tmp_path: Path) -> None:
    one = ScriptedModel([DOWN], ["五万元[1]"], name="one")
    two = ScriptedModel(["大概五万[1]"], name="two")
    async with filled(tmp_path, ordered(one, two)) as services:
        taken_over, own, again = [await answered(services) for _ in range(3)]
    assert (taken_over.model, taken_over.cached) == ("two", None)
    assert (own.model, own.answer, own.cached) == ("one", "五万元[1]", None)
    assert (again.model, again.answer, again.cached) == ("one", "五万元[1]", "exact")
    assert (len(one.calls), len(two.calls)) == (2, 1)


async def test_when_all_fail_the_turn_fails_with_the_lasts_code_and_the_call_is_written_down(tmp_path: Path) -> None:
    async with filled(tmp_path, ordered(ScriptedModel([DOWN], name="one"))) as services:
        failed = (await ask(services))[-1]
        (call,) = await written_down(services)
    assert isinstance(failed, Failed)
    assert failed.code == call["outcome"] == "model_unavailable"


async def test_an_answer_that_is_withheld_whole_is_a_failure_that_says_so(tmp_path: Path) -> None:
    async with filled(tmp_path, ordered(ScriptedModel([Finished("content_filter")], name="one"))) as services:
        failed = (await ask(services))[-1]
        part = ScriptedModel(["五万", Finished("content_filter")], name="one")
    assert isinstance(failed, Failed)
    assert failed.code == "model_withheld"
    async with filled(tmp_path / "2", ordered(part)) as services:
        assert (await answered(services)).finish == "content_filter"


async def test_how_an_answer_ended_is_kept_with_it(tmp_path: Path) -> None:
    async with filled(tmp_path, ordered(ScriptedModel(["五万", Finished("length")], name="one"))) as services:
        done = await answered(services)
        kept = await services.conversations.answered(DEFAULT_TENANT, done.turn_id)
    assert (done.finish, kept.finish, kept.status) == ("length", "length", "done")


async def test_a_follow_up_has_two_calls_with_their_own_prompts(tmp_path: Path) -> None:
    model = ScriptedModel(["50000 元[1]"], ["专营店的保证金是多少？"], ["30000 元[1]"], name="one")
    async with filled(tmp_path, ordered(model)) as services:
        first = await answered(services)
        await answered(services, "那专营店呢？", conversation_id=first.conversation_id)
        calls = await written_down(services)
    assert [call["purpose"] for call in calls] == ["answer", "condense", "answer"]
    assert calls[1]["turn_id"] == calls[2]["turn_id"] != first.turn_id
    assert calls[1]["prompt_version"] != calls[2]["prompt_version"]


async def test_the_lowest_passages_are_left_out_of_prompt_and_sources_when_there_is_no_room(tmp_path: Path) -> None:
    counter = TokenCounter()
    bare = prompts.load("answer").render(question=QUESTION, evidence="", today="2026-01-01")
    fixed = counter.count_messages(bare).tokens

    async def shown(room: int) -> tuple[int, str]:
        model = ScriptedModel(["50000 元[1]"], name="one")
        budget = TokenBudget(fixed + 100 + room, counter, "one")
        async with filled(tmp_path / str(room), ordered(model, budget=budget)) as services:
            events = await ask(services)
        (sources,) = [event for event in events if isinstance(event, Sources)]
        return len(sources.passages), model.calls[0].messages[0].content

    many, whole = await shown(4000)
    few, short = await shown(120)
    assert many > few == 1
    assert "[2] (" in whole.split("资料：")[-1]
    assert "[2] (" not in short.split("资料：")[-1]
    assert "50000" in short


async def test_old_history_goes_before_the_best_passage(tmp_path: Path) -> None:
    counter = TokenCounter()
    fixed = counter.count_messages(
        prompts.load("answer").render(question="那专营店的保证金是多少？", evidence="", today="2026-01-01")
    ).tokens
    budget = TokenBudget(fixed + 100 + 120, counter, "one")
    long = "五万元。" * 100
    model = ScriptedModel([long], ["专营店的保证金是多少？"], ["30000 元[1]"], name="one")
    async with filled(tmp_path, ordered(model, budget=budget)) as services:
        first = await answered(services)
        await answered(services, "那专营店的保证金是多少？", conversation_id=first.conversation_id)
    assert "30000" in model.calls[-1].messages[0].content
    assert all(long not in message.content for message in model.calls[-1].messages)


async def test_settings_name_several_endpoints_and_their_prices(tmp_path: Path) -> None:
    record = FakeModelRecord()
    async with running_fake_model(rate=0, text="50000 元[1]", cite=False, record=record) as base_url:
        second = {
            "base_url": base_url, "model": "fake-reasoning", "api_key": "sk-of-the-second", "max_tokens": 64,
            "price": {"input": 1, "output": 2},
        }  # fmt: skip
        settings = {
            "model_base_url": base_url, "model_name": "fake-500", "model_retries": 0,
            "model_api_key": "sk-of-the-first", "model_fallbacks": [second],
        }  # fmt: skip
        async with filled(tmp_path, **settings) as services:
            done = await answered(services)
            (call,) = await written_down(services)
    assert done.model == "fake-reasoning"
    assert record.keys == ["sk-of-the-first", "sk-of-the-second"]
    assert record.requests[1]["max_tokens"] == 64
    host = base_url.removeprefix("http://").removesuffix("/v1")
    assert call["endpoint"] == f"fake-reasoning@{host}"
    assert call["failed_attempts"] == [{"endpoint": f"fake-500@{host}", "code": "model_unavailable"}]
    expected = (call["prompt_tokens"] + 2 * call["completion_tokens"]) / 1e6
    assert call["amount"] == pytest.approx(expected, abs=1e-6)
    assert expected > 0


async def test_one_endpoint_asks_as_it_did_and_retries_are_counted(tmp_path: Path) -> None:
    async with running_fake_model(rate=0, text="50000 元[1]", cite=False) as base_url:
        settings = {"model_base_url": base_url, "model_name": "fake-500-once", "model_retries": 1}
        async with filled(tmp_path, **settings) as services:
            assert (await answered(services)).model == "fake-500-once"
            (call,) = await written_down(services)
    assert (call["attempts"], call["taken_over"]) == (2, False)
