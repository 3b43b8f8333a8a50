"""kill -9 of each process in the middle of an ingest of 150 files; started again, everything is there, once."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from knowledge.catalog import Catalog
from knowledge.database import Database, sqlite_url
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import ChromaVectors, collection_name
from tests.e2e.copilot import running

FILES = 150
VICTIMS = ("worker", "redis", "chroma", "api")
END_SECONDS = 240


def text_of(number: int) -> str:
    sections = [
        f"## 第 {part} 条\n\n门店 {number} 规定：编号 S{number:03d}-{part} 的商品按 {number + part} 折计价。"
        for part in range(3)
    ]
    return f"# 门店 {number} 手册\n\n" + "\n\n".join(sections)


def states(http: httpx.Client) -> dict[str, int]:
    documents = http.get("/v1/knowledge-bases/shop/documents", params={"limit": 500}).json()["documents"]
    counts: dict[str, int] = {}
    for document in documents:
        counts[document["status"]] = counts.get(document["status"], 0) + 1
    return counts


def wait_for(http: httpx.Client, live: int) -> dict[str, int]:
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        counts = states(http)
        if counts.get("live", 0) >= live:
            return counts
        time.sleep(0.2)
    raise AssertionError(f"not {live} live in time: {counts}")


def upload(http: httpx.Client) -> None:
    http.post("/v1/knowledge-bases", json={"name": "shop"}).raise_for_status()
    for number in range(FILES):
        file = {"file": (f"门店/{number:03d}.md", text_of(number).encode())}
        http.post("/v1/knowledge-bases/shop/documents", files=file).raise_for_status()


async def truth_and_vectors(data: Path, chroma_url: str) -> tuple[set[str], set[str]]:
    database = Database(sqlite_url(data / "copilot.db"))
    vectors = ChromaVectors(chroma_url)
    try:
        catalog = Catalog(database)
        kb = await catalog.knowledge_base(DEFAULT_TENANT, "shop")
        return await catalog.live_ids(kb.id), await vectors.ids(collection_name(kb))
    finally:
        await vectors.close()
        await database.close()


@pytest.mark.processes
@pytest.mark.timeout(600)
def test_every_process_may_be_killed_and_nothing_is_lost_doubled_or_orphaned(tmp_path: Path) -> None:
    data = tmp_path / "data"
    live = 0
    for round_, victim in enumerate(VICTIMS):
        with running(data, "--no-samples") as (copilot, http):
            if round_ == 0:
                upload(http)
            live = wait_for(http, min(live + 10, FILES - 10)).get("live", 0)
            assert live < FILES, "the kill must come in the middle"
            copilot.kill_child(victim)
            assert copilot.process.wait(15) != 0
        assert victim in copilot.log.read_text().lower()

    with running(data, "--no-samples") as (copilot, http):
        assert wait_for(http, FILES) == {"live": FILES}
        ids, vectors = asyncio.run(settled(data, copilot.record()["running"]["chroma_url"]))
        assert ids == vectors
        found = http.post("/v1/knowledge-bases/shop/search", json={"query": "S077-3", "limit": 3}).json()
        assert found["passages"][0]["document"] == "门店/077.md"
        chunks = {passage["chunk_id"] for passage in found["passages"]}
        assert len(chunks) == 3
    assert copilot.process.returncode == 0


async def settled(data: Path, chroma_url: str) -> tuple[set[str], set[str]]:
    """After the sweep's next round at the latest."""
    for _ in range(20):
        ids, vectors = await truth_and_vectors(data, chroma_url)
        if ids == vectors:
            break
        await asyncio.sleep(1)
    return ids, vectors
