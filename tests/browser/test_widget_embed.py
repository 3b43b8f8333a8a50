"""The one script tag on somebody else's page: another origin, other styles, other shortcuts, a strict policy."""

import re
from collections.abc import Generator

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import answer, ask, becomes, in_widget
from tests.browser.conftest import NewPage
from tests.browser.mock_api import Gate, MockApi
from tests.browser.stories import ANSWER, answering

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HOSTILE_STYLES = """
  html { font-size: 40px } * { letter-spacing: 9px; text-transform: uppercase } body > * { display: none; opacity: .1 }
  body { direction: rtl; color: lime; line-height: 4 }
  button, textarea, div { background: red !important; position: static !important }
  merchant-copilot { display: none; position: absolute; transform: scale(3); font-size: 60px }
"""
SHORTCUTS = "window.pressed = []; document.addEventListener('keydown', (event) => window.pressed.push(event.key));"


@pytest.fixture
def shop() -> Generator[MockApi]:
    """A shop's own web server: another origin than the service."""
    server = MockApi(answer=lambda _: []).start()
    yield server
    server.close()


def page_with(api: MockApi, attributes: str = "", *, head: str = "", body: str = "") -> str:
    """A shop page with the tag on it."""
    tag = f'<script src="{api.url}/widget.js" {attributes} async></script>'
    return f'<!doctype html><html lang="zh"><head>{head}</head><body><h1>店铺</h1>{body}{tag}</body></html>'


async def open_chat(page: Page) -> None:
    """Presses the launcher and waits for the chat."""
    await page.click(".launcher")
    await page.wait_for_selector(".composer")


