"""``GET /metrics``: what a process has done since it began, as Prometheus reads it."""

from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from app import metrics
from app.identity.keys import Scope
from app.llm.ports import ModelUnavailable
from app.processes.ports import any_free_port
from knowledge.errors import InvalidInput
from knowledge.models import DEFAULT_TENANT
from tests.app.test_answer_cache import QUESTION
from tests.app.test_answer_cache_over_http import served

LABELS = {"cached", "channel", "direction", "endpoint", "kind", "le", "model", "outcome", "purpose", "queue"}
LABELS |= {"right", "stage", "state"}


class Seen:
    """What has been counted since, by name and labels; one registry is a whole process's, tests before this one too."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._before: dict[str, float] = {}

    async def begin(self) -> "Seen":
        self._before = await self._values()
        return self

    async def since(self) -> dict[str, float]:
        values = await self._values()
        return {key: value - self._before.get(key, 0.0) for key, value in values.items()}

    async def _values(self) -> dict[str, float]:
        answer = await self._http.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        samples = [sample for family in families(answer.text) for sample in family.samples]
        return {f"{each.name}{sorted(each.labels.items())}": each.value for each in samples}


def key(name: str, **labels: str) -> str:
    return f"{name}{sorted(labels.items())}"


async def ask(http: httpx.AsyncClient, question: str, **more: object) -> dict[str, object]:
    answer = await http.post("/v1/chat", json={"question": question, "stream": False, **more})
    found: dict[str, object] = answer.json()
    return found


async def test_turns_are_counted_by_their_end_and_by_where_the_answer_came_from(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "empty")
        seen = await Seen(http).begin()
        await ask(http, QUESTION)
        await ask(http, QUESTION)
        await ask(http, QUESTION, kb=["empty"])
        counted = await seen.since()
        turns = {"channel": "api"}
        assert counted[key("copilot_turns_total", outcome="answered", cached="no", **turns)] == 1
        assert counted[key("copilot_turns_total", outcome="answered", cached="exact", **turns)] == 1
        assert counted[key("copilot_turns_total", outcome="refused", cached="no", **turns)] == 1
        assert counted[key("copilot_saved_tokens_total")] == 120
        assert counted[key("copilot_first_token_seconds_count", cached="no")] == 2
        assert counted[key("copilot_turn_seconds_count", cached="exact")] == 1
        assert counted[key("copilot_retrieval_seconds_count", stage="total")] == 2


async def test_what_a_page_asks_is_of_the_web_and_so_is_another_version_of_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        page = {"Origin": str(http.base_url)}
        seen = await Seen(http).begin()
        first = await http.post("/v1/chat", json={"question": QUESTION, "stream": False}, headers=page)
        await http.post(f"/v1/turns/{first.json()['turn_id']}/regenerate?stream=false", headers=page)
        counted = await seen.since()
        assert counted[key("copilot_turns_total", channel="web", outcome="answered", cached="no")] == 2


async def test_calls_of_the_model_are_counted_with_their_tokens(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        seen = await Seen(http).begin()
        await ask(http, QUESTION)
        counted = await seen.since()
        calls = [name for name, value in counted.items() if name.startswith("copilot_model_calls_total") and value]
        assert len(calls) == 1
        assert "('outcome', 'stop'), ('purpose', 'answer')" in calls[0]
        tokens = {name: value for name, value in counted.items() if name.startswith("copilot_model_tokens_total")}
        assert sorted(value for value in tokens.values() if value) == [20, 100]


async def test_a_model_that_fails_is_seen_in_calls_and_turns(tmp_path: Path) -> None:
    async with served(tmp_path, ModelUnavailable("The model is away.")) as (http, _):
        seen = await Seen(http).begin()
        assert "code" in await ask(http, QUESTION)
        counted = await seen.since()
        assert counted[key("copilot_turns_total", channel="api", outcome="failed", cached="no")] == 1
        failed = [name for name, value in counted.items() if value and "model_unavailable" in name]
        assert any(name.startswith("copilot_model_calls_total") for name in failed), failed


async def test_the_ledger_says_what_waits(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        seen = await Seen(http).begin()
        upload = {"file": ("退换货.md", "七天无理由退货。".encode(), "text/markdown")}
        assert (await http.post("/v1/knowledge-bases/shop/documents", files=upload)).status_code == 202
        assert (await seen.since())[key("copilot_jobs", queue="ingest", state="queued")] == 1
        text = (await http.get("/metrics")).text
        assert 'copilot_jobs{queue="image",state="running"} 0.0' in text
        assert "copilot_turns_under_way 0.0" in text
        assert "process_resident_memory_bytes" in text
        assert "_created" not in text
        samples = [sample for family in families(text) for sample in family.samples]
        assert {label for each in samples if each.name.startswith("copilot_") for label in each.labels} <= LABELS


async def test_whoever_may_not_administer_the_machine_sees_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        keys = services.keys
        await services.knowledge.catalog.ensure_tenant("neighbour", "Neighbour")
        for tenant, scope, status in (
            (DEFAULT_TENANT, Scope.ADMIN, 200),
            (DEFAULT_TENANT, Scope.WRITE, 403),
            ("neighbour", Scope.ADMIN, 403),
        ):
            _, token = await keys.issue(tenant, "prometheus", scope=scope)
            bearer = {"Authorization": f"Bearer {token}"}
            assert (await http.get("/metrics", headers=bearer)).status_code == status, (tenant, scope)
        assert (await http.get("/metrics")).status_code == 401


def test_a_process_without_an_api_serves_its_own_at_a_port() -> None:
    port = any_free_port()
    with metrics.served(port, "127.0.0.1"):
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"copilot_job_seconds" in answer.read()
        with pytest.raises(InvalidInput, match="COPILOT_METRICS_PORT") as busy, metrics.served(port, "127.0.0.1"):
            pass
        assert busy.value.error_code == "port_busy"
    with metrics.served(None, "127.0.0.1"):
        pass
