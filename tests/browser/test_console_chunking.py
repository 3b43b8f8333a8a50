"""Chunk settings on the console in a real browser."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from app.wiring import Services
from tests.app.test_chunking import LONG
from tests.browser.conftest import Open
from tests.browser.console_service import Server
from tests.products import take_in

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_preview_follows_what_is_typed_and_the_progress_what_is_done(
    serve: Callable[..., Server], open_console: Open
) -> None:
    server = serve()

    async def fill(services: Services) -> None:
        await take_in(services, "shop", "手册.md", LONG)

    server.do(fill)
    page = await open_console(f"{server.url}/console/kb/shop/chunking")
    await expect(page.locator(".preview-sum")).to_have_text("和现在完全一样。")
    await page.get_by_label("每段最多多少字").fill("120")
    await expect(page.locator("#preview .note")).to_contain_text("0 到 40")
    await page.get_by_label("相邻两段重复多少字").fill("20")
    await expect(page.locator(".preview-sum")).to_contain_text("要重新向量化")
    await expect(page.locator(".after .differs").first).to_be_visible()
    server.embedder.gate.clear()
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator(".standing")).to_contain_text("0 / 1")
    server.embedder.gate.set()
    await expect(page.locator(".standing")).to_have_count(0)  # by itself
    await page.reload()
    await expect(page.locator(".preview-sum")).to_have_text("和现在完全一样。")
