"""The adapter against a server that keeps to the protocol, and against every way of breaking it."""

import asyncio
import logging
import socket
import time
import traceback
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from typing import Any

import pytest

from app.llm.openai import OpenAIChatModel
from app.llm.ports import (
    Delta,
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
    Usage,
)
from evals.fake_model import BAD_KEY, FakeModelRecord, running_fake_model
from evals.fake_replies import DEFAULT_REASONING, DEFAULT_TEXT

ASKED = (Message("system", "Be brief."), Message("user", "几天内可以退货？"))


@asynccontextmanager
async def serving(name: str, *, key: str = "sk-secret-42", **options: Any) -> AsyncGenerator[OpenAIChatModel]:
    """A fake server and the adapter in front of it; ``server`` holds the server's settings."""
    settings = {"rate": 500.0, **options.pop("server", {})}
    patience = {"connect_timeout": 10.0, "first_token_timeout": 30.0, "between_tokens_timeout": 15.0, **options}
    async with running_fake_model(**settings) as base_url:
        model = OpenAIChatModel(base_url, key, name, **patience)
        try:
            yield model
        finally:
            await model.aclose()


async def ask(model: OpenAIChatModel, *, max_tokens: int | None = None) -> tuple[str, str, list[Delta]]:
    """(answer, reasoning, the rest)."""
    deltas = [delta async for delta in model.stream(ASKED, temperature=0.2, max_tokens=max_tokens)]
    answer = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    reasoning = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    return answer, reasoning, [delta for delta in deltas if isinstance(delta, Usage | Finished)]


async def failing(model: OpenAIChatModel) -> tuple[str, ModelError]:
    """The text before the error, and the error."""
    said: list[str] = []

    async def read() -> None:
        async for delta in model.stream(ASKED, temperature=0.2, max_tokens=None):
            said.append(delta.text if isinstance(delta, TextDelta) else "")  # noqa: PERF401 (an error ends it)

    with pytest.raises(ModelError) as raised:
        await read()
    return "".join(said), raised.value


@pytest.mark.parametrize("name", ["fake", "fake-slow", "fake-split", "fake-comments"])
async def test_the_answer_arrives_whole_however_it_is_cut(name: str) -> None:
    async with serving(name, server={"slow_ms": 100.0}) as model:
        answer, reasoning, rest = await ask(model)

    assert answer == DEFAULT_TEXT
    assert reasoning == ""
    assert [type(delta) for delta in rest] == [Usage, Finished]
    assert rest[-1] == Finished("stop")


@pytest.mark.parametrize("name", ["fake-reasoning", "fake-reasoning-field", "fake-think-tags"])
async def test_reasoning_is_told_apart_in_each_of_the_three_dialects(name: str) -> None:
    async with serving(name) as model:
        answer, reasoning, _ = await ask(model)

    assert answer == DEFAULT_TEXT
    assert reasoning == DEFAULT_REASONING


@pytest.mark.parametrize(("name", "reason"), [("fake-length", "length"), ("fake-filter", "content_filter")])
async def test_the_reason_for_the_end_is_passed_on(name: str, reason: str) -> None:
    async with serving(name) as model:
        _, _, rest = await ask(model)

    assert rest[-1] == Finished(reason)


async def test_the_request_carries_messages_limits_key_and_the_wish_for_usage() -> None:
    record = FakeModelRecord()
    async with serving("fake", server={"record": record}) as model:
        await ask(model, max_tokens=64)

    assert record.keys == ["sk-secret-42"]
    assert record.requests == [
        {
            "model": "fake",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "几天内可以退货？"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.2,
            "max_tokens": 64,
        }
    ]


async def test_usage_is_what_the_endpoint_counts() -> None:
    async with serving("fake", server={"tokens": 17}) as model:
        _, _, rest = await ask(model)

    assert rest[0] == Usage(prompt_tokens=8, completion_tokens=17)


async def test_a_server_without_stream_options_is_asked_again_without_and_remembered() -> None:
    record = FakeModelRecord()
    async with serving("fake-no-options", max_retries=0, server={"record": record}) as model:
        first = await ask(model)
        second = await ask(model)

    assert first == second == (DEFAULT_TEXT, "", [Finished("stop")])
    assert ["stream_options" in request for request in record.requests] == [True, False, False]