async def test_one_tag_puts_a_working_chat_on_a_foreign_page(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    attributes = 'data-key="pk_123" data-kb="售后" data-lang="en" data-theme="dark" data-title="Northwind 客服"'
    api.required_key = "pk_123"
    api.status["knowledge_bases"] = [{"name": "售后", "documents": 8}, {"name": "内部", "documents": 20}]
    shop.pages["/"] = (page_with(api, attributes), {})
    page = await new_page(shop.url)
    await expect(page.locator(".launcher")).to_have_attribute("aria-label", "Open Northwind 客服")
    assert [one.path for one in api.requests if "/app.js" in one.path or "vendor" in one.path] == []
    await open_chat(page)
    await expect(page.locator(".title")).to_have_text("Northwind 客服")
    await expect(page.locator(".picker")).to_be_hidden()
    await ask(page, "Who pays for returns?")
    await expect(answer(page).locator(".chip")).to_have_count(5)
    request = api.sent("POST", "/v1/chat")[0]
    assert request.headers["authorization"] == "Bearer pk_123"
    assert request.headers["accept-language"] == "en"
    assert request.body["kb"] == ["售后"]
    await expect(page.locator(".root")).to_have_attribute("data-scheme", "dark")
    await answer(page).locator(".chip").first.click()
    await expect(page.locator(".passage")).to_contain_text("七天无理由退货")


async def test_the_pages_styles_stay_out_and_ours_stay_in(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    shop.pages["/"] = (page_with(api), {})
    shop.pages["/hostile"] = (page_with(api, head=f"<style>{HOSTILE_STYLES}</style>"), {})
    looks = []
    for path in ("/", "/hostile"):
        page = await new_page(shop.url + path)
        plain = await page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily")
        await open_chat(page)
        await ask(page, "退货运费谁承担？")
        looks.append(
            await in_widget(
                page,
                "['.panel', '.launcher', '.send', '.question', '.md p', 'textarea', '.source'].map(s => {"
                " const n = root.querySelector(s), c = getComputedStyle(n), b = n.getBoundingClientRect();"
                " return [s, c.fontSize, c.letterSpacing, c.textTransform, c.direction, c.color, c.backgroundColor,"
                " c.lineHeight, c.position, c.opacity, Math.round(b.width), Math.round(b.right)]; })",
            )
        )
        assert await page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily") == plain
    assert looks[0] == looks[1]


async def test_a_strict_content_policy_is_enough(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    policy = (
        f"default-src 'none'; script-src {api.url}; connect-src {api.url}; img-src {api.url};"
        " require-trusted-types-for 'script'"
    )
    shop.pages["/"] = (page_with(api), {"Content-Security-Policy": policy})
    page = await new_page(shop.url)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await open_chat(page)
    await ask(page, "退货运费谁承担？")
    await expect(answer(page).locator("table")).to_be_visible()
    await page.click("[data-action=down]")
    await page.keyboard.press("Escape")
    await answer(page).locator(".chip").first.click()
    await expect(page.locator(".passage mark")).to_be_visible()
    assert [text for text in complaints if "Content Security Policy" in text or "Trusted" in text] == []


async def test_keys_typed_in_the_chat_are_not_the_pages_shortcuts(
    api: MockApi, shop: MockApi, new_page: NewPage
) -> None:
    shop.pages["/"] = (page_with(api), {})
    page = await new_page(shop.url)
    await page.evaluate(SHORTCUTS)
    await open_chat(page)
    await page.locator(".composer textarea").press_sequentially("s/k")
    assert await page.input_value(".composer textarea") == "s/k"
    assert await page.evaluate("window.pressed") == []


async def test_the_panel_is_worked_with_the_keyboard_alone(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    gate = Gate()
    steps = answering(ANSWER)
    api.answer = lambda _: [*steps[:20], gate, *steps[20:]]
    shop.pages["/"] = (page_with(api, body="<a href='#x'>link</a>"), {})
    page = await new_page(shop.url)
    await page.focus(".launcher")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".composer")
    await expect(page.locator(".composer textarea")).to_be_focused()
    await expect(page.locator(".attach")).to_be_visible()  # so the status has come: nothing is drawn anew below
    visited = set()
    for _ in range(24):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.tagName") == "MERCHANT-COPILOT"
        visited.add(
            await in_widget(page, "root.activeElement.getAttribute('aria-label') ?? root.activeElement.textContent")
        )
    assert {"新对话", "关闭", "怎样申请退货？", "收起商家助手"} <= visited
    await page.focus(".composer textarea")
    await page.keyboard.type("退货运费谁承担？")
    await page.keyboard.press("Enter")
    await expect(answer(page)).to_contain_text("退货运费")
    await page.keyboard.press("Escape")
    await expect(page.locator(".turn")).to_have_attribute("data-state", "stopped")
    await expect(page.locator(".panel")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".panel")).to_be_hidden()
    await becomes(page, "root.activeElement.className", "launcher")


async def test_the_chat_stays_open_and_filled_on_the_next_page(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    shop.pages["/"] = (page_with(api), {})
    shop.pages["/next"] = (page_with(api), {})
    page = await new_page(shop.url)
    await open_chat(page)
    await ask(page, "退货运费谁承担？")
    await page.goto(shop.url + "/next")
    await expect(answer(page).locator(".chip")).to_have_count(5)
    await page.click("[data-tool=close]")
    await page.goto(shop.url)
    await expect(page.locator(".launcher")).to_be_visible()
    await expect(page.locator(".panel")).to_be_hidden()


async def test_on_a_phone_the_panel_fills_the_screen(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    viewport = "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    shop.pages["/"] = (page_with(api, head=viewport), {})
    page = await new_page(shop.url, phone=True)
    await page.tap(".launcher")
    await page.wait_for_selector(".composer")
    place = "(b => [b.x, b.y, b.width, b.height])(root.querySelector('.panel').getBoundingClientRect())"
    await becomes(page, place, [0, 0, 390, 844])
    await expect(page.locator(".launcher")).to_be_hidden()
    await expect(page.locator(".composer textarea")).not_to_be_focused()
    assert await in_widget(page, "getComputedStyle(root.querySelector('textarea')).fontSize") == "16px"
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("accent", ["#ffe14d", "#101820", "oklch(0.7 0.2 330)"])
async def test_any_accent_of_a_site_stays_readable(api: MockApi, shop: MockApi, new_page: NewPage, accent: str) -> None:
    shop.pages["/"] = (page_with(api, head=f"<style>merchant-copilot {{ --mc-accent: {accent} }}</style>"), {})
    page = await new_page(shop.url)
    await open_chat(page)
    await ask(page, "退货运费谁承担？")
    contrast = """(() => {
      const rgb = (colour) => { const c = document.createElement('canvas').getContext('2d'); c.fillStyle = colour;
        c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3); };
      const light = (colour) => rgb(colour).map(v => v / 255)
        .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
      const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
      const style = (s) => getComputedStyle(root.querySelector(s));
      return ['.launcher', '.chip'].map(s => ratio(style(s).color, style(s).backgroundColor));
    })()"""
    on_accent, in_accent = await in_widget(page, contrast)
    assert on_accent >= 4.5
    assert in_accent >= 4


async def test_a_site_can_open_the_chat_and_ask_by_itself(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    shop.pages["/"] = (page_with(api), {})
    page = await new_page(shop.url)
    await page.wait_for_selector(".launcher")
    await page.evaluate("window.MerchantCopilot.ask('退货运费谁承担？')")
    await expect(page.locator(".turn")).to_have_attribute("data-state", "done")
    await page.evaluate("window.MerchantCopilot.close()")
    await expect(page.locator(".panel")).to_be_hidden()


async def test_a_site_that_is_not_allowed_is_told_so(api: MockApi, shop: MockApi, new_page: NewPage) -> None:
    api.required_key = "pk_other"
    shop.pages["/"] = (page_with(api, 'data-key="pk_123"'), {})
    page = await new_page(shop.url)
    await open_chat(page)
    await ask(page, "退货运费谁承担？")
    await expect(page.locator(".error-text")).to_contain_text("访问密钥不正确或已失效。")
    await expect(page.locator(".keyform")).to_be_hidden()


async def test_both_languages_have_the_same_sentences(chat: Page) -> None:
    catalogs = await chat.evaluate("import('/widget/strings.js').then(({catalogs}) => catalogs)")
    blanks = {
        lang: {key: sorted(re.findall(r"{\w+}", str(text))) for key, text in catalog.items()}
        for lang, catalog in catalogs.items()
    }
    assert blanks["zh"] == blanks["en"]
