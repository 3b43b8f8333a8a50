"""Every call is written down, however it ends: who answered, tokens, times, money; never what was said."""

import asyncio
import logging
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.chat.prompts import load
from app.llm.calls import MemoryCalls, ModelCall, ModelCalls
from app.llm.fallback import FallbackModel
from app.llm.logged import CallBook
from app.llm.ports import (
    Attempted,
    ChatModel,
    Endpoint,
    Finished,
    Message,
    ModelError,
    ModelInterrupted,
    ModelUnavailable,
    Price,
    ReasoningDelta,
    Usage,
)
from app.llm.scripted import ScriptedModel, Step
from app.llm.tables import model_calls
from app.llm.tokens import TokenCounter
from knowledge.catalog import Catalog
from knowledge.database import Database, sqlite_url
from knowledge.models import DEFAULT_TENANT
from tests.products import database_of

SECRET = "保证金的秘密"
ASKED = (Message("user", SECRET),)
TEMPLATE = load("answer")
DOWN = ModelUnavailable("down")
FIRST = Endpoint("one@host", "one", price=Price(1.0, 2.0))
SECOND = Endpoint("two@host", "two", price=Price(10.0, 20.0))


def logged(model: ChatModel, calls: MemoryCalls) -> ChatModel:
    return CallBook(calls, TokenCounter()).of("tenant", turn_id="turn-1").through(model, TEMPLATE)


async def read(model: ChatModel) -> None:
    async with aclosing(model.stream(ASKED, temperature=0, max_tokens=None)) as deltas:
        async for _ in deltas:
            pass


async def call_of(*scripts: list[Step]) -> ModelCall:
    """The one call that is written down when each script is an endpoint."""
    calls = MemoryCalls()
    places = list(zip((FIRST, SECOND), [ScriptedModel(script) for script in scripts], strict=False))
    with suppress(ModelError):
        await read(logged(FallbackModel(places), calls))
    (call,) = calls.calls
    return call


async def test_a_call_says_whose_it_is_who_answered_and_what_it_cost() -> None:
    call = await call_of(["七天", 0.01, "内", Usage(1000, 50)])
    assert (call.tenant, call.turn_id, call.job_id) == ("tenant", "turn-1", None)
    assert (call.purpose, call.prompt_version) == ("answer", TEMPLATE.version)
    assert (call.endpoint, call.outcome, call.attempts, call.taken_over) == (FIRST, "stop", 1, False)
    assert (call.prompt_tokens, call.completion_tokens, call.counted_by) == (1000, 50, "endpoint")
    assert call.amount == pytest.approx((1000 * 1.0 + 50 * 2.0) / 1e6)
    assert call.first_token_ms is not None
    assert call.first_token_ms <= call.total_ms


async def test_a_call_that_another_took_over_has_the_reason_and_the_others_price() -> None:
    call = await call_of([DOWN], ["七天", Usage(1000, 50)])
    assert (call.endpoint, call.attempts, call.taken_over) == (SECOND, 2, True)
    assert call.tried == (Attempted("model_unavailable", "one@host"),)
    assert call.amount == pytest.approx((1000 * 10.0 + 50 * 20.0) / 1e6)


async def test_without_usage_tokens_are_counted_with_the_reasoning() -> None:
    plain, reasoned = await call_of(["七天"]), await call_of([ReasoningDelta("想一想" * 9), "七天"])
    assert plain.counted_by == "estimate"
    assert plain.prompt_tokens > 0
    assert reasoned.completion_tokens > plain.completion_tokens > 0


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (["七", Finished("length")], "length"),
        (["七", ModelInterrupted("cut")], "model_interrupted"),
        ([Finished("content_filter")], "content_filter"),
    ],
)
async def test_the_end_is_written_down(script: list[Step], outcome: str) -> None:
    assert (await call_of(script)).outcome == outcome


async def test_when_nobody_answers_nothing_was_used_and_the_last_asked_is_named() -> None:
    call = await call_of([DOWN], [DOWN])
    assert (call.endpoint, call.outcome, call.attempts) == (SECOND, "model_unavailable", 2)
    assert (call.prompt_tokens, call.completion_tokens, call.amount) == (0, 0, 0)
    assert call.first_token_ms is None


