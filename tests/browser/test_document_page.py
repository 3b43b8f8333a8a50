"""A document's page in a browser: both sides marked, chunks changed by keyboard, and what was typed is not lost."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from app.wiring import Services
from tests.app.test_chunk_edits import text_of
from tests.browser.acts import overflow
from tests.browser.conftest import Open
from tests.browser.console_service import Server
from tests.ingest.loaders.made import pdf
from tests.products import take_in

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def filled(shop: Server, name: str, content: bytes | str) -> str:
    """The id of a document."""
    found: list[str] = []

    async def fill(services: Services) -> None:
        found.append((await take_in(services, "shop", name, content)).id)

    shop.do(fill)
    return found[0]


async def test_what_is_under_the_pointer_on_one_side_is_marked_on_the_other(shop: Server, open_console: Open) -> None:
    lines = [
        [f"# 第 {page} 节", *(f"第 {page} 节第 {n} 条：每单收取 {n} 元，偏远地区另计。" for n in range(1, 12))]
        for page in (1, 2)
    ]
    page = await open_console(f"{shop.url}/console/documents/{filled(shop, '规则.pdf', pdf(lines))}")
    chunks, lit = page.locator("#chunks .chunk"), page.locator("#original rect.lit")
    await expect(page.locator(".sheet")).to_have_count(2)
    await chunks.nth(1).hover()
    await expect(lit.first).to_be_in_viewport()
    second = await chunks.nth(1).get_attribute("id")
    assert {await each.get_attribute("data-chunks") for each in await lit.all()} == {second}
    await page.locator("#original").evaluate("pane => pane.scrollTo(0, 0)")
    await page.locator("#original rect").first.hover()
    await expect(chunks.nth(0)).to_have_class("card chunk lit")
    await expect(chunks.nth(1)).not_to_have_class("card chunk lit")
    await page.locator("#original rect").first.click()
    await expect(chunks.nth(0)).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(chunks.nth(1)).to_be_focused()
    await expect(lit.first).to_have_attribute("data-chunks", second or "")


async def test_chunks_are_changed_by_keyboard_and_what_was_typed_stays_when_somebody_was_quicker(
    shop: Server, open_console: Open
) -> None:
    address = f"{shop.url}/console/documents/{filled(shop, '规则.md', text_of())}"
    page, other = await open_console(address), await open_console(address)
    chunks, text = page.locator("#chunks .chunk"), page.locator("#chunk-dialog textarea")
    await chunks.nth(0).focus()
    await page.keyboard.press("e")
    await text.fill("签收后 15 天内可以退货。\n运费由买家承担。")
    await page.keyboard.press("Control+Enter")
    await expect(chunks.nth(0).locator(".chunk-text")).to_have_text("签收后 15 天内可以退货。\n运费由买家承担。")
    await expect(chunks.nth(0)).to_be_focused()
    await expect(page.locator("#document .chip.live").first).to_be_visible()

    await page.keyboard.press("e")
    await text.evaluate("area => area.setSelectionRange(14, 14)")
    await page.locator("[data-split]").click()
    await expect(chunks).to_have_count(4)
    await expect(chunks.nth(1).locator(".chunk-text")).to_have_text("运费由买家承担。")
    await chunks.nth(1).focus()
    await page.keyboard.press("d")
    await expect(chunks.nth(1)).to_contain_text("已停用")

    await other.locator("#chunks .chunk").nth(0).locator("[data-edit-chunk]").click()
    await other.locator("#chunk-dialog textarea").fill("晚了一步的话。")
    await other.locator("#chunk-dialog [type=submit]").click()
    await expect(other.locator("#chunk-dialog .problem")).to_contain_text("刚被别人改过")
    await expect(other.locator("#chunk-dialog textarea")).to_have_value("晚了一步的话。")


async def test_on_a_phone_there_is_one_side_at_a_time(shop: Server, open_console: Open, tmp_path: Path) -> None:
    table = "\n\n| 款号 | 说明 |\n|---|---|\n| A-1 | " + "很长的一段说明" * 30 + " |\n"
    page = await open_console(f"{shop.url}/console/documents/{filled(shop, '规则.md', text_of() + table)}", phone=True)
    await expect(page.locator(".pane-original")).to_be_hidden()
    await page.get_by_role("button", name="原文", exact=True).tap()
    await expect(page.locator("#original .paper")).to_be_visible()
    await expect(page.locator("#chunks")).to_be_hidden()
    assert await overflow(page) == 0
    await page.locator("#original [data-chunks]").first.tap()
    await expect(page.locator("#chunks .chunk").first).to_be_focused()
    assert await overflow(page) == 0
