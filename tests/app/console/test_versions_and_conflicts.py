"""When a document is valid, what it was before, and what contradicts, in the console."""

from pathlib import Path

import pytest

from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import HOSTILE, one, see, served, words
from tests.products import FEES, take_in

POLICY = "# 退换货规则\n\n国内站订单签收后 7 天内可以无理由退货。\n"


async def test_a_window_is_set_on_the_documents_page_and_shown_beside_its_status(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "费用.md", FEES)
        path = f"/console/documents/{document.id}"
        done = await http.post(f"{path}/window", data={"valid_from": "", "valid_until": "2020-01-01T12:00"})
        assert done.headers["location"] == path
        page = await see(http, path)
        assert "已失效" in words(page, ".document-status")
        assert "2020-01-01 04:00" in words(page, ".document-status")
        assert one(page, "[name=valid_until]").attributes["value"] == "2020-01-01T12:00"
        assert "已失效" in words(await see(http, "/console/kb/shop"), ".cell-status")
        await http.post(f"{path}/window", data={"valid_from": "2999-01-01T00:00", "valid_until": ""})
        assert "未到生效时间" in words(await see(http, path), ".document-status")
        wrong = await http.post(f"{path}/window", data={"valid_from": "soon"})
        assert wrong.status_code == 422


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_versions_are_compared_and_brought_back(tmp_path: Path, language: str) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", language)
        await take_in(services, "shop", "费用.md", FEES)
        document = await take_in(services, "shop", "费用.md", FEES.replace("50000", "60000") + f"\n{HOSTILE}\n")
        path = f"/console/documents/{document.id}"
        link = one(await see(http, path), "#versions a").attributes["href"] or ""
        page = await see(http, link)
        assert [node.text() for node in page.css(".was mark")] == ["50000"]
        assert [node.text() for node in page.css(".is mark")] == ["60000"]
        done = await http.post(f"{path}/restore", data={"number": "1"})
        assert done.headers["location"] == path
        assert "50000" in words(await see(http, path), ".chunks")


async def test_a_conflict_shows_both_passages_with_their_values_and_is_ignored_from_here(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        assert one(await see(http, "/console/conflicts"), ".nothing").text() == "没有发现互相矛盾的数值。"
        await take_in(services, "shop", "规则.md", POLICY)
        await take_in(services, "shop", "问答.md", POLICY.replace("7 天", "15 天"))
        page = await see(http, "/console/conflicts")
        assert sorted(node.text() for node in page.css(".side mark")) == ["15 天", "7 天"]
        link = one(page, ".side a").attributes["href"] or ""
        assert "国内站订单" in words(await see(http, link.partition("#")[0]), ".chunk.target")
        (conflict,) = (await services.conflicts.page(DEFAULT_TENANT))[0]
        await http.post(f"/console/conflicts/{conflict.id}/state", data={"to": "ignored"})
        assert not (await see(http, "/console/conflicts")).css(".conflict")
        closed = await see(http, "/console/conflicts?state=ignored")
        assert len(closed.css(".conflict")) == 1
        assert (await http.post(f"/console/conflicts/{conflict.id}/state", data={"to": "x"})).status_code == 422
