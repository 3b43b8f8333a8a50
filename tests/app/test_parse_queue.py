"""The parse queue: what runs, waits, failed and was done, across knowledge bases; cancelled and retried."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import update

from app.jobs.runner import JobRunner
from app.jobs.tables import jobs
from app.wiring import Services
from ingest.parsing import IsolatedParser
from knowledge.database import now
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.ports import Vector
from knowledge.tables import documents
from tests.app.jobs_api.calls import code_of, served, two_tenants, work
from tests.products import FEES, RETURNS, product, take_in

QUEUE = "/v1/parse-queue"


class Gate(HashingEmbedder):
    """Embeds nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def embed_passages(self, texts: Any) -> Vector:
        assert self.open.wait(30)
        return super().embed_passages(texts)


async def upload(http: httpx.AsyncClient, name: str, content: str | bytes = FEES, kb: str = "shop") -> str:
    data = content.encode() if isinstance(content, str) else content
    answer = await http.post(f"/v1/knowledge-bases/{kb}/documents", files={"file": (name, data)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def bases(http: httpx.AsyncClient) -> None:
    for name in ("shop", "other"):
        await http.post("/v1/knowledge-bases", json={"name": name})


async def queue(http: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await http.get(QUEUE, params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def embedding(http: httpx.AsyncClient) -> dict[str, Any]:
    """The queue once its first document has come to the gate."""
    for _ in range(500):
        state = await queue(http)
        if state["documents"] and state["documents"][0]["stage"] == "embedding":
            return state
        await asyncio.sleep(0.02)
    raise AssertionError(state)


def counts(state: dict[str, Any]) -> dict[str, int]:
    return {name: state[name] for name in ("running", "waiting", "failed", "done")}


async def took(services: Services, seconds: float) -> None:
    """Every job that ended took so long."""
    ended = update(jobs).where(jobs.c.finished_at.is_not(None))
    started = now() - timedelta(minutes=5)
    async with services.parts.database.write() as connection:
        await connection.execute(ended.values(started_at=started, finished_at=started + timedelta(seconds=seconds)))


async def test_the_queue_tells_what_runs_waits_failed_and_was_done_in_all_knowledge_bases(tmp_path: Path) -> None:
    gate = Gate()
    async with served(tmp_path, embedder=gate) as (http, services):
        await bases(http)
        await upload(http, "坏.pdf", b"%PDF-1.4 broken")
        await work(services, "ingest")
        first = await upload(http, "费用.md")
        for number in range(3):
            await upload(http, f"退货{number}.md", RETURNS, kb="other" if number else "shop")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work(services, "ingest"))
            state = await embedding(http)
            assert counts(state) == {"running": 1, "waiting": 3, "failed": 1, "done": 0}
            assert [each["name"] for each in state["documents"]] == ["费用.md", "退货0.md", "退货1.md", "退货2.md"]
            assert [each["knowledge_base"] for each in state["documents"]] == ["shop", "shop", "other", "other"]
            running = state["documents"][0]
            assert (running["id"], running["status"]) == (first, "processing")
            assert running["since"]
            assert running["job_id"]
            assert counts(await queue(http, kb="other")) == {"running": 0, "waiting": 2, "failed": 0, "done": 0}
            failed = await queue(http, group="failed")
            assert [(each["name"], each["reason"]) for each in failed["documents"]] == [("坏.pdf", "corrupt")]
            assert failed["reasons"] == {"corrupt": 1}
            gate.open.set()
        done = await queue(http, group="done")
        assert counts(done) == {"running": 0, "waiting": 0, "failed": 1, "done": 4}
        assert all(each["seconds"] is not None for each in done["documents"])


async def test_the_time_left_is_measured_and_nothing_is_promised_where_nobody_works(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await bases(http)
        for number in range(2):
            await upload(http, f"{number}.md", f"# {number}\n\n第 {number} 条规则。\n")
        await work(services, "ingest")
        await upload(http, "一.md")
        assert (await queue(http))["seconds_left"] is None  # two runs say nothing
        await work(services, "ingest")
        await took(services, 6.0)
        services.jobs.ledger._durations.clear()
        for name in ("二.md", "三.md"):
            await upload(http, name, RETURNS)
        state = await queue(http)
        assert state["seconds_left"] == 12.0
        assert not state["stalled"]
        async with services.parts.database.write() as connection:
            long_ago = now() - timedelta(minutes=2)
            await connection.execute(update(documents).values(updated_at=long_ago))
            await connection.execute(update(jobs).values(created_at=long_ago))
        state = await queue(http)
        assert (state["stalled"], state["seconds_left"]) == (True, None)


async def test_cancelling_what_waits_ends_its_job_and_leaves_what_was_live(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await bases(http)
        await work(services, "ingest")
        changed = await upload(http, "费用.md", FEES.replace("50000", "60000"))
        await upload(http, "退货.md", RETURNS)
        theirs = await upload(http, "退货.md", RETURNS, kb="other")
        answer = await http.post(f"/v1/documents/{theirs}/cancel")
        assert (answer.json()["status"], answer.json()["reason"]) == ("failed", "cancelled")
        assert (await http.post(f"{QUEUE}/cancel", json={"knowledge_base": "other"})).json() == {"cancelled": 0}
        assert (await http.post(f"{QUEUE}/cancel")).json() == {"cancelled": 2}
        assert await work(services, "ingest") == 0
        assert counts(await queue(http)) == {"running": 0, "waiting": 0, "failed": 3, "done": 0}
        document = (await http.get(f"/v1/documents/{changed}")).json()
        assert (document["status"], document["reason"], document["answers"]) == ("failed", "cancelled", True)
        found = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=1)
        assert "50000" in found.passages[0].text
        assert code_of(await http.post(f"/v1/documents/{theirs}/cancel")) == (409, "document_not_waiting")


async def test_cancelling_what_runs_stops_it_at_once_and_the_old_version_answers(tmp_path: Path) -> None:
    gate = Gate()
    gate.open.set()
    async with served(tmp_path, embedder=gate) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await work(services, "ingest")
        gate.open.clear()
        document = await upload(http, "费用.md", FEES.replace("50000", "60000"))
        runner = JobRunner(services.jobs, "w")
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(runner.drain("ingest"))
            state = await embedding(http)
            began = time.monotonic()
            answer = await http.post(f"/v1/documents/{document}/cancel")
            assert answer.json()["reason"] == "cancelled"
            await runner.beat()
            await running
            assert time.monotonic() - began < 2
            gate.open.set()
        job = await services.jobs.ledger.get(DEFAULT_TENANT, state["documents"][0]["job_id"])
        assert job.state == "cancelled"
        found = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=1)
        assert "50000" in found.passages[0].text


async def test_what_failed_is_tried_again_alone_or_all_of_a_reason(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await bases(http)
        bad = await upload(http, "坏.pdf", b"%PDF-1.4 broken")
        await work(services, "ingest")
        for name in ("费用.md", "退货.md"):
            await upload(http, name, FEES if name == "费用.md" else RETURNS)
        await http.post(f"{QUEUE}/cancel")
        answer = await http.post(f"{QUEUE}/retry", json={"reason": "cancelled", "knowledge_base": "shop"})
        assert answer.json() == {"retried": 2, "left": 1}
        assert await work(services, "ingest") == 2
        assert counts(await queue(http)) == {"running": 0, "waiting": 0, "failed": 1, "done": 2}
        assert (await http.post(f"/v1/documents/{bad}/reingest")).json()["status"] == "received"
        await work(services, "ingest")
        assert (await http.post(f"{QUEUE}/retry")).json() == {"retried": 1, "left": 0}
        await work(services, "ingest")
        assert (await queue(http))["reasons"] == {"corrupt": 1}


async def test_a_withdrawn_document_is_not_retried_with_what_failed(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        assert (await http.post("/v1/knowledge-bases/shop/undo")).json()["withdrawn"] == 1
        assert (await http.post(f"{QUEUE}/retry")).json() == {"retried": 0, "left": 1}


async def test_a_document_being_read_says_which_page_it_is_at(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await bases(http)
        document = await upload(http, "扫描.pdf", b"%PDF-1.4 scan")
        claim = await services.parts.versions.claim(document, "test")
        assert claim is not None
        await services.parts.versions.progress(claim, "loading", 20, parts_done=3, parts=9)
        assert (await queue(http))["documents"][0]["parts"] == {"done": 3, "of": 9}
        await services.parts.versions.progress(claim, "embedding", 70)
        assert (await queue(http))["documents"][0]["parts"] is None


async def test_the_queue_is_the_tenants_and_changing_it_takes_a_key_that_may_write(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        await take_in(services, "shop", "费用.md", FEES)
        base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        document, _ = await services.parts.versions.receive(base, "等.md", content_hash="0" * 64, size=1)
        theirs = (await call("other", "GET", QUEUE)).json()
        assert counts(theirs) == {"running": 0, "waiting": 0, "failed": 0, "done": 0}
        assert (await call("other", "GET", f"{QUEUE}?kb=shop")).json()["code"] == "knowledge_base_not_found"
        assert (await call("other", "POST", f"{QUEUE}/cancel")).json() == {"cancelled": 0}
        assert (await call("other", "POST", f"/v1/documents/{document}/cancel")).status_code == 404
        for path in (f"{QUEUE}/cancel", f"{QUEUE}/retry", f"/v1/documents/{document}/cancel"):
            assert (await call("read", "POST", path)).status_code == 403
        assert counts((await call("read", "GET", QUEUE)).json())["waiting"] == 1


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


@pytest.mark.processes
async def test_cancelling_a_document_that_is_being_read_ends_its_process(tmp_path: Path) -> None:
    parser = IsolatedParser(slots=1, module="tests.ingest.parsing.rogue")
    async with product(tmp_path, parser=parser) as services:
        kb = await services.knowledge.create(DEFAULT_TENANT, "shop")
        await take_in(services, "shop", "费用.md", FEES)
        await work(services, "ingest")
        hanging = await services.knowledge.upload(DEFAULT_TENANT, kb.name, "hang", _one(b"0"))
        runner = JobRunner(services.jobs, "w")
        path = services.files.path(DEFAULT_TENANT, hanging.document.content_hash)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(runner.drain("ingest"))
            await until(lambda: path.read_text() not in ("0", ""))  # the parser's own child
            began = time.monotonic()
            document = await services.parse_queue.cancel(DEFAULT_TENANT, hanging.document.id)
            await runner.beat()
            await running
            assert document.reason == "cancelled"
            child = int(path.read_text())
            await until(lambda: ended(child))
            assert time.monotonic() - began < 3
