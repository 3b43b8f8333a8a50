"""Another embedding model is set, the worker is killed half-way: every question is answered, by meaning too."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from knowledge.catalog import Catalog
from knowledge.database import Database, sqlite_url
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import ChromaVectors, collection_name
from tests.contracts.embedding_server import KEY, MODEL, EmbeddingServer, embedding_server
from tests.e2e.copilot import running

CHAPTERS = 150
SECONDS = 120


def environment(server: EmbeddingServer, **more: str) -> dict[str, str]:
    told = {"EMBEDDER": "openai", "EMBEDDING_BASE_URL": server.url, "EMBEDDING_MODEL": MODEL, "EMBEDDING_API_KEY": KEY}
    return {f"COPILOT_{name}": value for name, value in (told | more).items()}


def handbook() -> bytes:
    rule = "编号 S{n:03d} 的商品按 {n} 元计价，适用于全部店铺。" * 9
    chapters = (f"## 第 {n} 条\n\n{rule.format(n=n)}" for n in range(CHAPTERS))
    return ("# 手册\n\n" + "\n\n".join(chapters)).encode()


def base(http: httpx.Client) -> dict[str, object]:
    found: dict[str, object] = http.get("/v1/knowledge-bases").raise_for_status().json()["knowledge_bases"][0]
    return found


def require_answer(http: httpx.Client) -> None:
    found = http.post("/v1/knowledge-bases/shop/search", json={"query": "编号 S077 的商品价格", "limit": 3})
    said = found.raise_for_status().json()
    assert said["notes"] == []
    assert any("S077" in passage["text"] for passage in said["passages"]), said
    assert any(passage["scores"]["dense"] is not None for passage in said["passages"]), said


def wait_until(http: httpx.Client, there: str, least: int = 0) -> None:
    """Stands on a model, or is at least so far on its way to it; every look asks a question, too."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        require_answer(http)
        kb = base(http)
        if kb["embedding_model"] == there or (least and int(str(kb["moved_percent"] or 0)) >= least):
            return
        time.sleep(0.2)
    raise AssertionError(f"not there in time: {kb}")


async def truth_and_vectors(data: Path, chroma_url: str, model: str) -> tuple[set[str], set[str]]:
    database, vectors = Database(sqlite_url(data / "copilot.db")), ChromaVectors(chroma_url)
    try:
        catalog = Catalog(database)
        kb = await catalog.knowledge_base(DEFAULT_TENANT, "shop")
        return await catalog.live_ids(kb.id), await vectors.ids(collection_name(kb, model))
    finally:
        await vectors.close()
        await database.close()


@pytest.mark.processes
@pytest.mark.timeout(400)
def test_a_killed_worker_costs_a_batch_and_no_answer(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with embedding_server() as server:
        with running(data, "--no-samples", env=environment(server)) as (_, http):
            http.post("/v1/knowledge-bases", json={"name": "shop"}).raise_for_status()
            file = {"file": ("手册.md", handbook())}
            document = http.post("/v1/knowledge-bases/shop/documents", files=file).raise_for_status().json()["id"]
            while http.get(f"/v1/documents/{document}").json()["status"] != "live":
                time.sleep(0.05)
            old = str(base(http)["embedding_model"])
        new = f"{old}-64"
        server.requests.clear()
        server.delay_s = 0.4
        other = environment(server, EMBEDDING_DIMENSIONS="64")
        with running(data, "--no-samples", env=other) as (copilot, http):
            wait_until(http, new, least=10)
            assert base(http)["embedding_model"] == old, "the kill must come in the middle"
            copilot.kill_child("worker")
            assert copilot.process.wait(15) != 0
        server.delay_s = 0.0
        with running(data, "--no-samples", env=other) as (copilot, http):
            wait_until(http, new)
            chroma_url = copilot.record()["running"]["chroma_url"]
            live, vectors = asyncio.run(truth_and_vectors(data, chroma_url, new))
            assert live == vectors
            require_answer(http)
    sent = [request["input"] for request in server.requests if request.get("dimensions") == 64]
    times = Counter(text for texts in sent for text in texts if len(text) > 60)
    assert len(times) == len(live)
    assert sum(count - 1 for count in times.values()) <= 32
