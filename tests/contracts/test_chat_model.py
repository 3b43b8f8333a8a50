"""What every language model behind the port does, checked on the twin and on the real adapter."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from app.chat.prompts import load
from app.llm.calls import MemoryCalls
from app.llm.fallback import FallbackModel
from app.llm.logged import CallBook
from app.llm.openai import OpenAIChatModel
from app.llm.ports import (
    ChatModel,
    Delta,
    Endpoint,
    Finished,
    Message,
    ModelError,
    ModelInterrupted,
    ModelRateLimited,
    ModelUnavailable,
    ReasoningDelta,
    TextDelta,
    Usage,
)
from app.llm.scripted import ScriptedModel
from app.llm.tokens import TokenCounter
from evals.fake_model import FakeModelRecord, running_fake_model

WORDS = ("七天", "内可", "以退", "货。")
TEXT = "".join(WORDS)
QUESTION = (Message("system", "Answer briefly."), Message("user", "几天内可以退货？"))


@dataclass(frozen=True)
class Stage:
    """A model, and how to tell whether the stream on its other side was left."""

    model: ChatModel
    left: Callable[[], bool]


@asynccontextmanager
async def scripted(behaviour: str) -> AsyncGenerator[Stage]:
    scripts: dict[str, Sequence[Any]] = {
        "answers": [*WORDS, Usage(12, 4)],
        "reasons": [ReasoningDelta("想一想"), *WORDS, Usage(12, 4)],
        "slow": [0.02, *[step for word in WORDS * 50 for step in (word, 0.02)]],
        "breaks off": [*WORDS[:2], ModelInterrupted("cut")],
        "is down": [ModelUnavailable("down")],
        "is busy": [ModelRateLimited("busy")],
        "length": [*WORDS, Finished("length")],
    }
    model = ScriptedModel(scripts[behaviour], name="twin")
    yield Stage(model, lambda: model.calls[-1].left)


@asynccontextmanager
async def over_http(behaviour: str) -> AsyncGenerator[Stage]:
    name = {
        "reasons": "fake-reasoning",
        "breaks off": "fake-cut",
        "is down": "fake-500",
        "is busy": "fake-429",
        "length": "fake-length",
    }.get(behaviour, "fake")
    record = FakeModelRecord()
    speed = {
        "slow": {"first_token_ms": 20, "rate": 50, "tokens": 200},
        "breaks off": {"rate": 20},  # what came in the last moment before a cut may be lost with the connection
    }.get(behaviour, {"rate": 500})
    async with running_fake_model(record=record, text=TEXT, reasoning="想一想", **speed) as base_url:
        model = OpenAIChatModel(base_url, "key", name, max_retries=0)
        try:
            yield Stage(model, lambda: record.disconnects == 1)
        finally:
            await model.aclose()


@asynccontextmanager
async def second_in_order(behaviour: str) -> AsyncGenerator[Stage]:
    """The same over HTTP, behind an endpoint that is down; what it calls is written down."""
    down = ScriptedModel([ModelUnavailable("down")])
    async with over_http(behaviour) as stage:
        endpoint = Endpoint("second", stage.model.name)
        model = FallbackModel([(Endpoint("first", "fake"), down), (endpoint, stage.model)])
        calls = CallBook(MemoryCalls(), TokenCounter()).of("tenant")
        yield Stage(calls.through(model, load("answer")), stage.left)


@pytest.fixture(params=[scripted, over_http, second_in_order], ids=["scripted", "openai", "fallback"])
def staged(request: pytest.FixtureRequest) -> Any:
    return request.param


def asked(model: ChatModel) -> AsyncGenerator[Delta, None]:
    return model.stream(QUESTION, temperature=0.2, max_tokens=None)


def text_of(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_a_stream_is_text_then_usage_then_finished_last(staged: Any) -> None:
    async with staged("answers") as stage:
        deltas = [delta async for delta in asked(stage.model)]

    assert text_of(deltas) == TEXT
    assert isinstance(deltas[-2], Usage)
    assert deltas[-1] == Finished("stop")
    assert sum(isinstance(delta, Usage | Finished) for delta in deltas) == 2
    assert all(delta.text for delta in deltas if isinstance(delta, TextDelta | ReasoningDelta))


async def test_reasoning_comes_apart_from_the_answer(staged: Any) -> None:
    async with staged("reasons") as stage:
        deltas = [delta async for delta in asked(stage.model)]

    assert "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta)) == "想一想"
    assert text_of(deltas) == TEXT


async def test_an_answer_cut_at_its_limit_says_so(staged: Any) -> None:
    async with staged("length") as stage:
        assert [delta async for delta in asked(stage.model)][-1] == Finished("length")


async def test_closing_the_generator_ends_the_stream_at_once(staged: Any) -> None:
    async with staged("slow") as stage:
        async with aclosing(asked(stage.model)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    break
        await until(stage.left)


async def test_cancelling_the_reader_ends_the_stream_at_once(staged: Any) -> None:
    async with staged("slow") as stage:

        async def read() -> None:
            async with aclosing(asked(stage.model)) as deltas:
                async for _ in deltas:
                    pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), 0.3)
        await until(stage.left)


@pytest.mark.parametrize(
    ("behaviour", "error", "code"),
    [
        ("breaks off", ModelInterrupted, "model_interrupted"),
        ("is down", ModelUnavailable, "model_unavailable"),
        ("is busy", ModelRateLimited, "model_rate_limited"),
    ],
)
async def test_a_failure_is_one_of_our_errors_after_what_was_said(
    staged: Any, behaviour: str, error: type[ModelError], code: str
) -> None:
    deltas: list[Delta] = []

    async def read() -> None:
        async for delta in asked(stage.model):
            deltas.append(delta)  # noqa: PERF401 (a comprehension would lose what came before the error)

    async with staged(behaviour) as stage:
        with pytest.raises(error) as raised:
            await read()

    assert raised.value.error_code == code
    assert text_of(deltas) == ("".join(WORDS[:2]) if behaviour == "breaks off" else "")


async def test_streams_at_the_same_time_do_not_mix(staged: Any) -> None:
    async with staged("answers") as stage:

        async def read() -> str:
            return text_of([delta async for delta in asked(stage.model)])

        assert set(await asyncio.gather(*(read() for _ in range(20)))) == {TEXT}


async def test_the_model_has_a_name(staged: Any) -> None:
    async with staged("answers") as stage:
        assert stage.model.name in {"twin", "fake"}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 (what the server saw has no event)
            await asyncio.sleep(0.005)