async def test_a_server_that_never_says_done_does_not_hold_the_answer_back() -> None:
    async with serving("fake-no-done") as model:
        started = time.monotonic()
        answer, _, rest = await ask(model)

    assert answer == DEFAULT_TEXT
    assert rest == [Finished("stop")]
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("name", "error", "code"),
    [
        ("fake-400", ModelBadRequest, "model_prompt_too_long"),
        ("fake-401", ModelRefusedKey, "model_key_invalid"),
        ("fake-402", ModelOutOfCredit, "model_out_of_credit"),
        ("no-such-model", ModelBadRequest, "model_not_found"),
    ],
)
async def test_what_no_retry_can_help_fails_at_once(name: str, error: type[ModelError], code: str) -> None:
    record = FakeModelRecord()
    async with serving(name, server={"record": record}) as model:
        text, raised = await failing(model)

    assert (type(raised), raised.error_code, text) == (error, code, "")
    assert len(record.requests) == 1


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("fake-500", ModelUnavailable),
        ("fake-429", ModelRateLimited),
        ("fake-cut-first", ModelUnavailable),
        ("fake-error-first", ModelRateLimited),
    ],
)
async def test_what_a_retry_may_help_is_tried_again_as_often_as_set(name: str, error: type[ModelError]) -> None:
    record = FakeModelRecord()
    async with serving(name, max_retries=1, server={"record": record}) as model:
        text, raised = await failing(model)

    assert type(raised) is error
    assert text == ""
    assert len(record.requests) == 2


@pytest.mark.parametrize("name", ["fake-500-once", "fake-429-once"])
async def test_a_failure_that_passes_is_not_noticed(name: str) -> None:
    async with serving(name) as model:
        answer, _, rest = await ask(model)

    assert answer == DEFAULT_TEXT
    assert rest[-1] == Finished("stop")


async def test_retry_after_is_waited_for() -> None:
    async with serving("fake-429-once", server={"retry_after_s": 0.4}) as model:
        started = time.monotonic()
        await ask(model)

    assert 0.4 <= time.monotonic() - started < 20


@pytest.mark.parametrize("seconds", [40.0, 3600.0])
async def test_a_longer_wait_than_a_reader_has_patience_for_fails_at_once(seconds: float) -> None:
    record = FakeModelRecord()
    settings = {"retry_after_s": seconds, "record": record}
    async with serving("fake-429-once", first_token_timeout=30.0, server=settings) as model:
        started = time.monotonic()
        _, raised = await failing(model)

    assert isinstance(raised, ModelRateLimited)
    assert raised.retry_after_s == seconds
    assert time.monotonic() - started < 20
    assert len(record.requests) == 1


@pytest.mark.parametrize("name", ["fake-cut", "fake-no-finish", "fake-error-event", "fake-badjson"])
async def test_a_stream_that_breaks_off_is_interrupted_and_never_asked_again(name: str) -> None:
    record = FakeModelRecord()
    async with serving(name, server={"record": record}) as model:
        text, raised = await failing(model)

    assert type(raised) is ModelInterrupted
    assert text
    assert DEFAULT_TEXT.startswith(text)
    assert len(record.requests) == 1


@pytest.mark.parametrize(
    ("name", "phase", "limits"),
    [
        ("fake-silent", "first_token", {"first_token_timeout": 0.3}),
        ("fake-only-comments", "first_token", {"first_token_timeout": 0.3}),
        ("fake-stall", "between_tokens", {"between_tokens_timeout": 0.3}),
    ],
)
async def test_silence_ends_in_a_timeout_and_closes_the_connection(
    name: str, phase: str, limits: dict[str, float]
) -> None:
    record = FakeModelRecord()
    async with serving(name, server={"record": record}, **limits) as model:
        started = time.monotonic()
        _, raised = await failing(model)
        assert time.monotonic() - started < 10
        await until(lambda: record.disconnects == 1)

    assert isinstance(raised, ModelTimeout)
    assert raised.params["phase"] == phase
    assert len(record.requests) == 1


async def test_an_address_that_nobody_listens_on_is_unavailable() -> None:
    async with running_fake_model() as gone:
        pass
    model = OpenAIChatModel(gone, "key", "fake", max_retries=1)
    _, raised = await failing(model)
    await model.aclose()

    assert type(raised) is ModelUnavailable
    assert "COPILOT_MODEL_BASE_URL" in raised.message


async def test_a_host_that_does_not_take_the_connection_in_time_is_a_timeout() -> None:
    with deaf_listener() as port:
        model = OpenAIChatModel(f"http://127.0.0.1:{port}/v1", "", "fake", connect_timeout=0.3, first_token_timeout=60)
        started = time.monotonic()
        _, raised = await failing(model)
        await model.aclose()

    assert isinstance(raised, ModelTimeout)
    assert raised.params["phase"] == "connect"
    assert time.monotonic() - started < 20


async def test_a_whole_completion_instead_of_a_stream_is_taken() -> None:
    body = b'{"choices":[{"message":{"role":"assistant","content":"\xe5\xa5\xbd"},"finish_reason":"stop"}]}'
    async with answering(body, b"application/json") as base_url:
        model = OpenAIChatModel(base_url, "", "any")
        answer, _, rest = await ask(model)
        await model.aclose()

    assert answer == "好"
    assert rest == [Finished("stop")]


