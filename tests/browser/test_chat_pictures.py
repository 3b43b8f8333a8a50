"""Pictures that go with a question, and commands by keyboard."""

import base64
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import ask, becomes
from tests.browser.chat_jobs import MUG, attach
from tests.browser.conftest import NewPage
from tests.browser.mock_api import MockApi, Problem

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


# --- attaching ---


async def paste(page: Page, picture: bytes) -> None:
    await page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], "", { type: "image/jpeg" }));
            const field = document.querySelector("merchant-copilot").shadowRoot.querySelector(".composer textarea");
            field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        base64.b64encode(picture).decode(),
    )


async def test_an_attached_picture_goes_with_the_question_and_stays_in_it(chat: Page, api: MockApi) -> None:
    await attach(chat)
    await expect(chat.locator(".tray-item[data-state=ready] canvas")).to_be_visible()
    await ask(chat, "做一张白底图")
    assert api.sent("POST", "/v1/chat")[0].body["attachments"] == ["picture-1"]
    assert api.pictures["picture-1"] == MUG
    await expect(chat.locator(".tray-item")).to_have_count(0)
    sent = chat.locator(".sent img")
    await expect(sent).to_have_attribute("alt", "杯子.jpg")
    assert await sent.evaluate("image => image.decode().then(() => image.naturalWidth)") == 240
    await ask(chat, "第二个问题")
    assert "attachments" not in api.sent("POST", "/v1/chat")[1].body
    await chat.reload()
    await expect(chat.locator(".sent img")).to_have_count(1)


async def test_pictures_are_pasted_and_dropped_four_at_most(chat: Page, api: MockApi, tmp_path: Path) -> None:
    await chat.focus(".composer textarea")
    await expect(chat.locator(".attach")).to_be_visible()
    await paste(chat, MUG)
    await expect(chat.locator(".tray-item[data-state=ready]")).to_have_count(1)
    paths = [tmp_path / f"{number}.jpg" for number in range(4)]
    for path in paths:
        path.write_bytes(MUG)
    devtools = await chat.context.new_cdp_session(chat)
    what = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        await devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 300, "data": what})
        if kind == "dragOver":
            await expect(chat.locator(".main[data-over]")).to_be_visible()
    await expect(chat.locator(".tray-item[data-state=ready]")).to_have_count(4)
    await expect(chat.locator(".toast")).to_have_text("一次最多带 4 张图片。")
    await expect(chat.locator(".main[data-over]")).to_have_count(0)
    await chat.get_by_role("button", name="移除1.jpg").click()
    await expect(chat.locator(".tray-item")).to_have_count(3)
    await ask(chat, "做白底图")
    assert len(api.sent("POST", "/v1/chat")[0].body["attachments"]) == 3


async def test_a_picture_that_is_refused_says_why_and_can_be_sent_again(chat: Page, api: MockApi) -> None:
    api.problems.append(Problem(415, "unsupported", "This is not a picture."))
    await attach(chat)
    await expect(chat.locator(".tray-item[data-state=failed]")).to_be_visible()
    await chat.fill(".composer textarea", "做白底图")
    await chat.get_by_role("button", name="重新上传杯子.jpg").click()
    await expect(chat.locator(".tray-item[data-state=ready]")).to_be_visible()
    api.problems.append(Problem(413, "too_large"))
    await attach(chat, name="大.jpg")
    await expect(chat.locator(".toast")).to_have_text(
        "文件太大：超过了大小上限，或读取它要用的时间、内存超过了上限。请拆分后再上传。"
    )
    await ask(chat, "做白底图")
    assert api.sent("POST", "/v1/chat")[0].body["attachments"] == ["picture-1"]


async def test_what_is_no_picture_is_not_taken(chat: Page, api: MockApi) -> None:
    text = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"}
    await chat.set_input_files(".attach input", text)  # type: ignore[arg-type]
    await expect(chat.locator(".toast")).to_have_text("这里只能放图片。")
    assert api.sent("POST", "/v1/artifacts") == []


