"""The console in a real browser, against the real service: knowledge bases, keys, and how its pages look."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from app.identity.keys import Scope
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.browser.acts import create, overflow, written
from tests.browser.conftest import Open
from tests.browser.console_service import Server
from tests.products import FEES, take_in

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


# --- knowledge bases and keys ---


async def test_a_knowledge_base_is_made_and_deleted_by_keyboard_alone(
    serve: Callable[..., Server], open_console: Open
) -> None:
    page = await open_console(f"{serve().url}/console")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_css("outline-style", "solid")
    await page.keyboard.press("Enter")
    await expect(page.locator("#create [name=name]")).to_be_focused()
    await page.keyboard.type("键盘")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#upload")
    await page.get_by_role("link", name="知识库").first.press("Enter")
    await page.wait_for_selector(".cards")
    await page.wait_for_load_state()
    await page.get_by_role("button", name="删除知识库 键盘").press("Enter")
    submit = page.get_by_role("button", name="永久删除")
    await expect(submit).to_be_disabled()
    await page.keyboard.type("键")
    await expect(submit).to_be_disabled()
    await page.keyboard.type("盘")
    await page.keyboard.press("Enter")
    await expect(page.locator(".note.good")).to_have_text("知识库已删除。")
    await expect(page.locator(".first-step")).to_be_visible()


async def test_a_key_is_copied_once_and_revoked(serve: Callable[..., Server], open_console: Open) -> None:
    server = serve()
    page = await open_console(f"{server.url}/console/keys")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_text("新建私密密钥").click()
    await page.fill("details[open] [name=name]", "订单系统")
    await page.get_by_text("读写：还能上传和删除").click()
    await page.get_by_role("button", name="创建密钥").click()
    await expect(page.locator(".made")).to_contain_text("只显示这一次")
    await page.get_by_role("button", name="复制").click()
    await expect(page.locator("#toast")).to_have_text("已复制")
    token = await page.evaluate("navigator.clipboard.readText()")
    principal = server.do(lambda services: services.keys.recognise(token, origin=None))
    assert principal.scope is Scope.WRITE  # type: ignore[attr-defined]
    await page.reload()
    assert token not in await page.content()
    await page.get_by_role("button", name="吊销密钥 订单系统").click()
    await page.locator("#confirm-yes").click()
    await expect(page.locator("tr[data-key] .chip")).to_have_text("已吊销")


async def test_signing_in_uploading_and_signing_out(
    serve: Callable[..., Server], open_console: Open, tmp_path: Path
) -> None:
    server = serve(require_keys=True)
    _, token = server.do(lambda services: services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.WRITE))  # type: ignore[misc]
    page = await open_console(f"{server.url}/console")
    await page.wait_for_url("**/console/login?next=*")
    await page.fill("[name=key]", "sk_wrong")
    await page.press("[name=key]", "Enter")
    await expect(page.locator(".problem")).to_have_text("密钥不正确，或已经吊销。")
    await page.fill("[name=key]", token)
    await page.press("[name=key]", "Enter")
    await page.wait_for_url("**/console")
    assert token not in await page.evaluate("document.cookie")
    await create(page, "shop")
    await page.set_input_files("[data-input=files]", written(tmp_path / "in", {"费用.md": FEES}))
    await expect(page.locator("tbody .chip")).to_have_text("已生效")
    await page.get_by_role("button", name="退出登录").click()
    await page.wait_for_url("**/console/login")
    await page.goto(f"{server.url}/console/kb/shop")
    await page.wait_for_url("**/console/login?next=*")


async def test_a_link_on_another_site_opens_the_page_for_who_is_signed_in(
    serve: Callable[..., Server], open_console: Open
) -> None:
    server = serve(require_keys=True)
    _, token = server.do(lambda services: services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.ADMIN))  # type: ignore[misc]
    page = await open_console(f"{server.url}/console/login")
    await page.fill("[name=key]", token)
    await page.press("[name=key]", "Enter")
    await page.wait_for_url("**/console")
    elsewhere = serve()
    await page.goto(elsewhere.url.replace("127.0.0.1", "localhost"))
    await page.evaluate("url => location.assign(url)", f"{server.url}/console/keys")
    await expect(page.locator("h1")).to_have_text("API 密钥")
    await expect(page).to_have_url(f"{server.url}/console/keys")


# --- appearance ---


async def test_language_and_appearance_are_chosen_once_for_console_and_chat(shop: Server, open_console: Open) -> None:
    page = await open_console(f"{shop.url}/console", locale="en-US")
    await page.emulate_media(color_scheme="dark")
    await expect(page.locator("h1")).to_have_text("Knowledge bases")
    await expect(page.locator("body")).to_have_css("color-scheme", "dark")
    switch = page.locator("[data-theme-switch]")
    await switch.click()
    await expect(switch).to_have_attribute("aria-label", "Appearance: light")
    await expect(page.locator("body")).to_have_css("color-scheme", "light")
    await page.get_by_role("button", name="切换到中文").click()
    await expect(page.locator("h1")).to_have_text("知识库")
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.goto(shop.url)
    await page.wait_for_selector(".composer")
    await expect(page.locator(".composer textarea")).to_have_attribute("aria-label", "输入问题")
    await expect(page.locator(".root")).to_have_attribute("data-scheme", "light")


async def test_a_language_chosen_on_the_chat_page_is_the_consoles_too(shop: Server, open_console: Open) -> None:
    page = await open_console(shop.url)
    await page.wait_for_selector(".composer")
    await page.get_by_role("button", name="Switch to English").click()
    await page.goto(f"{shop.url}/console")
    await expect(page.locator("h1")).to_have_text("Knowledge bases")


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
async def test_no_page_is_wider_than_a_phone(serve: Callable[..., Server], open_console: Open, locale: str) -> None:
    server = serve()
    long = "超长文件名" * 12 + "A" * 80

    async def fill(services: Services) -> list[str]:
        base = "知识库" + "B" * 100
        document = await take_in(services, base, f"{long}/{long}.md", f"# {long}\n\n{'C' * 300} {FEES}")
        await take_in(services, base, f"{long}.pdf", b"%PDF-1.7\ntorn")
        await services.keys.publish(DEFAULT_TENANT, long[:100], origins=[f"https://{'d' * 60}.example"])
        pages = ["", f"/kb/{base}", f"/kb/{base}/search?q={long}保证金", f"/documents/{document.id}", "/keys", "/none"]
        return [f"/console{path}" for path in pages]

    page = await open_console("about:blank", phone=True, locale=locale)
    for path in server.do(fill):  # type: ignore[attr-defined]
        await page.goto(f"{server.url}{path}")
        assert await overflow(page) <= 0, path
    await page.goto(f"{server.url}/console")
    await page.locator("[data-open^=delete]").click()
    assert await overflow(page) <= 0


async def test_on_a_phone_files_are_chosen_by_a_button_large_enough_for_a_thumb(
    shop: Server, open_console: Open
) -> None:
    page = await open_console(f"{shop.url}/console/kb/shop", phone=True)
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="选择文件", exact=True).tap()
    assert (await chooser.value).is_multiple()
    for button in await page.locator("main button:visible, .tools button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 36
    row = page.locator("tbody tr").first
    await expect(row).to_have_css("display", "flex")
    await row.get_by_role("button").tap()
    await expect(page.locator("#confirm")).to_be_visible()
