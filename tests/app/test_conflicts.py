"""Passages that contradict each other are found when one of them is published, and shown until one is put right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.wiring import Services
from knowledge.conflict_tables import conflicts, fact_handles, facts
from knowledge.models import DEFAULT_TENANT
from knowledge.validity import Window
from tests.app.jobs_api.calls import served, work
from tests.products import product, take_in

LAMPS = "|款号|品名|价格|\n|---|---|---|\n|A-1|台灯|99|\n|A-2|壁灯|159|\n"
STEPS = "|数量|款号|单价|\n|---|---|---|\n|100|A-1|9|\n|500|A-1|8|\n"
EN = "Standard orders are returned within 30 days of delivery."
POLICY = "# 退换货规则\n\n国内站订单签收后 7 个自然日内可以无理由退货，退回运费由买家承担。\n"
ANSWER = "# 常见问题\n\n国内站订单签收后 15 天内可无理由退货。\n"


async def open_conflicts(services: Services) -> list[tuple[str, str]]:
    page, total = await services.conflicts.page(DEFAULT_TENANT)
    assert len(page) == total
    return [tuple(sorted((each.left.value, each.right.value))) for each in page]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        (POLICY, ANSWER, ("15 天", "7 个自然日")),
        ("旗舰店的保证金是 50000 元。", "旗舰店保证金为 ¥60,000。", ("50000 元", "¥60,000")),
        (EN, EN.replace("30 days", "two weeks"), ("30 days", "two weeks")),
        ("家居类目的佣金比例为 8%。", "|类目|佣金比例|\n|---|---|\n|家居类目|9%|\n|数码类目|5%|\n", ("8%", "9%")),
        ("双11报名截止日期为 10月20日。", "双11报名截止日期：2026年10月25日", ("10月20日", "2026年10月25日")),
        (LAMPS, LAMPS.replace("99", "89"), ("89", "99")),
    ],
)  # fmt: skip
async def test_two_documents_that_say_different_things_of_the_same_are_found(
    tmp_path: Path, one: str, other: str, values: tuple[str, str]
) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "一.md", one)
        assert await open_conflicts(services) == []
        await take_in(services, "shop", "二.md", other)
        assert await open_conflicts(services) == [values]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (POLICY, POLICY.replace("7 个自然日", "一周")),
        ("订单金额满 ¥1,200 免运费送货上门。", "订单金额满1200元免运费送货上门。"),
        ("国内站订单签收后 7 天内可以退货。", "海外站订单签收后 30 天内可以退货。"),
        ("旗舰店的保证金是 50000 元。", "专营店的保证金是 30000 元。"),
        ("签收后 7 天内可以申请退货退款。", "签收后 15 天内可以申请换货维修。"),
        ("# 2025 年收费\n\n旗舰店每年的年费是 6000 元。", "# 2026 年收费\n\n旗舰店每年的年费是 8000 元。"),
        ("现货订单付款后 48 小时内必须发货。", "大促期间现货订单付款后 72 小时内必须发货。"),
        ("# 咖啡机\n\n保修期为 12 个月。", "# 台灯\n\n保修期为 24 个月。"),
        ("从中国到美国的海运需要 30 天。", "从美国到中国的海运需要 45 天。"),
        ("单笔提现不超过 50000 元。", "单笔提现不少于 100 元。"),
        (STEPS, STEPS),
        ("文件编号：HB-1　生效日期：2026-01-01", "文件编号：HB-2　生效日期：2026-04-15"),
    ],
)  # fmt: skip
async def test_what_is_said_of_something_else_or_says_the_same_is_none(tmp_path: Path, one: str, other: str) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "一.md", one)
        await take_in(services, "shop", "二.md", other)
        assert await open_conflicts(services) == []


async def test_a_conflict_is_gone_when_one_of_the_two_is_put_right_or_deleted(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "规则.md", POLICY)
        answers = await take_in(services, "shop", "问答.md", ANSWER)
        assert len(await open_conflicts(services)) == 1
        await take_in(services, "shop", "问答.md", ANSWER.replace("15 天", "7 天"))
        assert await open_conflicts(services) == []
        await services.knowledge.restore(DEFAULT_TENANT, answers.id, by=None)
        assert len(await open_conflicts(services)) == 1
        await services.knowledge.delete_document(DEFAULT_TENANT, answers.id)
        assert await open_conflicts(services) == []
        async with services.parts.database.read() as connection:
            mine = select(func.count()).select_from(facts).where(facts.c.document_id == answers.id)
            assert (await connection.execute(mine)).scalar() == 0
        await services.knowledge.delete(DEFAULT_TENANT, "shop")
        async with services.parts.database.read() as connection:
            for table in (facts, fact_handles, conflicts):
                assert (await connection.execute(select(func.count()).select_from(table))).scalar() == 0


async def test_documents_that_are_never_valid_at_one_time_do_not_contradict(tmp_path: Path) -> None:
    midnight = datetime.now(UTC) + timedelta(days=1)
    async with product(tmp_path) as services:
        now = await take_in(services, "shop", "规则.md", POLICY)
        then = await take_in(services, "shop", "新规则.md", ANSWER)
        await services.knowledge.set_window(DEFAULT_TENANT, now.id, Window(None, midnight))
        await services.knowledge.set_window(DEFAULT_TENANT, then.id, Window(midnight, None))
        assert await open_conflicts(services) == []
        await services.knowledge.set_window(DEFAULT_TENANT, now.id, Window(None, midnight + timedelta(hours=1)))
        assert len(await open_conflicts(services)) == 1
        await services.knowledge.set_window(DEFAULT_TENANT, now.id, Window(None, midnight - timedelta(days=2)))
        assert await open_conflicts(services) == []


async def test_knowledge_bases_are_not_compared_with_each_other(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "规则.md", POLICY)
        await take_in(services, "other", "问答.md", ANSWER)
        assert await open_conflicts(services) == []


async def send(http: httpx.AsyncClient, services: Services, name: str, content: str) -> None:
    await http.post("/v1/knowledge-bases/shop/documents", files={"file": (name, content.encode())})
    await work(services, "ingest")


async def test_over_http_a_conflict_shows_both_passages_and_stays_ignored_until_a_value_changes(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        await send(http, services, "规则.md", POLICY)
        await send(http, services, "问答.md", ANSWER)

        async def listed(**query: str) -> list[dict[str, Any]]:
            answer = await http.get("/v1/conflicts", params=query)
            return list(answer.json()["conflicts"])

        (conflict,) = await listed(kb="shop")
        told = {passage["document"]: passage for passage in conflict["passages"]}
        assert told["规则.md"]["value"] == "7 个自然日"
        passage = told["问答.md"]
        assert passage["text"][passage["start"] : passage["end"]] == passage["value"] == "15 天"
        path = f"/v1/conflicts/{conflict['id']}"
        ignored = (await http.patch(path, json={"state": "ignored"})).json()
        assert (ignored["state"], ignored["closed_by"]) == ("ignored", "local")
        assert await listed() == []
        await send(
            http, services, "问答.md", ANSWER + "\n运费由商家承担。\n"
        )  # the chunk is another, the value the same
        assert await listed() == []
        assert len(await listed(state="ignored")) == 1
        await send(http, services, "问答.md", ANSWER.replace("15", "10"))
        assert len(await listed()) == 1
        assert (await http.patch("/v1/conflicts/none", json={"state": "open"})).json()["code"] == "conflict_not_found"