async def test_an_address_that_serves_a_web_page_says_which_setting_to_check() -> None:
    async with answering(b"<html>Welcome</html>", b"text/html; charset=utf-8") as base_url:
        model = OpenAIChatModel(base_url, "", "any")
        _, raised = await failing(model)
        await model.aclose()

    assert isinstance(raised, ModelBadRequest)
    assert raised.error_code == "model_not_found"
    assert "COPILOT_MODEL_BASE_URL" in raised.message


async def test_a_slow_reader_is_not_the_models_fault() -> None:
    async with serving("fake", between_tokens_timeout=1.0, server={"rate": 20.0, "tokens": 6}) as model:
        async with aclosing(model.stream(ASKED, temperature=0.2, max_tokens=None)) as deltas:
            await anext(deltas)
            await asyncio.sleep(1.3)
            rest = [delta async for delta in deltas]

    assert rest[-1] == Finished("stop")


async def test_a_busy_process_reads_in_longer_pieces_and_a_quiet_one_in_short_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late_by, slept = iter([0.0, 0.004, 0.04, 10.0, 0.0]), []

    async def sleep(seconds: float) -> float:
        slept.append(seconds)
        await asyncio.sleep(0.02)
        return next(late_by, 0.0)

    monkeypatch.setattr("app.llm.openai._sleep", sleep)
    async with serving("fake", server={"rate": 100.0, "tokens": 60}) as model:
        await ask(model)

    assert slept[:6] == pytest.approx([0.03, 0.03, 0.03, 0.16, 0.25, 0.03])


async def test_many_answers_at_once_are_read_in_longer_pieces_and_one_alone_in_short_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> float:
        slept.append(seconds)
        await asyncio.sleep(0.02)
        return 0.0

    monkeypatch.setattr("app.llm.openai._sleep", sleep)
    async with serving("fake", server={"rate": 20.0, "tokens": 40, "first_token_ms": 500.0}) as model:
        await asyncio.gather(*(ask(model) for _ in range(200)))
        assert max(slept) == pytest.approx(0.03 + 100 * 0.00055)
        slept.clear()
        await ask(model)

    assert set(slept) == {0.03}


async def test_a_model_that_is_faster_than_it_is_read_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> float:
        slept.append(seconds)
        await asyncio.sleep(seconds)
        return 0.0

    monkeypatch.setattr("app.llm.openai._sleep", sleep)
    async with serving("fake", server={"rate": 1e6, "tokens": 10_000}) as model:
        answer, _, _ = await ask(model)

    assert len(answer) > 10_000
    assert len(slept) < 50  # 1.7 MB in reads of 16 kB are over a hundred


@pytest.mark.parametrize("key", ["sk-测试", "sk-1\nsk-2"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ModelRefusedKey) as raised:
        OpenAIChatModel("http://127.0.0.1:1/v1", key, "fake")
    assert key not in str(raised.value)


async def test_space_around_a_key_is_not_part_of_it() -> None:
    record = FakeModelRecord()
    async with serving("fake", key=" sk-secret-42\n", server={"record": record}) as model:
        await ask(model)

    assert record.keys == ["sk-secret-42"]


async def test_the_connection_closes_at_once_when_the_reader_leaves() -> None:
    record = FakeModelRecord()
    async with serving("fake", server={"record": record, "rate": 20.0, "tokens": 2000}) as model:
        async with aclosing(model.stream(ASKED, temperature=0.2, max_tokens=None)) as deltas:
            await anext(deltas)
            assert record.in_flight == 1
        await until(lambda: record.disconnects == 1)
        assert record.in_flight == 0


async def test_connections_are_used_again() -> None:
    record = FakeModelRecord()
    async with serving("fake", server={"record": record}) as model:
        for _ in range(5):
            await ask(model)

    assert record.connections == 1
    assert record.disconnects == 0


@pytest.mark.parametrize("name", ["fake-429", "fake-cut", "fake-400", "no-such-model"])
@pytest.mark.parametrize("key", [BAD_KEY, "sk-secret-42"])
async def test_the_key_is_in_no_message_and_no_log(name: str, key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(name, key=key, max_retries=1) as model:
        _, raised = await failing(model)

    told = "".join(traceback.format_exception(raised)) + raised.message + raised.detail + repr(raised.params)
    assert key not in told + caplog.text + repr([record.__dict__ for record in caplog.records])


async def test_a_wrong_key_says_which_setting_to_check() -> None:
    async with serving("fake", key=BAD_KEY) as model:
        _, raised = await failing(model)

    assert type(raised) is ModelRefusedKey
    assert "COPILOT_MODEL_API_KEY" in raised.message


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 (what the server saw has no event)
            await asyncio.sleep(0.005)


@contextmanager
def deaf_listener() -> Generator[int]:
    """A port whose queue of connections is full: Linux drops the next handshake, as a firewall does."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@asynccontextmanager
async def answering(body: bytes, media_type: bytes) -> AsyncGenerator[str]:
    """A server that answers everything with the same body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        writer.write(head % (media_type, len(body)) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
