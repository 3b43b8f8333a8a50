"""Documents in the console: the list, failures in words, and one document with its chunks."""

import re
from pathlib import Path

import pytest

from app.console.texts import catalog
from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import REASONS, one, refused, see, served, words
from tests.products import FEES, take_in

# documents


async def test_the_list_shows_each_document_with_its_type_size_status_and_chunks(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        live = await take_in(services, "shop", "规则/费用.md", FEES)
        row = one(await see(http, "/console/kb/shop"), f"tr[data-document='{live.id}']")
        assert row.attributes["data-status"] == "live"
        cells = " ".join(row.text(separator=" ").split())
        assert all(part in cells for part in ("规则/", "费用.md", "Markdown", "已生效", str(live.chunks)))
        assert one(row, "th a").attributes["href"] == f"/console/documents/{live.id}"


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_failure_is_a_sentence_in_the_readers_language_beside_its_code(
    tmp_path: Path, reason: str, language: str
) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", language)
        document_id = await refused(services, "a.bin", reason)
        for path in ("/console/kb/shop", f"/console/documents/{document_id}"):
            shown = words(await see(http, path), ".reason")
            assert catalog()[f"reason.{reason}"][language] in shown  # type: ignore[index]
            assert shown.endswith(reason)
        assert "The loader's own words." in words(await see(http, f"/console/documents/{document_id}"), ".notes")


async def test_a_failed_new_version_says_that_the_old_one_still_answers(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.pdf", FEES)
        failed = await take_in(services, "shop", "费用.pdf", b"%PDF-1.7 torn")
        page = await see(http, "/console/kb/shop")
        assert "旧版本（第 1 版）仍在使用" in words(page, f"tr[data-document='{failed.id}']")
        assert "佣金" in words(await see(http, f"/console/documents/{failed.id}"), ".chunks")


async def test_the_list_is_filtered_by_status_and_name_and_paged_by_fifty(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        base = await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        for number in range(52):
            await services.parts.versions.receive(base, f"notice-{number:02}.txt", content_hash=f"{number:064}", size=9)
        await take_in(services, "shop", "费用.md", FEES)
        await refused(services, "torn.pdf", "corrupt")
        first = await see(http, "/console/kb/shop")
        counts = [" ".join(link.text(separator=" ").split()) for link in first.css(".segments a")]
        assert counts == ["全部 54", "处理中 52", "已生效 1", "失败 1"]
        assert len(first.css("tbody tr")) == 50
        assert "第 1–50 条，共 54 条" in words(first, ".pager")
        second = await see(http, one(first, ".pager a[rel=next]").attributes["href"] or "")
        assert len(second.css("tbody tr")) == 4
        beyond = await see(http, "/console/kb/shop?page=99")
        assert len(beyond.css("tbody tr")) == 4
        assert words(await see(http, "/console/kb/shop?status=failed"), "tbody th") == "torn.pdf"
        named = await see(http, "/console/kb/shop?q=notice-0&status=active")
        assert len(named.css("tbody tr")) == 10
        assert "没有符合条件的文档" in words(await see(http, "/console/kb/shop?q=nothing"))


async def test_only_a_list_with_work_under_way_asks_to_be_refreshed(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        assert "data-active" not in one(await see(http, "/console/kb/shop"), "#documents").attributes
        base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        document_id, _ = await services.parts.versions.receive(base, "b.md", content_hash="1" * 64, size=9)
        claim = await services.parts.versions.claim(document_id, "test")
        assert claim is not None
        await services.parts.versions.progress(claim, "embedding", 45)
        page = await see(http, "/console/kb/shop")
        assert "data-active" in one(page, "#documents").attributes
        assert one(page, f"tr[data-document='{document_id}'] progress").attributes["value"] == "45"
        assert "向量化 45%" in words(page, f"tr[data-document='{document_id}']")
        assert "data-active" in one(await see(http, f"/console/documents/{document_id}"), "#document").attributes


async def test_a_failed_document_is_tried_again_and_a_deleted_one_is_gone(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        failed = await take_in(services, "shop", "torn.pdf", b"%PDF-1.7 torn")
        listed = "/console/kb/shop?status=failed&q=&page=1"
        retried = await http.post(f"/console/documents/{failed.id}/reingest", data={"next": listed})
        assert (retried.status_code, retried.headers["location"]) == (303, listed)
        assert "等待处理" in words(await see(http, "/console/kb/shop"), "tbody tr")
        deleted = await http.post(f"/console/documents/{failed.id}/delete", data={"next": listed})
        assert deleted.status_code == 303
        assert "还没有文档" in words(await see(http, "/console/kb/shop"))
        assert "已经删除" in words(await see(http, f"/console/documents/{failed.id}"))
        assert "没有这份文档" in words(await see(http, "/console/documents/none", status=404))


# one document


def long_document(sections: int) -> str:
    return "# 手册\n\n" + "\n\n".join(
        f"## 第{n}条\n\n" + f"第{n}条的规定是编号{n}的说明。" * 20 for n in range(1, sections + 1)
    )


async def test_a_document_shows_its_chunks_in_reading_order_with_their_place(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", long_document(60))
        page = await see(http, f"/console/documents/{document.id}")
        assert [node.text() for node in page.css(".chunk-number")] == [f"#{n}" for n in range(1, 51)]
        assert "手册 > 第1条" in words(page, ".chunk-heading")
        assert re.search(r"约 \d+ 字", words(page, ".chunk"))
        facts = words(page, ".facts")
        assert all(part in facts for part in ("Markdown", "第 1 版", str(document.chunks)))


async def test_a_link_to_a_chunk_opens_the_page_it_is_on(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", long_document(60))
        _, (last,), _ = await services.knowledge.chunks(DEFAULT_TENANT, document.id, limit=1, offset=55)
        page = await see(http, f"/console/documents/{document.id}?chunk={last.chunk.id}")
        assert one(page, ".chunk.target").attributes["id"] == last.chunk.id
        assert words(page, ".chunk-number") == "#51"
        gone = await see(http, f"/console/documents/{document.id}?chunk=feedbeef")
        assert "已不在当前版本里" in words(gone)
        assert words(gone, ".chunk-number") == "#1"
