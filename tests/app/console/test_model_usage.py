"""The console shows what the models were used for, and nothing where none was."""

from pathlib import Path

from app.llm.calls import ModelCall
from app.llm.ports import Attempted, Endpoint, Price
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import see, served, words

PRICED = Endpoint("qwen-plus@host", "qwen-plus", price=Price(2.0, 8.0))
LOCAL = Endpoint("local@host", "local")


async def call(services: Services, endpoint: Endpoint, *tried: Attempted, outcome: str = "stop") -> None:
    await services.model_calls.write(
        ModelCall(DEFAULT_TENANT, "answer", "v1", endpoint, outcome, tried, 12_000, 500, "endpoint", 800.0, 2000.0)
    )


async def test_without_a_call_there_is_no_table(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        assert (await see(http, "/console")).css("#usage") == []


async def test_calls_are_added_up_by_model_and_by_day_in_both_languages(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await call(services, PRICED)
        await call(services, PRICED, outcome="model_timeout")
        await call(services, LOCAL, Attempted("model_timeout", PRICED.name))
        page = await see(http, "/console")
        *models, day = [" ".join(row.text(separator=" ").split()) for row in page.css("#usage tbody tr")]
        assert models == [
            "qwen-plus@host 2 1 0 24,000 1,000 0.8 s 0.0560 CNY",
            "local@host 1 0 1 12,000 500 0.8 s 价格未知",
        ]
        assert day.endswith("3 1 1 36,000 1,500 0.8 s 0.0560 CNY")
        assert "模型用量" in words(page, "#usage")
        http.cookies.set("copilot_lang", "en")
        assert "Took over" in words(await see(http, "/console"), "#usage")
