"""What was deleted goes on costing something in the vector store: where there is much of it, what is live is copied."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.mover import Mover
from knowledge.moves import Moves
from knowledge.ports import Vector
from knowledge.tables import retired_collections, vectors
from knowledge.vectors import MemoryVectors, collection_name
from tests.products import FEES, RETURNS, CountingEmbedder, product, take_in

MODEL = "hashing-256"


def long(of: int, *, kind: str = "规则") -> str:
    return "# 总则\n\n" + "\n\n".join(
        f"## 第 {n} 节\n\n" + f"第 {n} 节的{kind}编号 R-{n:03d}，适用于全部店铺。" * 10 for n in range(of)
    )


def mover(services: Services, *, grace: timedelta = timedelta(0), least_dead: int = 10) -> Mover:
    parts = services.parts
    moves = Moves(parts.database, parts.catalog, parts.embedder.model_id, "mover", least_dead=least_dead)
    return Mover(moves, parts.catalog, parts.vectors, parts.embedder, grace=grace)


async def base(services: Services) -> KnowledgeBase:
    return (await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT))[0]


async def worn(services: Services, *, sections: int = 20) -> KnowledgeBase:
    """A knowledge base of which everything was replaced three times."""
    for kind in ("规则", "规定", "办法", "条款"):
        await take_in(services, "shop", "长文.md", long(sections, kind=kind))
    return await base(services)


async def shelves(services: Services) -> dict[str, bool]:
    """Shelf → whether the ledger knows of exactly what is live, and the store has it; without the empty ones."""
    kb, store = await base(services), services.parts.vectors
    live = await services.knowledge.catalog.live_ids(kb.id)
    async with services.parts.database.read() as connection:
        rows = (await connection.execute(select(vectors.c.model, vectors.c.chunk_id).filter_by(written=True))).all()
    told: dict[str, bool] = {}
    for shelf in (MODEL, f"{MODEL}_2", f"{MODEL}_3"):
        known = {row.chunk_id for row in rows if row.model == shelf}
        stored = await store.ids(collection_name(kb, shelf))
        if known or stored:
            told[shelf] = known == stored == live
    return told


async def found(services: Services, question: str) -> str:
    passages = (await services.knowledge.search(DEFAULT_TENANT, question, kbs=["shop"], limit=5)).passages
    return passages[0].document if passages and passages[0].scores.dense is not None else ""


async def test_a_worn_shelf_is_copied_without_embedding_anything_and_dropped(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    async with product(tmp_path, embedder=embedder) as services:
        before = await worn(services)
        embedder.passages = 0
        assert await mover(services).move() == 1
        after = await base(services)
        assert (after.shelf, after.embedding_model, after.epoch) == (f"{MODEL}_2", MODEL, before.epoch + 1)
        assert embedder.passages == 0
        assert await shelves(services) == {f"{MODEL}_2": True}
        assert await found(services, "第 3 节的条款编号") == "长文.md"
        assert await mover(services).move() == 0, "it is new"


async def test_it_wears_again_and_is_made_anew_again(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await worn(services)
        await mover(services).move()
        await worn(services)
        assert await mover(services).move() == 1
        assert await shelves(services) == {f"{MODEL}_3": True}


async def test_a_few_deletions_are_nothing_to_do(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await worn(services)
        assert await mover(services, least_dead=1000).move() == 0
        for number in range(4):
            await take_in(services, "shop", f"{number}.md", long(20, kind=f"第 {number} 类"))
        assert await mover(services).move() == 0, "60 are not many beside 100"
        assert await shelves(services) == {MODEL: True}


async def test_questions_that_look_at_the_old_shelf_still_find_it_for_a_while(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await worn(services)
        await mover(services, grace=timedelta(minutes=1)).move()
        assert await shelves(services) == {MODEL: True, f"{MODEL}_2": True}
        await mover(services).move()
        assert await shelves(services) == {f"{MODEL}_2": True}


class Killed(BaseException):
    """As by kill -9: nothing of ours may handle it."""


class Watched(MemoryVectors):
    """Is killed at the ``left``-th write; ``copying`` is done once, before a shelf's vectors are handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 1000
        self.copying = None

    async def upsert(self, collection: str, ids, vectors: Vector) -> None:  # type: ignore[no-untyped-def]
        self.left -= 1
        if self.left < 0:
            raise Killed
        await super().upsert(collection, ids, vectors)

    async def get(self, collection: str, ids) -> dict[str, Vector]:  # type: ignore[no-untyped-def]
        there = await super().get(collection, ids)
        if self.copying is not None:
            work, self.copying = self.copying, None
            await work
        return there


async def test_a_copy_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    store, embedder = Watched(), CountingEmbedder()
    async with product(tmp_path, vectors=store, embedder=embedder) as services:
        await worn(services, sections=520)
        store.left = 1
        with pytest.raises(Killed):
            await mover(services).move()
        store.left = 1000
        kb = await base(services)
        assert (kb.shelf, kb.next_shelf, kb.next_model) == (MODEL, f"{MODEL}_2", None)
        assert 0 < kb.moved < kb.chunks
        assert await found(services, "第 3 节的条款编号") == "长文.md"
        embedder.passages = 0
        assert await mover(services).move() == 1
        assert store.left == 999, "the rest in one write"
        assert embedder.passages == 0
        assert await shelves(services) == {f"{MODEL}_2": True}


async def test_what_is_published_and_deleted_meanwhile_is_right_on_the_new_shelf(tmp_path: Path) -> None:
    store = Watched()
    async with product(tmp_path, vectors=store) as services:
        await worn(services)
        gone = await take_in(services, "shop", "费用.md", FEES)

        async def meanwhile() -> None:
            await take_in(services, "shop", "退换货.md", RETURNS)
            await services.knowledge.delete_document(DEFAULT_TENANT, gone.id)

        store.copying = meanwhile()
        assert await mover(services).move() == 1
        await services.pipeline.sweep()
        assert await shelves(services) == {f"{MODEL}_2": True}
        assert await found(services, "签收后几天内可以无理由退货") == "退换货.md"
        assert await found(services, "旗舰店保证金是多少") != "费用.md"


async def test_a_deleted_knowledge_base_leaves_no_shelf(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        kb = await worn(services)
        await mover(services, grace=timedelta(minutes=1)).move()
        await services.knowledge.delete(DEFAULT_TENANT, "shop")
        for shelf in (MODEL, f"{MODEL}_2"):
            assert not await services.parts.vectors.ids(collection_name(kb, shelf))
        async with services.parts.database.read() as connection:
            assert (await connection.execute(select(retired_collections))).all() == []
