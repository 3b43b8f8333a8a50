"""What every vector store does: the twin, and Chroma over HTTP."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from app.processes.embedded import embedded_services
from app.settings import Settings
from knowledge.errors import Unavailable
from knowledge.ports import VectorStore
from knowledge.vectors import ChromaVectors, MemoryVectors

AXES = np.eye(4, dtype=np.float32)


@pytest.fixture(params=["memory", "chroma"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    if request.param == "memory":
        yield MemoryVectors()
        return
    async with embedded_services(Settings(data=tmp_path), redis=False, chroma=True) as started:
        assert started.chroma_url is not None
        chroma = ChromaVectors(started.chroma_url)
        yield chroma
        await chroma.close()


async def test_the_nearest_comes_first_with_its_cosine(store: VectorStore) -> None:
    between = (AXES[0] + AXES[1]) / np.sqrt(2)
    await store.upsert("shop.kb.model", ["a", "b", "c"], np.stack([AXES[0], between, AXES[2]]))
    hits = await store.query("shop.kb.model", AXES[0], 2)
    assert [hit.chunk_id for hit in hits] == ["a", "b"]
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert hits[1].score == pytest.approx(2**-0.5, abs=1e-5)


async def test_writing_an_id_again_replaces_it(store: VectorStore) -> None:
    await store.upsert("shop.kb.model", ["a"], AXES[:1])
    await store.upsert("shop.kb.model", ["a"], AXES[1:2])
    assert await store.ids("shop.kb.model") == {"a"}
    assert (await store.get("shop.kb.model", ["a", "missing"]))["a"] == pytest.approx(AXES[1])


async def test_collections_do_not_see_each_other(store: VectorStore) -> None:
    await store.upsert("shop.one.model", ["a"], AXES[:1])
    await store.upsert("shop.two.model", ["b"], AXES[:1])
    assert [hit.chunk_id for hit in await store.query("shop.two.model", AXES[0], 5)] == ["b"]


async def test_what_is_not_there_is_no_error(store: VectorStore) -> None:
    assert await store.query("shop.none.model", AXES[0], 5) == []
    assert await store.ids("shop.none.model") == set()
    await store.delete("shop.none.model", ["a"])
    await store.drop("shop.none.model")


async def test_deleted_and_dropped_is_gone_and_can_come_back(store: VectorStore) -> None:
    await store.upsert("shop.kb.model", ["a", "b"], AXES[:2])
    await store.delete("shop.kb.model", ["a"])
    assert await store.ids("shop.kb.model") == {"b"}
    await store.drop("shop.kb.model")
    assert await store.ids("shop.kb.model") == set()
    await store.upsert("shop.kb.model", ["c"], AXES[:1])
    assert await store.ids("shop.kb.model") == {"c"}


async def test_more_than_a_batch_is_written(store: VectorStore) -> None:
    rows = np.random.default_rng(1).normal(size=(2500, 4)).astype(np.float32)
    await store.upsert("shop.kb.model", [str(n) for n in range(2500)], rows)
    assert len(await store.ids("shop.kb.model")) == 2500


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    absent = ChromaVectors("http://127.0.0.1:9")
    with pytest.raises(Unavailable) as caught:
        await absent.query("shop.kb.model", AXES[0], 1)
    await absent.close()
    assert caught.value.error_code == "vectors_unavailable"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a loop that ended closes no socket
async def test_it_serves_one_event_loop_after_another(store: VectorStore) -> None:
    """As :mod:`knowledge.langchain` does for code that has none of its own."""
    await store.upsert("shop.kb.model", ["a"], AXES[:1])

    def asked() -> list[str]:
        return [hit.chunk_id for hit in asyncio.run(store.query("shop.kb.model", AXES[0], 5))]

    assert [await asyncio.to_thread(asked) for _ in range(3)] == [["a"]] * 3
    assert [hit.chunk_id for hit in await store.query("shop.kb.model", AXES[0], 5)] == ["a"]
    gc.collect()
