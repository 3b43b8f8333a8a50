"""Another embedding model is configured: questions go on being answered, nothing is lost, a kill costs one batch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from app.jobs.queue import MemoryQueue
from app.wiring import Services, Twins, running_services
from knowledge.errors import Unavailable
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.mover import Mover
from knowledge.moves import Moves
from knowledge.ports import Vector
from knowledge.vectors import MemoryVectors, collection_name
from tests.contracts.embedding_server import KEY, MODEL, EmbeddingServer, embedding_server
from tests.products import FEES, RETURNS, settings_for, take_in

LONG = "# 总则\n\n" + "\n\n".join(
    f"## 第 {n} 节\n\n" + f"第 {n} 节的规则编号 R-{n:03d}，适用于全部店铺。" * 10 for n in range(70)
)
OLD, NEW = "test-embedding-model-1", "test-embedding-model-1-64"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[EmbeddingServer]:
    with embedding_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(endpoint: EmbeddingServer) -> None:
    endpoint.requests.clear()
    endpoint.answer = None


class Shop:
    """An installation that may be started again and again: its folder and its vectors stay."""

    def __init__(self, data: Path, endpoint: EmbeddingServer, vectors: MemoryVectors | None = None) -> None:
        self.vectors = vectors or MemoryVectors()
        self._data = data
        self._endpoint = endpoint

    @asynccontextmanager
    async def started(self, *, dimensions: int | None = None, **overrides: object) -> AsyncIterator[Services]:
        told = {"embedder": "openai", "embedding_base_url": self._endpoint.url, "embedding_model": MODEL}
        told |= {"embedding_api_key": KEY, "embedding_dimensions": dimensions, "embedding_batch": 64, **overrides}
        settings = settings_for(self._data, **told)
        async with running_services(settings, twins=Twins(vectors=self.vectors, queue=MemoryQueue())) as services:
            yield services


def mover(services: Services, *, owner: str = "mover", grace: timedelta = timedelta(0)) -> Mover:
    parts = services.parts
    moves = Moves(parts.database, parts.catalog, parts.embedder.model_id, owner)
    return Mover(moves, parts.catalog, parts.vectors, parts.embedder, grace=grace)


async def base(services: Services) -> KnowledgeBase:
    return (await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT))[0]


async def found(services: Services, question: str) -> str:
    passages = (await services.knowledge.search(DEFAULT_TENANT, question, kbs=["shop"], limit=5)).passages
    return passages[0].document if passages and passages[0].scores.dense is not None else ""


async def collections(services: Services, vectors: MemoryVectors) -> dict[str, bool]:
    """model → whether its collection has exactly what is live; those that have nothing are left out."""
    kb = await base(services)
    live = await services.knowledge.catalog.live_ids(kb.id)
    stored = {model: await vectors.ids(collection_name(kb, model)) for model in (OLD, NEW)}
    return {model: ids == live for model, ids in stored.items() if ids}


async def test_questions_are_answered_by_the_old_model_until_one_transaction_switches(
    tmp_path: Path, endpoint: EmbeddingServer
) -> None:
    shop = Shop(tmp_path, endpoint)
    async with shop.started() as services:
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退换货.md", RETURNS)
        before = await base(services)
    async with shop.started(dimensions=64) as services:
        assert await found(services, "旗舰店保证金是多少") == "费用.md"
        assert (await base(services)).embedding_model == OLD
        assert await mover(services).move() == 1
        after = await base(services)
        assert (after.embedding_model, after.next_model, after.epoch) == (NEW, None, before.epoch + 1)
        assert await found(services, "旗舰店保证金是多少") == "费用.md"
        assert await collections(services, shop.vectors) == {NEW: True}
        assert await mover(services).move() == 0


async def test_what_is_published_while_it_moves_goes_to_both(tmp_path: Path, endpoint: EmbeddingServer) -> None:
    shop = Shop(tmp_path, endpoint)
    async with shop.started() as services:
        await take_in(services, "shop", "费用.md", FEES)
    async with shop.started(dimensions=64) as services:
        await take_in(services, "shop", "退换货.md", RETURNS)
        kb = await base(services)
        live = await services.knowledge.catalog.live_ids(kb.id)
        assert await shop.vectors.ids(collection_name(kb, OLD)) == live
        ahead = await shop.vectors.ids(collection_name(kb, NEW))
        assert ahead
        assert ahead < live
        assert await found(services, "签收后几天内可以无理由退货") == "退换货.md"
        await mover(services).move()
        assert await collections(services, shop.vectors) == {NEW: True}


class Killed(BaseException):
    """As by kill -9: nothing of ours may handle it."""


class DyingVectors(MemoryVectors):
    """The process ends at its ``left``-th write."""

    left = 1000

    async def upsert(self, collection: str, ids, vectors: Vector) -> None:  # type: ignore[no-untyped-def]
        self.left -= 1
        if self.left < 0:
            raise Killed
        await super().upsert(collection, ids, vectors)


async def test_a_move_that_was_killed_in_the_middle_goes_on_where_it_was(
    tmp_path: Path, endpoint: EmbeddingServer
) -> None:
    vectors = DyingVectors()
    shop = Shop(tmp_path, endpoint, vectors)
    async with shop.started() as services:
        await take_in(services, "shop", "长文.md", LONG)
        chunks = (await base(services)).chunks
    async with shop.started(dimensions=64) as services:
        vectors.left = 1
        with pytest.raises(Killed):
            await mover(services).move()
        vectors.left = 1000
        kb = await base(services)
        assert (kb.embedding_model, kb.next_model, kb.moved) == (OLD, NEW, 32)
        assert 0 < kb.moved_percent < 99
        assert await found(services, "第 3 节的规则编号") == "长文.md"
    async with shop.started(dimensions=64) as services:
        endpoint.requests.clear()
        assert await mover(services).move() == 1
        embedded = sum(len(request["input"]) for request in endpoint.requests if request.get("dimensions") == 64)
        assert embedded == chunks - 32
        assert await collections(services, vectors) == {NEW: True}


async def test_switched_back_half_way_nothing_is_lost_and_the_half_is_dropped(
    tmp_path: Path, endpoint: EmbeddingServer
) -> None:
    vectors = DyingVectors()
    shop = Shop(tmp_path, endpoint, vectors)
    async with shop.started() as services:
        await take_in(services, "shop", "长文.md", LONG)
        before = await base(services)
    async with shop.started(dimensions=64) as services:
        vectors.left = 1
        with pytest.raises(Killed):
            await mover(services).move()
        vectors.left = 1000
        await take_in(services, "shop", "费用.md", FEES)
    async with shop.started() as services:
        assert await found(services, "旗舰店保证金是多少") == "费用.md"
        assert await mover(services).move() == 1
        after = await base(services)
        assert (after.embedding_model, after.next_model) == (OLD, None)
        assert after.epoch == before.epoch + 1, "the new document's, no other"
        assert await collections(services, vectors) == {OLD: True}


async def test_without_the_old_model_words_answer_and_say_so_until_it_has_moved(
    tmp_path: Path, endpoint: EmbeddingServer
) -> None:
    shop = Shop(tmp_path, endpoint)
    async with shop.started() as services:
        await take_in(services, "shop", "费用.md", FEES)
    with embedding_server() as other:
        moved = {"embedding_base_url": other.url, "dimensions": 64}
        async with shop.started(**moved) as services:  # type: ignore[arg-type]
            retrieval = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=5)
            assert retrieval.notes == ("lexical_only",)
            assert retrieval.passages[0].document == "费用.md"
            assert retrieval.passages[0].scores.dense is None
            await take_in(services, "shop", "退换货.md", RETURNS)
            assert await mover(services).move() == 1
            retrieval = await services.knowledge.search(DEFAULT_TENANT, "无理由退货", kbs=["shop"], limit=5)
            assert retrieval.notes == ()
            assert retrieval.passages[0].scores.dense is not None


async def test_with_its_own_key_the_old_endpoint_answers_on(tmp_path: Path, endpoint: EmbeddingServer) -> None:
    shop = Shop(tmp_path, endpoint)
    async with shop.started() as services:
        await take_in(services, "shop", "费用.md", FEES)
    with embedding_server() as other:
        told = {"embedding_base_url": other.url, "embedding_previous_api_key": KEY}
        async with shop.started(dimensions=64, **told) as services:
            assert await found(services, "旗舰店保证金是多少") == "费用.md"


async def test_two_workers_do_not_embed_the_same_twice(tmp_path: Path, endpoint: EmbeddingServer) -> None:
    shop = Shop(tmp_path, endpoint)
    async with shop.started() as services:
        await take_in(services, "shop", "长文.md", LONG)
        chunks = (await base(services)).chunks
    async with shop.started(dimensions=64) as services:
        endpoint.requests.clear()
        both = await asyncio.gather(mover(services).move(), mover(services, owner="other").move())
        assert sum(both) == 1
        assert sum(len(request["input"]) for request in endpoint.requests) == chunks


async def test_an_endpoint_that_fails_leaves_the_rest_for_later(tmp_path: Path, endpoint: EmbeddingServer) -> None:
    shop = Shop(tmp_path, endpoint)
    async with shop.started() as services:
        await take_in(services, "shop", "费用.md", FEES)
    async with shop.started(dimensions=64) as services:
        endpoint.answer = lambda: (400, {"error": {"message": "no"}})
        with pytest.raises(Unavailable):
            await mover(services).move()
        endpoint.answer = None
        assert await found(services, "旗舰店保证金是多少") == "费用.md"
        with contextlib.suppress(Unavailable):
            await mover(services).move()
        assert (await base(services)).embedding_model == NEW


async def test_a_collection_that_was_left_stays_for_the_questions_that_still_look(
    tmp_path: Path, endpoint: EmbeddingServer
) -> None:
    shop = Shop(tmp_path, endpoint)
    async with shop.started() as services:
        await take_in(services, "shop", "费用.md", FEES)
    async with shop.started(dimensions=64) as services:
        await mover(services, grace=timedelta(minutes=1)).move()
        assert await collections(services, shop.vectors) == {OLD: True, NEW: True}
        await mover(services).move()
        assert await collections(services, shop.vectors) == {NEW: True}
