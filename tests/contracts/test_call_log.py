"""What every log of model calls does: the twin, and the table."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.llm.calls import CallLog, MemoryCalls, ModelCall, ModelCalls
from app.llm.ports import RESTING, Attempted, Endpoint, Price
from knowledge.catalog import Catalog
from knowledge.database import Database, now
from tests.products import database_of

PLACE = Endpoint("one@host", "one", price=Price(1.0, 2.0))
TRIED = (Attempted("model_timeout", "zero@host"), Attempted(RESTING, "half@host"))
CALL = ModelCall("shop", "answer", "v1", PLACE, "stop", TRIED, 1000, 50, "endpoint", 5.0, 9.0, turn_id="turn")


@pytest.fixture(params=["memory", "sql"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CallLog]:
    if request.param == "memory":
        yield MemoryCalls(currency="CNY")
        return
    database = Database(database_of(tmp_path))
    for tenant in ("shop", "other"):
        await Catalog(database).ensure_tenant(tenant, tenant)
    yield ModelCalls(database, currency="CNY")
    await database.close()


async def test_a_turns_calls_come_back_whole_and_in_order(log: CallLog) -> None:
    began = now()
    await log.write(CALL)
    await log.write(replace(CALL, purpose="condense", tried=(), first_token_ms=None, outcome="model_timeout"))
    one, two = await log.of_turn("shop", "turn")
    assert (one.purpose, one.prompt_version, one.endpoint, one.model) == ("answer", "v1", "one@host", "one")
    assert (one.outcome, one.attempts, one.taken_over, one.tried) == ("stop", 2, True, TRIED)
    assert (one.prompt_tokens, one.completion_tokens, one.counted_by) == (1000, 50, "endpoint")
    assert (one.first_token_ms, one.total_ms, one.amount, one.currency) == (5.0, 9.0, 0.0011, "CNY")
    assert began <= one.ended_at <= two.ended_at <= now()
    assert (two.purpose, two.outcome, two.first_token_ms, two.tried) == ("condense", "model_timeout", None, ())


async def test_a_price_that_is_not_known_stays_so(log: CallLog) -> None:
    await log.write(replace(CALL, endpoint=Endpoint("free@host", "free")))
    (call,) = await log.of_turn("shop", "turn")
    assert call.amount is None


async def test_calls_of_other_turns_jobs_and_tenants_are_not_among_them(log: CallLog) -> None:
    for call in (
        replace(CALL, turn_id="else"),
        replace(CALL, turn_id=None, job_id="turn"),
        replace(CALL, tenant="other"),
    ):
        await log.write(call)
    assert await log.of_turn("shop", "turn") == []


async def test_what_ended_before_a_moment_is_forgotten_of_every_tenant(log: CallLog) -> None:
    await log.write(CALL)
    await log.write(replace(CALL, tenant="other"))
    between = now() + timedelta(milliseconds=2)  # the clock may stand still for two calls
    await asyncio.sleep(0.01)
    await log.write(replace(CALL, purpose="later"))
    assert await log.forget(before=between - timedelta(days=1)) == 0
    assert await log.forget(before=between) == 2
    assert await log.forget(before=between) == 0
    assert [call.purpose for call in await log.of_turn("shop", "turn")] == ["later"]
    assert await log.of_turn("other", "turn") == []
