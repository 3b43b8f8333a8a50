"""Watched sources on the console in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.sources.watching import write
from tests.browser.conftest import Open
from tests.browser.console_service import Server

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_source_is_added_followed_and_removed(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    write(tmp_path / "docs/费用.md", "# 费用\n\n佣金 8%。")
    server = serve(source_folders=(str(tmp_path / "docs"),))

    async def base(services: Services) -> None:
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")

    async def run(services: Services) -> None:
        await services.keeper.begin_due()

    server.do(base)
    page = await open_console(f"{server.url}/console/sources")
    await page.get_by_label("类型").select_option("folder")
    await page.get_by_label("位置").fill(str(tmp_path / "docs"))
    await expect(page.get_by_label("每天几点")).to_be_hidden()
    await page.get_by_role("button", name="开始跟进").click()
    chip = page.locator("article .chip")
    await expect(chip).to_have_text("等待第一次")
    await page.get_by_role("button", name="立即同步").click()
    await expect(chip).to_have_text("马上开始")
    server.do(run)
    await expect(chip).to_have_text("已同步")  # by itself
    await expect(page.locator("article [data-count=new]")).to_have_text("新增 1")
    await page.get_by_role("button", name="暂停").click()
    await expect(chip).to_have_text("已暂停")
    await page.get_by_role("button", name="移除").click()
    await page.locator("#confirm-yes").click()
    await expect(page.get_by_text("还没有来源")).to_be_visible()
