"""Taking a document in is a job: watched, cancelled, never turned on another document."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.jobs.runner import JobRunner
from knowledge.embeddings.hashing import HashingEmbedder
from tests.app.jobs_api.calls import code_of, events_of, served, work
from tests.products import FEES


async def send(http: httpx.AsyncClient, content: str) -> dict[str, Any]:
    answer = await http.post("/v1/knowledge-bases/shop/documents", files={"file": ("费用.md", content.encode())})
    assert answer.status_code == 202
    return dict(answer.json())


async def test_taking_a_document_in_is_a_job_that_can_be_watched(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        sent = await send(http, FEES)
        path = f"/v1/jobs/{sent['job_id']}"
        watched, _ = await asyncio.gather(http.get(f"{path}/events"), work(services, "ingest"))
        events = events_of(watched.text)
        assert [data["state"] for _, name, data in events if name == "state"][-1] == "succeeded"
        assert events[-1][2]["job"]["result"]["state"] == "live"
        assert (await http.get(f"/v1/documents/{sent['id']}")).json()["status"] == "live"
        assert (await http.get("/v1/jobs")).json()["total"] == 0  # listed only by name
        assert (await http.get("/v1/jobs", params={"kind": "ingest"})).json()["total"] == 1


class Gate(HashingEmbedder):
    """Embeds when it is let; tells that it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open = threading.Event(), threading.Event()
        self.open.set()

    def embed_passages(self, texts):  # type: ignore[no-untyped-def]
        self.asked.set()
        self.open.wait(10)
        return super().embed_passages(texts)


@pytest.mark.parametrize("when", ["queued", "running"])
async def test_a_document_whose_job_is_cancelled_has_failed_and_its_old_version_answers(
    tmp_path: Path, when: str
) -> None:
    gate = Gate()
    async with served(tmp_path, embedder=gate) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        await send(http, FEES)
        await work(services, "ingest")
        newer = await send(http, FEES.replace("50000", "80000"))
        runner = JobRunner(services.jobs, "w")
        cancel = f"/v1/jobs/{newer['job_id']}/cancel"
        if when == "queued":
            await http.post(cancel)
            assert await runner.drain("ingest") == 0
        else:
            gate.asked.clear()
            gate.open.clear()
            working = asyncio.ensure_future(runner.drain("ingest"))
            await asyncio.to_thread(gate.asked.wait, 10)
            await http.post(cancel)
            await runner.beat()
            await working
            gate.open.set()
        assert (await http.get(f"/v1/jobs/{newer['job_id']}")).json()["state"] == "cancelled"
        document = (await http.get(f"/v1/documents/{newer['id']}")).json()
        assert (document["status"], document["reason"], document["answers"]) == ("failed", "cancelled", True)
        assert await work(services, "ingest") == 0
        found = await http.post("/v1/knowledge-bases/shop/search", json={"query": "旗舰店保证金"})
        assert "50000" in found.json()["passages"][0]["text"]
        await http.post(f"/v1/documents/{newer['id']}/reingest")
        await work(services, "ingest")
        found = await http.post("/v1/knowledge-bases/shop/search", json={"query": "旗舰店保证金"})
        assert "80000" in found.json()["passages"][0]["text"]


async def test_the_job_of_a_document_is_not_turned_on_another_one(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        sent = await send(http, FEES)
        await work(services, "ingest")
        retried = await http.post(
            f"/v1/jobs/{sent['job_id']}/retry", json={"changes": {"document_id": "a neighbour's"}}
        )
        assert code_of(retried) == (422, "job_kind_unknown")
