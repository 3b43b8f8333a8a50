"""The log of what is gone stays short, and no replica goes wrong by it."""

import asyncio
from pathlib import Path

from sqlalchemy import func, select

from app.wiring import Services
from knowledge.lexical import LexicalIndex
from knowledge.models import DEFAULT_TENANT
from knowledge.removals import Removals
from knowledge.tables import chunk_removals
from tests.products import product, take_in


async def rows(services: Services) -> int:
    async with services.parts.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(chunk_removals))).scalar_one())


async def test_old_removals_are_forgotten_and_a_replica_that_missed_them_is_made_anew(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        for number in range(3):
            await take_in(services, "shop", "通知.md", f"# 通知\n\n货架编号 QX-{number} 明天盘点。")
        catalog = services.knowledge.catalog
        behind, close = (LexicalIndex(catalog, tmp_path / name) for name in ("behind", "close"))
        kb = await catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await behind.search(kb, "QX-2", 5)
        for number in range(3, 9):
            await take_in(services, "shop", "通知.md", f"# 通知\n\n货架编号 QX-{number} 明天盘点。")
        assert await close.search(await catalog.knowledge_base(DEFAULT_TENANT, "shop"), "QX-8", 5)
        await take_in(services, "shop", "通知.md", "# 通知\n\n货架编号 QX-9 明天盘点。")
        assert await rows(services) == 9
        assert await Removals(services.parts.database, least=2).trim() == 7
        assert await Removals(services.parts.database, least=2).trim() == 0
        assert await rows(services) == 2
        kb = await catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert (await close.at_epoch(kb)).count == 1
        assert await close.search(kb, "QX-9", 5)
        await behind.at_epoch(kb)
        async with asyncio.timeout(10):
            while (await behind.at_epoch(kb)).epoch < kb.epoch:  # noqa: ASYNC110 (it is made anew behind us)
                await asyncio.sleep(0.01)
        assert (await behind.at_epoch(kb)).count == 1, "nothing of what it had is left"
        assert await behind.search(kb, "QX-9", 5)
        await behind.close()
