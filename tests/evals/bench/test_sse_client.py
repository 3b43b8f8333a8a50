"""The bench's client finds every token, and notices every answer that is not whole."""

import orjson
import pytest

from evals.bench.sse_client import Order, drive, read_response
from evals.fake_model import FakeModelRecord, running_fake_model
from evals.fake_replies import DEFAULT_TEXT

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def order(url: str, model: str, **options: object) -> Order:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    settings = {"dialect": "openai", "clients": 3, "rounds": 2, "spread_s": 0.05, "timeout_s": 5.0, **options}
    return Order(url=f"{url}/chat/completions", bodies=[body], **settings)


async def test_every_stream_is_timed_and_read() -> None:
    record = FakeModelRecord()
    async with running_fake_model(first_token_ms=100, rate=200, record=record) as url:
        timings = await drive(order(url, "fake"))

    assert len(timings) == len(record.requests) == 6
    assert {(timing.text, timing.error) for timing in timings} == {(DEFAULT_TEXT, None)}
    assert all(0.1 <= timing.first_token_s < timing.total_s for timing in timings)


@pytest.mark.parametrize(
    ("model", "error"),
    [("fake-cut", "cut short"), ("fake-429", "status 429"), ("fake-silent", "TimeoutError")],
)
async def test_a_stream_that_is_not_whole_says_why(model: str, error: str) -> None:
    async with running_fake_model() as url:
        timings = await drive(order(url, model, clients=1, rounds=1, timeout_s=0.5))

    assert [timing.error for timing in timings] == [error]


def events(*pairs: tuple[str, object]) -> bytes:
    return HEAD + b"".join(b"event: %s\r\ndata: %s\r\n\r\n" % (n.encode(), orjson.dumps(data)) for n, data in pairs)


def test_named_events_are_read_around_what_is_not_text() -> None:
    response = events(
        ("sources", {}), ("token", {"text": "七"}), ("token", {"text": "天"}), ("done", {"answer": "七天"})
    )
    assert read_response(response, "events") == ("七天", None)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (events(("token", {"text": "七"})), "cut short"),
        (events(("token", {"text": "七"}), ("failed", {"code": "model_timeout"})), "failed: model_timeout"),
        (events(("token", {"text": "七"}), ("done", {"refused": True})), "refused"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503"),
        (b"", "status none"),
    ],
)
def test_named_events_that_end_badly_are_failures(response: bytes, error: str) -> None:
    assert read_response(response, "events")[1] == error