async def test_a_site_can_switch_pictures_off(api: MockApi, new_page: NewPage) -> None:
    script = f'<script src="{api.url}/widget.js" data-pictures="off" data-mode="page" async></script>'
    api.pages["/off"] = (f"<!doctype html><body>{script}</body>", {})
    page = await new_page(f"{api.url}/off")
    await page.wait_for_selector(".composer")
    await expect(page.locator(".attach")).to_be_hidden()
    await page.fill(".composer textarea", "/")
    await expect(page.locator(".commands li code")).to_have_text(["/任务", "/取消", "/帮助"])


async def test_who_may_not_work_is_offered_no_pictures(api: MockApi, new_page: NewPage) -> None:
    bases = [{"name": name, "documents": 3} for name in ("店铺", "规则")]
    api.status.update(may_work=False, knowledge_bases=bases)
    page = await new_page(api.url)
    await page.wait_for_selector(".picker")  # so it has heard of its status
    await page.fill(".composer textarea", "/")
    await expect(page.locator(".commands li code")).to_have_text(["/任务", "/取消", "/帮助"])
    await expect(page.locator(".attach")).to_be_hidden()
    await paste(page, MUG)
    await ask(page, "保证金是多少？")
    assert "attachments" not in api.sent("POST", "/v1/chat")[0].body
    assert api.sent("POST", "/v1/artifacts") == []


async def test_attachments_outlive_a_change_of_language(chat: Page, api: MockApi) -> None:
    await attach(chat)
    await expect(chat.locator(".tray-item[data-state=ready]")).to_be_visible()
    await chat.get_by_role("button", name="Switch to English").click()
    await expect(chat.get_by_role("button", name="Remove 杯子.jpg")).to_be_visible()
    await ask(chat, "white background please")
    assert api.sent("POST", "/v1/chat")[0].body["attachments"] == ["picture-1"]
    assert len(api.sent("POST", "/v1/artifacts")) == 1


# --- commands ---


async def test_a_slash_opens_the_commands_and_the_keyboard_chooses_one(chat: Page, api: MockApi) -> None:
    field = ".composer textarea"
    await chat.fill(field, "/")
    menu = chat.get_by_role("listbox", name="命令")
    await expect(menu.get_by_role("option")).to_have_count(8)
    await chat.press(field, "ArrowDown")
    await chat.press(field, "ArrowDown")
    await expect(menu.locator("[aria-selected=true]")).to_contain_text("/图 场景")
    selected = "root.querySelector('.composer textarea').getAttribute('aria-activedescendant')"
    await becomes(chat, selected, "mc-command-2")
    await chat.press(field, "Enter")
    await expect(chat.locator(field)).to_have_value("/图 场景 ")
    await expect(menu).to_be_hidden()
    assert api.sent("POST", "/v1/chat") == []
    await chat.press(field, "Enter")
    await expect(chat.locator(".question")).to_have_text("您问：/图 场景")


async def test_the_menu_narrows_closes_and_comes_in_both_languages(chat: Page, api: MockApi) -> None:
    field = ".composer textarea"
    options = chat.locator(".commands li code")
    await chat.fill(field, "/图 透")
    await expect(options).to_have_text(["/图 透明"])
    await chat.fill(field, "/im")
    await expect(options.first).to_have_text("/image white")
    await chat.press(field, "Escape")
    await expect(chat.locator(".commands")).to_be_hidden()
    await expect(chat.locator(field)).to_have_value("/im")
    await chat.fill(field, "/帮助")
    await expect(chat.locator(".commands")).to_be_hidden()
    await chat.fill(field, "运费 / 关税")
    await expect(chat.locator(".commands")).to_be_hidden()
    await chat.get_by_role("button", name="Switch to English").click()
    await chat.fill(field, "／")
    await expect(options.last).to_have_text("/help")
    await options.last.click()
    await expect(chat.locator(field)).to_have_value("/help ")
