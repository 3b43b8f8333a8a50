"""The lexical replica follows the catalog, whatever it missed."""

import asyncio
import json
import shutil
from pathlib import Path

from knowledge.lexical import LexicalIndex, TantivyReplica
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, RETURNS, product, take_in


async def test_a_code_is_found_exactly(tmp_path: Path) -> None:
    table = "商品,编码\n保温杯,HB-KT-2048\n雨伞,HB-KT-2049\n"
    async with product(tmp_path) as services:
        await take_in(services, "shop", "价目.csv", table)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        hits = await services.parts.lexical.search(kb, "HB-KT-2049", 5)
        found = await services.knowledge.catalog.live([kb.id], [hits[0].chunk_id])
        assert "雨伞" in found[hits[0].chunk_id].chunk.text


async def test_another_process_catches_up_from_where_it_stood(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        other = LexicalIndex(services.knowledge.catalog, tmp_path / "other")
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await other.search(kb, "保证金", 5)
        await take_in(services, "shop", "退换货.md", RETURNS)
        await take_in(services, "shop", "费用.md", "# 空\n\n这里什么也没有了。")
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await other.search(kb, "退货", 5)
        assert await other.search(kb, "旗舰店", 5) == []


async def test_two_replicas_of_one_folder_see_each_others_work(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        first = await services.parts.lexical.at_epoch(kb)
        second = TantivyReplica(next((tmp_path / "lexical").glob("*/*/*")))
        assert second.epoch == first.epoch == kb.epoch
        await take_in(services, "shop", "退换货.md", RETURNS)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await services.parts.lexical.at_epoch(kb)
        assert second.refresh() == kb.epoch
        assert second.search("退货", 5)


async def test_a_lost_epoch_note_costs_a_repetition_and_no_duplicate(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        before = await services.parts.lexical.search(kb, "保证金", 50)
        note = next((tmp_path / "lexical").rglob("epoch.json"))
        note.write_text(json.dumps({"epoch": 0}))
        again = LexicalIndex(services.knowledge.catalog, tmp_path / "lexical")
        assert [hit.chunk_id for hit in await again.search(kb, "保证金", 50)] == [hit.chunk_id for hit in before]


async def test_rarer_terms_weigh_more(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        for number in range(6):
            await take_in(
                services, "shop", f"{number}.md", f"店铺 {number} 的佣金说明。" + ("含清关。" if number == 3 else "")
            )
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await services.parts.lexical.at_epoch(kb)
        rarity = services.parts.lexical.rarity([kb])
        assert rarity("没有的") > rarity("清关") > rarity("佣金") > 0


async def test_many_changes_come_in_pages_of_which_the_last_brings_the_epoch(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        for number in range(5):
            await take_in(services, "shop", f"{number}.md", f"# 第 {number} 号\n\n货架编号 QX-{number}。")
        catalog = services.knowledge.catalog
        kb = await catalog.knowledge_base(DEFAULT_TENANT, "shop")
        pages = [page async for page in catalog.changes(kb.id, since=0, page=2)]
        assert [len(page.added) for page in pages] == [2, 2, 1]
        assert [page.epoch for page in pages] == [0, 0, kb.epoch]
        assert len({chunk_id for page in pages for chunk_id, _, _ in page.added}) == 5
        replica = TantivyReplica(None)
        for page in pages:
            replica.apply(page)
        assert replica.epoch == kb.epoch
        assert len(replica.search("货架编号", 9)) == 5
        nothing = [page async for page in catalog.changes(kb.id, since=kb.epoch, page=2)]
        assert [(page.added, page.epoch) for page in nothing] == [((), kb.epoch)]


async def test_a_replica_made_anew_takes_the_place_of_the_old_one_in_every_process(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        before = await services.parts.lexical.search(kb, "保证金", 5)
        other = LexicalIndex(services.knowledge.catalog, tmp_path / "lexical")
        assert await other.rebuild(kb) == len(await services.knowledge.catalog.live_ids(kb.id))
        assert await services.parts.lexical.search(kb, "保证金", 5) == before
        await take_in(services, "shop", "退换货.md", RETURNS)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        for index in (services.parts.lexical, other):
            assert await index.search(kb, "退货", 5)
        assert len(list((tmp_path / "lexical").glob("*/*/*"))) == 1


async def test_a_replica_that_is_deleted_goes_on_answering_while_it_is_made_anew(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        before = await services.parts.lexical.search(kb, "保证金", 5)
        shutil.rmtree(tmp_path / "lexical")
        await take_in(services, "shop", "退换货.md", RETURNS)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await services.parts.lexical.search(kb, "保证金", 5) == before
        for _ in range(500):
            if await services.parts.lexical.search(kb, "退货", 5):
                break
            await asyncio.sleep(0.02)
        assert await services.parts.lexical.search(kb, "退货", 5)
        assert (await services.parts.lexical.at_epoch(kb)).in_place


async def test_files_of_a_replica_that_cannot_be_read_are_made_anew(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        before = await services.parts.lexical.search(kb, "保证金", 5)
        next((tmp_path / "lexical").rglob("meta.json")).write_text("half a fi")
        again = LexicalIndex(services.knowledge.catalog, tmp_path / "lexical")
        assert await again.search(kb, "保证金", 5) == before
