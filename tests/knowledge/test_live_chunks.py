"""Chunks that were read before are not read again, and none is lost where there is no room for more."""

from pathlib import Path

from knowledge.live_chunks import LiveChunks
from knowledge.models import DEFAULT_TENANT
from tests.products import product, take_in

PRICES = "商品,编码\n保温杯,HB-KT-2048\n雨伞,HB-KT-2049\n"


async def test_chunks_known_before_are_found_when_new_ones_leave_no_room_for_them(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        cup = await take_in(services, "shop", "杯.csv", PRICES)
        fees = await take_in(services, "shop", "费用.md", "# 费用\n\n保证金五千元。")
        ids = [
            listed.chunk.id
            for document in (cup, fees)
            for listed in (await services.knowledge.chunks(DEFAULT_TENANT, document.id, limit=9, offset=0))[1]
        ]
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        live = LiveChunks(services.knowledge.catalog, most=len(ids) - 1)
        assert list(await live.of([kb], ids[:-1])) == ids[:-1]
        assert set(await live.of([kb], ids)) == set(ids)
        assert set(await live.of([kb], ids)) == set(ids)


async def test_a_chunk_of_another_knowledge_base_is_not_there(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        fees = await take_in(services, "shop", "费用.md", "# 费用\n\n保证金五千元。")
        await take_in(services, "other", "杯.csv", PRICES)
        _, listed, _ = await services.knowledge.chunks(DEFAULT_TENANT, fees.id, limit=9, offset=0)
        other = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "other")
        live = LiveChunks(services.knowledge.catalog)
        assert await live.of([other], [listed[0].chunk.id]) == {}
