"""Several endpoints in order: who is asked, who answers, and what is spared the others."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from app.llm.breaker import Breaker
from app.llm.fallback import FallbackModel
from app.llm.openai import OpenAIChatModel
from app.llm.ports import (
    RESTING,
    Answering,
    Attempted,
    Delta,
    Endpoint,
    Finished,
    Message,
    ModelBadRequest,
    ModelError,
    ModelInterrupted,
    ModelOutOfCredit,
    ModelRateLimited,
    ModelRefusedKey,
    ModelTimeout,
    ModelUnavailable,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolSpec,
    Usage,
)
from app.llm.scripted import ScriptedModel
from evals.fake_model import FakeModelRecord, running_fake_model

ASKED = (Message("user", "几天内可以退货？"),)
TOOL = ToolSpec("make_image", "Makes one.", {"type": "object"})
TOO_LONG = ModelBadRequest("Too long.", code="model_prompt_too_long")
WITHHELD = ModelBadRequest("Withheld.", code="model_withheld")

FIRST, SECOND, THIRD = (Endpoint(f"{name}@host", name) for name in ("one", "two", "three"))


def ordered(*places: tuple[Endpoint, ScriptedModel], **breaker: Any) -> FallbackModel:
    return FallbackModel(places, breaker=lambda: Breaker(**breaker))


async def ask(model: FallbackModel, **more: Any) -> list[Delta]:
    given = {"temperature": 0.0, "max_tokens": None, **more}
    messages = given.pop("messages", ASKED)
    return [delta async for delta in model.stream(messages, **given)]


async def failing(model: FallbackModel, **more: Any) -> ModelError:
    with pytest.raises(ModelError) as raised:
        await ask(model, **more)
    return raised.value


def text_of(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_the_first_answers_and_the_second_is_not_asked() -> None:
    second = ScriptedModel(["no"])
    deltas = await ask(ordered((FIRST, ScriptedModel(["七天", Usage(3, 1)])), (SECOND, second)))
    assert deltas == [Answering(FIRST), TextDelta("七天"), Usage(3, 1), Finished("stop")]
    assert second.calls == []


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailable("down"),
        ModelTimeout("slow", phase="first_token"),
        ModelRateLimited("busy"),
        ModelOutOfCredit("poor"),
        ModelRefusedKey("key"),
        ModelBadRequest("model", code="model_not_found"),
        ModelBadRequest("odd"),
    ],
    ids=lambda error: f"{error.error_code}",
)
async def test_what_another_may_answer_goes_to_the_next_with_the_reason(error: ModelError) -> None:
    deltas = await ask(ordered((FIRST, ScriptedModel([error])), (SECOND, ScriptedModel(["七天"]))))
    assert deltas[:3] == [Attempted(error.error_code, "one@host"), Answering(SECOND), TextDelta("七天")]


@pytest.mark.parametrize("begun", [TextDelta("七"), ReasoningDelta("想"), ToolCall("1", "t", "{}")])
async def test_what_has_begun_is_not_begun_again_elsewhere(begun: Delta) -> None:
    second = ScriptedModel(["no"])
    model = ordered((FIRST, ScriptedModel([begun, ModelInterrupted("cut")])), (SECOND, second))
    assert (await failing(model)).error_code == "model_interrupted"
    assert second.calls == []


async def test_when_all_fail_the_error_is_the_last_ones_and_says_whose_it_is() -> None:
    model = ordered((FIRST, ScriptedModel([ModelRateLimited("busy")])), (SECOND, ScriptedModel([ModelTimeout("slow")])))
    error = await failing(model)
    assert error.error_code == "model_timeout"
    assert error.endpoint == SECOND


async def test_withheld_content_is_shown_to_no_other_endpoint() -> None:
    second = ScriptedModel(["no"])
    assert (await failing(ordered((FIRST, ScriptedModel([WITHHELD])), (SECOND, second)))) is WITHHELD
    filtered = await ask(ordered((FIRST, ScriptedModel([Finished("content_filter")])), (SECOND, second)))
    assert filtered[-1] == Finished("content_filter")
    assert second.calls == []


async def test_a_prompt_that_is_too_long_goes_only_to_a_larger_context() -> None:
    same, unknown, larger = ScriptedModel(["no"]), ScriptedModel(["no"]), ScriptedModel(["七天"])
    first = Endpoint("a", "a", context=8000)
    model = ordered(
        (first, ScriptedModel([TOO_LONG])),
        (Endpoint("b", "b", context=8000), same),
        (Endpoint("c", "c"), unknown),
        (Endpoint("d", "d", context=32000), larger),
    )
    assert text_of(await ask(model)) == "七天"
    assert (len(same.calls), len(unknown.calls), len(larger.calls)) == (0, 0, 1)

    alone = ordered((first, ScriptedModel([TOO_LONG])), (Endpoint("b", "b", context=8000), same))
    assert (await failing(alone)) is TOO_LONG
    assert same.calls == []


async def test_refused_requests_do_not_make_an_endpoint_rest() -> None:
    first = ScriptedModel(*[[TOO_LONG]] * 5, *[[ModelBadRequest("odd")]] * 5, ["七天"])
    model = ordered((FIRST, first), (SECOND, ScriptedModel(["两"])), failures=2)
    for _ in range(5):
        await failing(model)
    for _ in range(5):
        assert text_of(await ask(model)) == "两"
    assert text_of(await ask(model)) == "七天"


async def test_an_endpoint_that_keeps_failing_is_passed_over_and_tried_once_a_pause() -> None:
    clock = [0.0]
    down = ModelUnavailable("down")
    first = ScriptedModel([down], [down], [down], ["again"])
    model = ordered((FIRST, first), (SECOND, ScriptedModel(["二"])), failures=2, pause_s=30, clock=lambda: clock[0])
    for _ in range(2):
        await ask(model)
    rested = await ask(model)
    assert rested[:2] == [Attempted(RESTING, "one@host"), Answering(SECOND)]
    assert len(first.calls) == 2

    clock[0] = 31
    assert [text_of(await ask(model)) for _ in range(3)] == ["二"] * 3
    assert len(first.calls) == 3  # one try in the pause

    clock[0] = 62
    assert [text_of(await ask(model)) for _ in range(2)] == ["again"] * 2


async def test_when_all_rest_they_are_asked_all_the_same() -> None:
    only = ScriptedModel([ModelUnavailable("down")], [ModelUnavailable("down")], ["七天"])
    model = ordered((FIRST, only), failures=1)
    await failing(model)
    await failing(model)
    assert text_of(await ask(model)) == "七天"


async def test_an_answer_that_breaks_off_counts_against_its_endpoint() -> None:
    cut = ScriptedModel(["七", ModelInterrupted("cut")])
    model = ordered((FIRST, cut), (SECOND, ScriptedModel(["二"])), failures=1)
    await failing(model)
    assert text_of(await ask(model)) == "二"


async def test_each_endpoint_gets_no_more_than_it_takes() -> None:
    first, second = ScriptedModel([ModelUnavailable("down")]), ScriptedModel(["二"])
    model = ordered((FIRST, first), (Endpoint("two", "two", max_tokens=100), second))
    await ask(model, max_tokens=500)
    await ask(model, max_tokens=50)
    await ask(model)
    assert [call.max_tokens for call in first.calls] == [500, 50, None]
    assert [call.max_tokens for call in second.calls] == [100, 50, 100]


async def test_tools_go_only_to_endpoints_that_take_them() -> None:
    first, second = ScriptedModel(["一"]), ScriptedModel(["二"])
    model = ordered((Endpoint("one", "one", tools=False), first), (SECOND, second))
    assert text_of(await ask(model, tools=[TOOL])) == "二"
    told = (*ASKED, Message("assistant", "", calls=(ToolCall("1", "t", "{}"),)), Message("tool", "{}", call_id="1"))
    assert text_of(await ask(model, messages=told)) == "二"
    assert text_of(await ask(model)) == "一"

    none = ordered((Endpoint("one", "one", tools=False), first))
    assert text_of(await ask(none, tools=[TOOL])) == "一"
    assert first.calls[-1].tools == ()


@asynccontextmanager
async def over_http(*names: str, record: FakeModelRecord | None = None, **server: Any) -> AsyncGenerator[FallbackModel]:
    """Real sockets: each name is a behaviour of the fake endpoint."""
    async with running_fake_model(record=record, **{"rate": 500.0, "text": "七天[1]", **server}) as base_url:
        places = [
            (
                Endpoint(f"{number}", name),
                OpenAIChatModel(base_url, "key", name, max_retries=0, first_token_timeout=1.0),
            )
            for number, name in enumerate(names, 1)
        ]
        model = FallbackModel(places)
        try:
            yield model
        finally:
            await model.aclose()


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ("fake-500", "model_unavailable"),
        ("fake-429", "model_rate_limited"),
        ("fake-402", "model_out_of_credit"),
        ("fake-401", "model_key_invalid"),
        ("fake-cut-first", "model_unavailable"),
        ("fake-silent", "model_timeout"),
        ("fake-only-comments", "model_timeout"),
        ("fake-error-first", "model_rate_limited"),
    ],
)
async def test_over_the_wire_whatever_fails_first_the_second_answers(broken: str, code: str) -> None:
    async with over_http(broken, "fake") as model:
        deltas = await ask(model)
    assert deltas[0] == Attempted(code, "1")
    assert text_of(deltas) == "七天[1]"
    assert [delta.endpoint.model for delta in deltas if isinstance(delta, Answering)] == ["fake"]


@pytest.mark.parametrize("name", ["fake-reasoning", "fake-reasoning-field", "fake-think-tags"])
async def test_reasoning_survives_the_change_of_endpoint_in_each_dialect(name: str) -> None:
    async with over_http("fake-500", name, reasoning="先看资料") as model:
        deltas = await ask(model)
    assert "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta)) == "先看资料"
    assert text_of(deltas) == "七天[1]"


async def test_a_connection_that_is_cut_after_some_text_is_not_answered_twice() -> None:
    record = FakeModelRecord()
    async with over_http("fake-cut", "fake", record=record) as model:
        assert (await failing(model)).error_code == "model_interrupted"
    assert [request["model"] for request in record.requests] == ["fake-cut"]


async def test_retries_within_an_endpoint_are_told_with_their_reason() -> None:
    async with running_fake_model(rate=500.0, text="好") as base_url:
        inner = OpenAIChatModel(base_url, "key", "fake-500-once", max_retries=1)
        model = FallbackModel([(Endpoint("1", "fake-500-once"), inner)])
        deltas = await ask(model)
        await model.aclose()
    assert deltas[:2] == [Attempted("model_unavailable", "1"), Answering(Endpoint("1", "fake-500-once"))]


async def test_leaving_closes_the_connection_of_the_one_that_answers() -> None:
    record = FakeModelRecord()
    async with over_http("fake-500", "fake", record=record, rate=50.0, tokens=200) as model:
        stream = model.stream(ASKED, temperature=0, max_tokens=None)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    break
        async with asyncio.timeout(20):
            while record.disconnects != 1:  # noqa: ASYNC110 (what the server saw has no event)
                await asyncio.sleep(0.005)
