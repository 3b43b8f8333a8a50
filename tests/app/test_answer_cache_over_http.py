"""The answer cache over HTTP and in the console: use, switch, purge, and who may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from app.identity.keys import Scope
from app.jobs.queue import MemoryQueue
from app.llm.ports import TextDelta, Usage
from app.llm.scripted import Step
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import MemoryVectors
from tests.app.test_answer_cache import QUESTION, model
from tests.products import FEES, settings_for, take_in


@asynccontextmanager
async def served(data: Path, *steps: Step, **overrides: object) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    """The model says ``steps`` to every question, or what stands in the document."""
    _, answerer = model(list(steps) or [TextDelta("50000 元[1]"), Usage(100, 20)])
    twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue(), answerer)
    app = create_app(settings_for(data, **overrides), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            await take_in(app.state.services, "shop", "费用.md", FEES)
            yield http, app.state.services


async def cached(http: httpx.AsyncClient, **headers: str) -> str | None:
    answer = await http.post("/v1/chat", json={"question": QUESTION, "stream": False}, headers=headers)
    found: str | None = answer.json()["cached"]
    return found


async def test_no_cache_in_the_request_makes_a_new_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        assert [await cached(http), await cached(http)] == [None, "exact"]
        assert await cached(http, **{"Cache-Control": "max-age=0, No-Cache"}) is None
        assert await cached(http) == "exact"


async def test_use_is_counted_and_an_administrator_switches_and_purges(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        await cached(http)
        await cached(http)
        use = (await http.get("/v1/answer-cache")).json()
        assert (use["on"], use["exact"], use["written"], use["saved_tokens"]) == (True, 1, 1, 120)
        assert (await http.put("/v1/answer-cache", json={"on": False})).json() == {"on": False}
        assert await cached(http) is None
        await http.put("/v1/answer-cache", json={"on": True})
        assert (await http.delete("/v1/answer-cache")).json() == {"purged": 2}
        assert await cached(http) is None


async def test_a_reader_sees_the_use_and_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        _, key = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.WRITE)
        http.headers["Authorization"] = f"Bearer {key}"
        assert (await http.get("/v1/answer-cache")).status_code == 200
        assert (await http.put("/v1/answer-cache", json={"on": False})).status_code == 403
        assert (await http.delete("/v1/answer-cache")).status_code == 403


async def test_the_console_shows_the_use_and_its_buttons_switch_and_purge(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await cached(http)
        await cached(http)
        page = (await http.get("/console", headers={"Accept-Language": "zh"})).text
        assert "回答缓存" in page
        assert "1 / 0 · 50 %" in page
        assert (await http.post("/console/answer-cache/switch", data={"on": ""})).status_code == 303
        assert not await services.cache_use.on(DEFAULT_TENANT)
        await http.post("/console/answer-cache/switch", data={"on": "yes"})
        after = await http.post("/console/answer-cache/purge", follow_redirects=True)
        assert "The answer cache is empty." in after.text or "回答缓存已清空" in after.text
        assert await cached(http) is None
