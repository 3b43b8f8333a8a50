"""Documents on the console in a real browser: how they come in, what becomes of them, and how they are found."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.browser.acts import create, written
from tests.browser.conftest import Open
from tests.browser.console_service import Server
from tests.products import FEES, take_in

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = "<img src=x onerror=document.title='taken'>.txt"


async def drop(page: Page, *paths: Path) -> None:
    """Files or folders of this machine, dragged onto the page as from a file manager."""
    async with asyncio.timeout(60):
        await _drop(page, paths)


async def _drop(page: Page, paths: tuple[Path, ...]) -> None:
    devtools = await page.context.new_cdp_session(page)
    what = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    over = page.locator("#upload[data-over]")
    while not await over.count():  # whoever drags goes on moving until the page, which may still be loading, takes it
        for kind in ("dragEnter", "dragOver"):
            await devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": what})
        await page.wait_for_timeout(100)
    await devtools.send("Input.dispatchDragEvent", {"type": "drop", "x": 400, "y": 300, "data": what})


# --- documents in ---


async def test_dropped_files_are_followed_until_they_are_live_or_failed(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    server = serve()
    page = await open_console(f"{server.url}/console")
    await create(page, "店铺规则")
    server.embedder.gate.clear()
    good, torn = written(tmp_path / "in", {"费用.md": FEES, "torn.pdf": b"%PDF-1.7\ntorn"})
    await drop(page, good, torn)
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 2 个文件")
    row = page.locator("tbody tr", has_text="费用.md")
    await expect(row.locator(".chip")).to_have_text("处理中")
    await expect(row.locator(".stage")).to_contain_text("向量化")
    await expect(row.locator("progress")).to_have_attribute("value", "15")
    await expect(page.locator("#announcer")).to_contain_text("处理中")
    server.embedder.gate.set()
    await expect(row.locator(".chip")).to_have_text("已生效")
    failed = page.locator("tbody tr", has_text="torn.pdf")
    await expect(failed.locator(".chip")).to_have_text("失败")
    await expect(failed.locator(".reason")).to_contain_text("文件已损坏，读不出来")
    await expect(failed.locator(".reason code")).to_have_text("corrupt")
    await expect(page.locator("#announcer")).to_have_text("处理中 0 份，已生效 1 份，失败 1 份")
    await expect(page.locator(".transfer")).to_have_count(0)
    await expect(page.locator("#documents[data-active]")).to_have_count(0)


async def test_a_dropped_folder_keeps_its_paths_and_leaves_system_files_behind(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    page = await open_console(f"{serve().url}/console")
    await create(page, "shop")
    files = {f"资料/规则/第{n}条.md": f"# 第{n}条\n\n内容。" for n in range(120)}  # a browser lists 100 at a time
    written(tmp_path / "in", {**files, "资料/费用.md": FEES, "资料/.DS_Store": b"x", "资料/~$费用.docx": b"x"})
    await drop(page, tmp_path / "in" / "资料")
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 121 个文件", timeout=150_000)
    await page.fill("#filter-name", "费用")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody th")).to_have_text("资料/费用.md")


async def test_chosen_files_are_uploaded_and_the_same_bytes_again_are_no_work(
    shop: Server, open_console: Open, tmp_path: Path
) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    (path,) = written(tmp_path / "in", {"notes.md": FEES})
    await page.set_input_files("[data-input=files]", path)
    await expect(page.locator("tbody tr", has_text="notes.md").locator(".chip")).to_have_text("已生效")
    await page.set_input_files("[data-input=files]", path)
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 1 个文件 · 1 个没有变化")
    path.write_text(FEES + "\n\n新增一条规定。", encoding="utf-8")
    await page.set_input_files("[data-input=files]", path)
    await expect(page.locator(".transfer-state", has_text="将成为第 2 版")).to_be_visible()


async def test_a_file_that_is_too_large_or_finds_no_network_says_so_and_can_be_sent_again(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    page = await open_console(f"{serve(max_upload_mb=1).url}/console")
    await create(page, "shop")
    big, small = written(tmp_path / "in", {"big.txt": b"x" * (1 << 20) + b"y", "small.md": FEES})
    await page.context.set_offline(True)
    await page.set_input_files("[data-input=files]", [big, small])
    await expect(page.locator(".transfer", has_text="big.txt")).to_contain_text("超过 1 MB 的上限")
    stranded = page.locator(".transfer", has_text="small.md")
    await expect(stranded).to_contain_text("连不上服务")
    await expect(page.locator(".transfers-summary")).to_have_text("已上传 0 个文件 · 2 个没有上传成功")
    await page.context.set_offline(False)
    await stranded.get_by_role("button", name="重试：small.md").click()
    await expect(page.locator("tbody tr", has_text="small.md").locator(".chip")).to_have_text("已生效")
    await page.get_by_role("button", name="关闭").click()
    await expect(page.locator(".transfers")).to_be_hidden()


async def test_a_failed_document_is_retried_and_deleted_in_place(shop: Server, open_console: Open) -> None:
    shop.do(lambda services: take_in(services, "shop", "torn.pdf", b"%PDF-1.7\ntorn"))
    page = await open_console(f"{shop.url}/console/kb/shop?status=failed")
    shop.embedder.gate.clear()
    await page.get_by_role("button", name="重试 torn.pdf").click()
    await expect(page.locator(".nothing, tbody .chip.failed")).to_have_count(1)
    shop.embedder.gate.set()
    await expect(page.locator("tbody .chip")).to_have_text("失败")
    await page.get_by_role("button", name="删除 torn.pdf").click()
    await expect(page.locator("#confirm")).to_contain_text("删除“torn.pdf”？")
    await page.keyboard.press("Escape")
    await expect(page.locator("#confirm")).to_be_hidden()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("button", name="删除 torn.pdf").click()
    await page.locator("#confirm-yes").click()
    await expect(page.locator("tbody tr")).to_have_count(0)
    await expect(page.locator("#documents")).to_be_focused()
    await expect(page.locator(".segments")).to_contain_text("失败0", use_inner_text=False)


async def test_a_list_at_rest_shows_what_others_do(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop?status=failed")
    await expect(page.locator("tbody tr")).to_have_count(0)
    shop.do(lambda services: take_in(services, "shop", "torn.pdf", b"%PDF-1.7\ntorn"))
    await expect(page.locator("tbody tr", has_text="torn.pdf")).to_have_count(1)


async def test_a_document_can_be_deleted_while_the_list_is_being_refreshed(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    shop.embedder.gate.clear()
    busy = {"name": "busy.md", "mimeType": "text/markdown", "buffer": b"# Busy"}
    await page.set_input_files("[data-input=files]", busy)
    await expect(page.locator("tbody tr[data-status=processing]")).to_have_count(1)
    async with page.expect_response("**/console/kb/shop?*"):
        pass
    await page.get_by_role("button", name="删除 规则/费用.md").click()
    await page.wait_for_timeout(2_500)
    await page.locator("#confirm-yes").click()
    await expect(page.locator("tbody tr", has_text="费用.md")).to_have_count(0)
    shop.embedder.gate.set()
    await expect(page.locator("tbody tr", has_text="busy.md").locator(".chip")).to_have_text("已生效")


async def test_typing_a_filter_survives_the_refreshing_of_the_list(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    shop.embedder.gate.clear()

    async def keep_busy(services: Services) -> None:
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await services.parts.versions.receive(base, "busy.md", content_hash="0" * 64, size=1)

    shop.do(keep_busy)
    await page.reload()
    await expect(page.locator("#documents[data-active]")).to_have_count(1)
    await page.locator("#filter-name").press_sequentially("退货 没有这个", delay=260)
    await expect(page.locator("#documents")).to_contain_text("没有符合条件的文档")
    await expect(page.locator("#filter-name")).to_have_value("退货 没有这个")
    await expect(page.locator("#filter-name")).to_be_focused()
    await page.fill("#filter-name", "退货")
    await expect(page.locator("tbody th")).to_have_text("规则/退货.md")
    await page.wait_for_url("**q=*")
    await page.reload()
    await expect(page.locator("#filter-name")).to_have_value("退货")
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_a_list_that_loses_the_service_says_so_and_comes_back(shop: Server, open_console: Open) -> None:
    shop.embedder.gate.clear()
    page = await open_console(f"{shop.url}/console/kb/shop")
    await page.set_input_files(
        "[data-input=files]", {"name": "a.md", "mimeType": "text/markdown", "buffer": b"# A\n\nB"}
    )
    await expect(page.locator("tbody tr", has_text="a.md").locator(".chip")).to_have_text("处理中")
    await page.context.set_offline(True)
    await expect(page.locator("#toast")).to_have_text("连不上服务，正在重试…")
    await page.context.set_offline(False)
    shop.embedder.gate.set()
    await expect(page.locator("tbody tr", has_text="a.md").locator(".chip")).to_have_text("已生效")


# --- documents found ---


async def test_a_hit_leads_to_its_chunk_in_the_document(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    await page.get_by_role("link", name="检索测试").click()
    await page.fill("#q", "旗舰店的保证金是多少？")
    await page.keyboard.press("Enter")
    await expect(page.locator(".verdict")).to_contain_text("会回答")
    hit = page.locator(".hit").first
    await expect(hit.locator(".chunk-text mark").first).to_be_visible()
    await expect(hit.locator(".score")).to_have_count(3)
    text = await hit.locator(".chunk-text").inner_text()
    await hit.locator(".hit-name a").click()
    target = page.locator(".chunk.target")
    await expect(target.locator(".chunk-text")).to_have_text(text)
    await expect(target).to_be_in_viewport()
    await page.get_by_role("button", name="删除").click()
    await page.locator("#confirm-yes").click()
    await page.wait_for_url("**/console/kb/shop")
    await expect(page.locator("tbody tr")).to_have_count(1)


async def test_a_document_under_way_becomes_live_before_the_readers_eyes(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop")
    shop.embedder.gate.clear()
    changed = {"name": "费用.md", "mimeType": "text/markdown", "buffer": FEES.replace("8%", "9%").encode()}
    await page.set_input_files("[data-input=files]", changed)
    await page.locator("tbody tr[data-status=processing] th a").click()
    await expect(page.locator(".document-status .chip")).to_have_text("处理中")
    await expect(page.get_by_role("button", name="重新处理")).to_have_count(0)
    await expect(page.locator(".chunks")).to_have_count(0)
    shop.embedder.gate.set()
    await expect(page.locator(".document-status .chip")).to_have_text("已生效")
    await expect(page.locator(".chunks")).to_contain_text("家居类目的佣金比例为 9%")
    await page.get_by_role("button", name="重新处理").click()
    await expect(page.locator(".facts")).to_contain_text("第 2 版")


async def test_hostile_names_and_texts_are_shown_and_do_nothing(shop: Server, open_console: Open) -> None:
    text = "<script>document.title='taken'</script>\n<img src=x onerror=document.title='taken'> 保证金"
    document = shop.do(lambda services: take_in(services, "shop", HOSTILE, text))
    page = await open_console(f"{shop.url}/console/kb/shop")
    await expect(page.locator("tbody th", has_text="onerror")).to_have_text(HOSTILE)
    await page.get_by_role("button", name=f"删除 {HOSTILE}").click()
    await expect(page.locator("#confirm-text")).to_contain_text(HOSTILE)
    for path in (f"documents/{document.id}", "kb/shop/search?q=%3Cimg+src%3Dx+onerror%3Ddocument.title%3D1%3E"):  # type: ignore[attr-defined]
        await page.goto(f"{shop.url}/console/{path}")
        await expect(page.locator(".chunk-text", has_text="onerror").first).to_be_visible()
        await page.wait_for_timeout(100)
        assert await page.title() not in ("taken", "1")
