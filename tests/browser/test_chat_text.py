"""How an answer's text is drawn: calmly while it streams, safely whatever it says, rightly for Chinese."""

from typing import Any

import pytest
from playwright.async_api import Page, Request, expect

from tests.browser.acts import answer, ask, ended, in_widget
from tests.browser.mock_api import Event, MockApi, Step, Wait, done
from tests.browser.stories import PASSAGES, answering

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVERYTHING = (
    "总的来说：\n"
    "- **运费：**由 *责任方* 承担 [1]\n"
    "- `return_id` 见 [退货页](https://example.com/returns)\n"
    "\n"
    "价格说明\n"
    "---\n"
    "| 线路 | 首重 |\n|:--|--:|\n| 曼谷 | **28** 元 [2] |\n| 河内 | 31 元 |\n"
    "\n"
    "```bash\ncurl -X POST https://example.com/v1/returns\n```\n"
    "\n"
    "1. 第一步\n2. 第二步 ~~作废~~\n"
    "\n"
    "> 注意 [1]\n"
)

ATTACKS = (
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'>\n\n"
    "<svg onload=window.pwned=3><iframe srcdoc='<script>parent.pwned=4</script>'></iframe>\n\n"
    "[a](javascript:window.pwned=5) [b](data:text/html,<script>window.pwned=6</script>)"
    " [c](JaVaScRiPt&colon;window.pwned=7)\n\n"
    "![d](https://tracker.example/pixel.png?q=secret) ![e](javascript:window.pwned=8)"
    " ![f](data:image/svg+xml,<svg/>)\n\n"
    '[g](https://example.com/"onmouseover="window.pwned=9)'
    ' <a href="https://evil.example" onclick="window.pwned=10">h</a>\n\n'
    "```html\n<script>window.pwned = 11</script>\n```\n\n"
    "`<img src=x onerror=window.pwned=12>` <style>* { display: none }</style>"
    "<form action=/x><input name=key></form>\n\n"
    "<button data-action='regenerate' class='chip'>i</button> <mark>j</mark> "
)


def letter_by_letter(text: str) -> list[Step]:
    """A turn that sends one character an event, slowly enough that many frames are drawn in between."""
    tokens: list[Step] = []
    for index, character in enumerate(text):
        tokens.append(Event("token", {"text": character}))
        if index % 2:
            tokens.append(Wait(0.017))
    head = answering("")[:5]
    return [*head, *tokens, Event("done", done(text, citations=[1, 2]))]


