"""Whatever an OpenAI-compatible endpoint does, the events are right and end in done or failed: the whole service,
the real openai SDK, and a real server on a socket."""

import time
from pathlib import Path

import pytest

from app.chat.events import Done, Event, Failed, Reasoning, Token
from app.chat.turns import Ask
from evals.fake_model import FakeModelRecord, running_fake_model
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, product, take_in

ANSWERS = ["fake", "fake-reasoning", "fake-think-tags", "fake-slow", "fake-split", "fake-429-once", "fake-no-options"]
FAILS = {
    "fake-cut": "model_interrupted",
    "fake-stall": "model_timeout",
    "fake-silent": "model_timeout",
    "fake-429": "model_rate_limited",
    "fake-500": "model_unavailable",
    "fake-401": "model_key_invalid",
    "fake-error-event": "model_interrupted",
}


IMPATIENT: dict[str, object] = {"model_first_token_timeout": 1.0, "model_between_tokens_timeout": 0.5}


async def events_of(data: Path, url: str, model: str, **settings: object) -> list[Event]:
    given: dict[str, object] = {
        "model_base_url": url,
        "model_api_key": "sk-test",
        "model_name": model,
        "model_retries": 1,
    }
    async with product(data, **(given | settings)) as services:
        await take_in(services, "shop", "费用.md", FEES)
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, "旗舰店的保证金是多少？"))
        return [event async for event in services.chat.answer(turn)]


@pytest.mark.parametrize("model", ANSWERS)
async def test_an_endpoint_that_answers_ends_in_done_with_citations(tmp_path: Path, model: str) -> None:
    async with running_fake_model(first_token_ms=5, rate=2000, slow_ms=300, retry_after_s=0) as url:
        events = await events_of(tmp_path, url, model)
    done = events[-1]
    assert isinstance(done, Done)
    assert done.citations == (1,)
    assert done.model == model
    assert done.usage.get("completion_tokens", 0) > 0 or model == "fake-no-options"
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == done.answer
    assert any(isinstance(event, Reasoning) for event in events) == (model in ("fake-reasoning", "fake-think-tags"))
    assert "think>" not in done.answer


@pytest.mark.parametrize("model", list(FAILS))
async def test_an_endpoint_that_fails_ends_in_failed_with_its_code(tmp_path: Path, model: str) -> None:
    # So slow that no word comes together with the failure after it: what nobody has seen is asked for again.
    async with running_fake_model(first_token_ms=5, rate=10, retry_after_s=0) as url:
        began = time.monotonic()
        events = await events_of(tmp_path, url, model, **(IMPATIENT if FAILS[model] == "model_timeout" else {}))
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert failed.code == FAILS[model]
    assert failed.message
    assert "sk-test" not in failed.message
    assert sum(isinstance(event, Done | Failed) for event in events) == 1
    assert time.monotonic() - began < 30


async def test_an_endpoint_that_is_not_there_ends_in_failed(tmp_path: Path) -> None:
    events = await events_of(tmp_path, "http://127.0.0.1:9/v1", "fake")
    assert isinstance(events[-1], Failed)
    assert events[-1].code == "model_unavailable"


async def test_leaving_the_stream_closes_the_models_connection(tmp_path: Path) -> None:
    record = FakeModelRecord()
    async with running_fake_model(first_token_ms=5, rate=20, tokens=200, record=record) as url:
        async with product(tmp_path, model_base_url=url, model_api_key="k", model_name="fake") as services:
            await take_in(services, "shop", "费用.md", FEES)
            turn = await services.chat.prepare(Ask(DEFAULT_TENANT, "旗舰店的保证金是多少？"))
            events = services.chat.answer(turn)
            async for event in events:
                if isinstance(event, Token):
                    break
            await events.aclose()
        assert (record.finished, record.disconnects) == (0, 1)
