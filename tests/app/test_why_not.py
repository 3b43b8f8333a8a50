"""Why something was not found: told truthfully, with ranks that were looked up."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs_api.calls import served, two_tenants, work
from tests.products import FEES, RETURNS, take_in

WINDOWS = {
    "scheduled": {"valid_from": "2999-01-01T00:00:00Z"},
    "expired": {"valid_until": "2020-01-01T00:00:00Z"},
}


async def why(http: httpx.AsyncClient, question: str, expected: str, *, limit: int = 5) -> dict[str, Any]:
    body = {"query": question, "limit": limit, "explain": expected}
    answer = await http.post("/v1/knowledge-bases/shop/search", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["explanation"])


async def many(services: Services, count: int) -> None:
    """Documents that are all about the deposit of a flagship store, each less than the one before."""
    for number in range(count):
        text = f"# 保证金 {number}\n\n旗舰店的保证金是多少，看第 {number} 条。{'其他说明。' * number}\n"
        await take_in(services, "shop", f"保证金-{number}.md", text)


async def test_what_is_found_is_said_to_be_found_with_its_rank_and_the_questions_words(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退货.md", RETURNS)
        told = await why(http, "旗舰店的保证金是多少？", "费用.md")
        assert (told["verdict"], told["rank"], told["fused_rank"], told["hints"]) == ("found", 1, 1, [])
        assert told["dense"]["rank"] == told["lexical"]["rank"] == 1
        assert told["score"] == told["best_score"]
        assert told["words"]["has"] == ["旗舰店", "保证金"]
        assert told["confidence"] >= 0.5
        assert (
            "explanation" not in (await http.post("/v1/knowledge-bases/shop/search", json={"query": "保证金"})).json()
        )


async def test_what_stands_below_the_limit_or_below_what_an_answer_is_given_is_cut_there(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await many(services, 9)
        shown = (
            await http.post("/v1/knowledge-bases/shop/search", json={"query": "旗舰店的保证金", "limit": 9})
        ).json()
        order = [passage["document"] for passage in shown["passages"]]
        cut = await why(http, "旗舰店的保证金", order[4], limit=3)
        assert (cut["verdict"], cut["rank"], cut["limit"]) == ("cut", 5, 3)
        assert cut["score"] < cut["least_score"] <= cut["best_score"]
        below = await why(http, "旗舰店的保证金", order[7], limit=9)
        assert (below["verdict"], below["rank"], below["passages"]) == ("evidence", 8, 6)


async def test_ranks_below_the_candidates_are_looked_up(tmp_path: Path) -> None:
    async with served(tmp_path, candidates=5) as (http, services):
        await many(services, 20)
        await take_in(services, "shop", "远.md", "# 装修\n\n仓库里的灯坏了，请联系物业，不涉及旗舰店。\n")
        told = await why(http, "旗舰店的保证金是多少", "远.md", limit=3)
        assert told["verdict"] == "far"
        assert told["rank"] is None
        for stage in ("dense", "lexical"):
            assert told[stage]["rank"] > 5, stage
            assert told[stage]["score"] < told[stage]["least"] <= told[stage]["best"]
        assert told["lexical"]["rank"] == 21
        assert told["words"]["lacks"] == ["保证金"]
        assert {"synonym", "heading", "curated"} == set(told["hints"])
        nothing = await why(http, "refund policy", "远.md", limit=3)
        assert nothing["lexical"]["rank"] is None
        assert nothing["lexical"]["score"] is None
        assert nothing["words"]["has"] == []


async def test_a_synonym_that_the_passage_has_is_told_apart_from_words_it_lacks(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        before = await why(http, "旗舰店押金", "费用.md")
        assert "押金" in "".join(before["words"]["lacks"])
        await services.parts.synonyms.write(DEFAULT_TENANT, "保证金 = 押金", by=None)
        after = await why(http, "旗舰店押金", "费用.md")
        assert any("保证金" in word for word in after["words"]["synonyms"])


async def test_a_text_is_found_where_it_stands_and_said_to_be_nowhere_with_the_nearest(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "退货.md", RETURNS)
        await take_in(services, "other", "费用.md", FEES)
        told = await why(http, "多久退款", "仓库收到退件并质检 通过后 3 个工作日内原路退款")
        assert (told["expected"]["kind"], told["expected"]["document"], told["expected"]["share"]) == (
            "text",
            "退货.md",
            1.0,
        )
        elsewhere = await why(http, "保证金", "旗舰店保证金为 50000 元，专营店保证金为 30000 元")
        assert (elsewhere["verdict"], elsewhere["expected"]["elsewhere"]) == ("elsewhere", "other")
        nowhere = await why(http, "保证金", "仓库收到退件后，会送一只会飞的猫给每位来访的火星客人")
        assert (nowhere["verdict"], nowhere["expected"]["document"]) == ("not_here", "退货.md")
        assert 0 < nowhere["expected"]["share"] < 0.6


@pytest.mark.parametrize("verdict", WINDOWS)
async def test_what_is_out_of_its_window_is_said_to_be(tmp_path: Path, verdict: str) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "费用.md", FEES)
        await http.patch(f"/v1/documents/{document.id}", json=WINDOWS[verdict])
        for expected in ("费用.md", "旗舰店保证金为 50000 元"):
            assert (await why(http, "保证金", expected))["verdict"] == verdict


async def test_what_waits_failed_or_was_deleted_is_said_to_and_what_stands_in_another_base(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "坏.pdf", b"%PDF-1.4 broken")
        failed = await why(http, "保证金", "坏.pdf")
        assert (failed["verdict"], failed["expected"]["reason"], failed["hints"]) == ("failed", "corrupt", ["retry"])
        sent = await http.post("/v1/knowledge-bases/shop/documents", files={"file": ("费用.md", FEES.encode())})
        assert (await why(http, "保证金", "费用"))["verdict"] == "waiting"  # the only one with this in its name
        await work(services, "ingest")
        await http.delete(f"/v1/documents/{sent.json()['id']}")
        assert (await why(http, "保证金", "费用.md"))["verdict"] == "deleted"
        await take_in(services, "other", "退货.md", RETURNS)
        assert (await why(http, "退货", "退货.md"))["verdict"] == "elsewhere"
        assert (await why(http, "退货", "没有这份.md"))["verdict"] == "not_here"


async def test_a_newer_version_that_is_not_published_is_told_beside_the_one_that_answers(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await http.post("/v1/knowledge-bases/shop/documents", files={"file": ("费用.md", RETURNS.encode())})
        told = await why(http, "旗舰店的保证金是多少？", "费用.md")
        assert (told["verdict"], told["expected"]["older_version"]) == ("found", True)


async def test_what_is_found_and_does_not_answer_is_the_judges_doing(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        told = await why(http, "无人机可以寄到火星吗？", "费用.md")
        assert (told["verdict"], told["rank"]) == ("judge", 1)
        assert told["confidence"] < 0.5


async def test_nothing_of_another_tenant_is_told(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        document = await take_in(services, "shop", "费用.md", FEES)
        await services.parts.catalog.create_knowledge_base("other", "shop", embedding_model="hashing")
        for expected in (document.id, "费用.md", "旗舰店保证金为 50000 元"):
            body = {"query": "保证金", "explain": expected}
            told = (await call("other", "POST", "/v1/knowledge-bases/shop/search", json=body)).json()["explanation"]
            assert (told["verdict"], told["expected"]["document"]) == ("not_here", None)


async def test_a_disabled_chunk_is_said_to_be_disabled_by_its_document_its_text_and_its_id(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "退货.md", RETURNS)
        await take_in(services, "shop", "费用.md", FEES)
        (chunk,) = (await http.get(f"/v1/documents/{document.id}/chunks")).json()["chunks"]
        off = await http.patch(f"/v1/chunks/{chunk['id']}", json={"disabled": True})
        assert off.status_code == 202, off.text
        for expected in ("退货.md", "签收后 7 个自然日内可以无理由退货", chunk["id"]):
            told = await why(http, "退货运费谁出？", expected)
            assert (told["verdict"], told["hints"], told["expected"]["document"]) == ("disabled", ["enable"], "退货.md")
        assert (await why(http, "旗舰店的保证金是多少？", "费用.md"))["verdict"] == "found"