async def test_nothing_half_written_flashes_up_while_an_answer_streams(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: letter_by_letter(EVERYTHING)
    await in_widget(
        chat,
        "(window.frames_ = [], (function look() { const md = root.querySelector('.turn .md');"
        " if (md) frames_.push(md.innerHTML); requestAnimationFrame(look); })())",
    )
    await ask(chat, "都说说")
    frames: list[str] = await chat.evaluate("[...new Set(frames_)]")
    texts: list[str] = await chat.evaluate(
        "[...new Set(frames_)].map(f => { const d = new DOMParser().parseFromString(f, 'text/html');"
        " d.querySelectorAll('pre').forEach(p => p.remove()); return d.body.textContent; })"
    )
    assert len(frames) > 40
    for mark in ("**", "`", "|", "~~", "](", "[1", "[2", "--"):
        assert [text for text in texts if mark in text] == [], mark
    assert [frame for frame in frames if "<h" in frame.replace("<hr", "")] == []


async def test_what_has_been_drawn_stays_the_same_node(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: letter_by_letter(EVERYTHING)
    await ask(chat, "都说说", wait=False)
    await expect(answer(chat).locator("li")).not_to_have_count(0)
    await in_widget(chat, "(window.first = root.querySelector('.md li'))")
    await ended(chat)
    assert await in_widget(chat, "root.querySelector('.md li') === window.first")
    assert await answer(chat).locator("table td").all_inner_texts() == ["曼谷", "28 元2", "河内", "31 元"]
    assert (await answer(chat).locator("pre").inner_text()).rstrip() == "curl -X POST https://example.com/v1/returns"


async def test_a_burst_of_tokens_is_drawn_in_few_frames(chat: Page, api: MockApi) -> None:
    text = "退货运费由责任方承担。" * 200
    steps = [*answering("")[:5], *[Event("token", {"text": letter}) for letter in text], Event("done", done(text))]
    api.answer = lambda _: steps
    await in_widget(
        chat,
        "(window.drawn = 0, new MutationObserver(() => drawn++).observe(root.querySelector('.column'),"
        " {childList: true, subtree: true, characterData: true}))",
    )
    await ask(chat, "都说说")
    await expect(answer(chat)).to_have_text(text)
    assert await chat.evaluate("drawn") < len(text) / 4


async def test_nothing_that_a_model_or_a_document_says_is_run(chat: Page, api: MockApi) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    chat.on("request", note)
    passage: dict[str, Any] = PASSAGES[0] | {
        "text": f"原文{ATTACKS}",
        "document": "<img src=x onerror=window.pwned=20>.md",
        "heading": "<script>window.pwned=21</script>",
    }
    api.answer = lambda _: answering(
        f"{ATTACKS}[1]", passages=[passage], suggestions=["<img src=x onerror=window.pwned=22>"], reasoning=ATTACKS
    )
    await ask(chat, "<img src=x onerror=window.pwned=23>")
    await chat.click(".reasoning summary")
    await answer(chat).locator(".chip").click()
    await expect(chat.locator(".passage")).to_contain_text("window.pwned = 1")
    await chat.reload()
    await expect(answer(chat).locator(".chip")).to_be_visible()
    assert await chat.evaluate("window.pwned") is None
    forbidden = (
        "script, iframe, img, style, mark, form:not(.composer, .keyform),"
        " .md button:not(.chip, .tool), .md svg:not(.tool svg)"
    )
    assert await in_widget(chat, f"[...root.querySelectorAll('{forbidden}')].map(n => n.outerHTML)") == []
    names = "[...root.querySelectorAll('*')].flatMap(n => n.getAttributeNames())"
    assert await in_widget(chat, f"{names}.filter(name => name.startsWith('on'))") == []
    links: list[str] = await in_widget(chat, "[...root.querySelectorAll('a')].map(a => a.protocol + a.rel + a.target)")
    assert set(links) == {"https:noopener noreferrer nofollow_blank"}
    assert [url for url in asked if not url.startswith(api.url)] == []
    assert "<script>window.pwned = 1</script>" in await answer(chat).inner_text()


async def test_an_image_of_our_own_is_shown_and_a_foreign_one_is_a_link(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: answering("![商品图](/widget/favicon.svg) ![外链](https://tracker.example/a.png)")
    await ask(chat, "看看图")
    images = await in_widget(chat, "[...root.querySelectorAll('.md img')].map(i => [i.getAttribute('src'), i.alt])")
    assert images == [[f"{api.url}/widget/favicon.svg", "商品图"]]
    assert await answer(chat).locator("a").get_attribute("href") == "https://tracker.example/a.png"


async def test_chinese_text_is_read_as_it_was_meant(chat: Page, api: MockApi) -> None:
    link = (
        '<a href="https://example.com/b" target="_blank" rel="noopener noreferrer nofollow">https://example.com/b</a>'
    )
    meant = {
        "**注意：**请先申请": "<p><strong>注意：</strong>请先申请</p>",
        "共**“七天”**内": "<p>共<strong>“七天”</strong>内</p>",
        "约 3~5 天，10~20 元": "<p>约 3~5 天，10~20 元</p>",
        "~~作废~~": "<p><del>作废</del></p>",
        "见https://example.com/b。谢谢": f"<p>见{link}。谢谢</p>",
        "费用\n---": "<p>费用</p><hr>",
        "第一行\n第二行": "<p>第一行<br>第二行</p>",
        "[7]: 不是定义": "<p>[7]: 不是定义</p>",
        "2 * 3 * 4 = 24": "<p>2 * 3 * 4 = 24</p>",
        "甲<br>乙": "<p>甲<br>乙</p>",
        "- [x] 完成": "<ul><li>☑ 完成</li></ul>",
    }
    api.answer = answering
    drawn = {}
    for written in meant:
        await ask(chat, written)
        blocks = (
            "[...root.querySelectorAll('.turn:last-of-type .block')].map(b => b.innerHTML.replace(/\\n/g, '')).join('')"
        )
        drawn[written] = await in_widget(chat, blocks)
    assert drawn == meant


async def test_unknown_and_lookalike_citations_stay_text(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: answering("甲 [1, 3]，乙 [9]，丙 `[1]`，丁 [2024]，戊[2][1]")
    await ask(chat, "引用？")
    assert await answer(chat).locator(".chip").all_inner_texts() == ["1", "3", "2", "1"]
    text = await answer(chat).inner_text()
    assert "乙 [9]" in text
    assert "[1]" in text
    assert "丁 [2024]" in text