async def test_a_stream_that_is_left_or_cancelled_is_written_down_with_what_was_said() -> None:
    calls = MemoryCalls()
    inner = ScriptedModel(["七天", 3600.0])
    async with aclosing(logged(inner, calls).stream(ASKED, temperature=0, max_tokens=None)) as deltas:
        await anext(deltas)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(logged(inner, calls)), 0.05)
    assert [call.outcome for call in calls.calls] == ["left", "left"]
    assert all(call.completion_tokens > 0 for call in calls.calls)
    assert all(call.left for call in inner.calls)


async def test_neither_what_was_asked_nor_what_was_said_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await call_of(["旗舰店 50000 元"])
    (line,) = [record.getMessage() for record in caplog.records if "model call" in record.message]
    assert "endpoint=one@host" in line
    assert f"prompt={TEMPLATE.version}" in line
    assert SECRET not in caplog.text
    assert "50000" not in caplog.text


async def test_days_are_added_up_by_tenant_endpoint_and_model(tmp_path: Path) -> None:
    database = Database(database_of(tmp_path))
    for tenant in (DEFAULT_TENANT, "other"):
        await Catalog(database).ensure_tenant(tenant, tenant)
    calls = ModelCalls(database, currency="CNY")
    common: dict[str, Any] = {"purpose": "answer", "prompt_version": "v", "counted_by": "endpoint", "total_ms": 9.0}

    async def write(endpoint: Endpoint, tenant: str = DEFAULT_TENANT, **more: Any) -> None:
        given: dict[str, Any] = {
            "outcome": "stop", "tried": (), "prompt_tokens": 1000, "completion_tokens": 10, "first_token_ms": 5.0,
        }  # fmt: skip
        await calls.write(ModelCall(tenant, endpoint=endpoint, **common, **{**given, **more}))

    await write(FIRST)
    await write(FIRST, outcome="model_timeout", prompt_tokens=0, completion_tokens=0, first_token_ms=None)
    await write(SECOND, tried=(Attempted("model_timeout", FIRST.name),))
    await write(Endpoint("free@host", "free"), tenant="other")
    one, two = await calls.daily(DEFAULT_TENANT, days=30)
    assert (one.endpoint, one.calls, one.failed, one.taken_over, one.begun) == ("one@host", 2, 1, 0, 1)
    assert (one.prompt_tokens, one.completion_tokens, one.priced, one.currency) == (1000, 10, 2, "CNY")
    assert one.amount == pytest.approx(0.00102)
    assert (two.endpoint, two.calls, two.failed, two.taken_over) == ("two@host", 1, 0, 1)
    (other,) = await calls.daily("other", days=1)
    assert (other.priced, other.amount) == (0, 0.0)
    async with database.read() as connection:
        tried = (await connection.execute(select(model_calls.c.failed_attempts))).scalars().all()
    assert [{"endpoint": "one@host", "code": "model_timeout"}] in tried
    await database.close()


async def test_calls_that_end_at_once_are_all_written_down(tmp_path: Path) -> None:
    database = Database(database_of(tmp_path))
    await Catalog(database).ensure_tenant("tenant", "tenant")
    calls = ModelCalls(database, currency="CNY")
    model = CallBook(calls, TokenCounter()).of("tenant").through(ScriptedModel(["七天", Usage(1, 1)]), TEMPLATE)
    await asyncio.gather(*(read(model) for _ in range(50)))
    (day,) = await calls.daily("tenant", days=1)
    assert day.calls == 50
    await database.close()


async def test_a_database_that_is_away_spoils_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = Database(sqlite_url(tmp_path / "empty.db"))
    book = CallBook(ModelCalls(empty, currency="CNY"), TokenCounter())
    await read(book.of("tenant").through(ScriptedModel(["七天"]), TEMPLATE))
    assert "model calls not written" in caplog.text
    await empty.close()
