"""The parse queue in a browser: it follows what goes on by itself, and cancels."""

from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open
from tests.browser.console_service import Server
from tests.products import FEES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_queue_follows_a_run_cancels_what_waits_and_fits_a_phone(
    serve: Callable[..., Server], open_console: Open
) -> None:
    server = serve()
    server.embedder.gate.clear()
    page = await open_console(f"{server.url}/console/queue", phone=True)
    await page.request.post(f"{server.url}/v1/knowledge-bases", data={"name": "shop"})
    for name in ("一.md", "二.md", "三.md"):
        file = {"name": name, "mimeType": "text/markdown", "buffer": f"{name}\n\n{FEES}".encode()}
        await page.request.post(f"{server.url}/v1/knowledge-bases/shop/documents", multipart={"file": file})
    await page.reload()
    await expect(page.locator("tbody tr[data-status=processing]")).to_contain_text("向量化")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.locator("#cancel-all").click()
    await page.locator("#confirm-yes").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    server.embedder.gate.set()
    await expect(page.locator(".nothing")).to_contain_text("没有正在处理")
    await page.locator("#group-done").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.locator("#group-failed").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(2)
