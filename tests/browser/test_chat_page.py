"""The chat page in a real browser, against a double of the service."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import answer, ask, becomes, ended, in_widget, shown
from tests.browser.conftest import NewPage
from tests.browser.mock_api import Drop, Event, Gate, MockApi, Problem, Raw, Step
from tests.browser.stories import ANSWER, ENGLISH_ANSWER, PASSAGES, answering, refusing

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

QUOTE = "因质量问题退货的，退回运费由卖家承担，每单补偿上限为 25 元。"


def paused(gate: Gate, *, after: int = 40, text: str = ANSWER) -> list[Step]:
    """A turn that waits at the gate when ``after`` of its steps are sent."""
    steps = answering(text)
    return [*steps[:after], gate, *steps[after:]]


async def test_an_answer_streams_in_and_its_citations_become_chips(chat: Page, api: MockApi) -> None:
    gate = Gate()
    api.answer = lambda _: paused(gate)
    await ask(chat, "退货运费谁承担？", wait=False)
    await expect(answer(chat)).to_contain_text("退货运费由责任方承担：请先确认退货原因")
    await expect(answer(chat).locator(".chip")).not_to_have_count(0)
    await expect(chat.locator(".send")).to_have_attribute("aria-label", "停止回答")
    gate.opened.set()
    await ended(chat)
    assert [await chip.inner_text() for chip in await answer(chat).locator(".chip").all()] == ["1", "1", "2", "1", "3"]
    assert await chat.locator(".source-name").all_inner_texts() == [passage["document"] for passage in PASSAGES]
    assert await chat.locator(".suggestion").count() == 3
    assert await shown(chat, ".meta") == "qwen-plus · 1.2 秒"


async def test_the_stage_is_named_until_the_first_token(chat: Page, api: MockApi) -> None:
    searching, reading = Gate(), Gate()
    steps = answering(ANSWER)
    api.answer = lambda _: [*steps[:2], searching, *steps[2:4], reading, *steps[4:]]
    await ask(chat, "退货运费谁承担？", wait=False)
    await expect(chat.locator(".stage")).to_have_text("正在检索资料…")
    searching.opened.set()
    await expect(chat.locator(".stage")).to_have_text("正在阅读 3 段资料…")
    reading.opened.set()
    await ended(chat)
    await expect(chat.locator(".stage")).to_be_hidden()


async def test_a_citation_opens_its_passage_with_the_sentence_marked(chat: Page) -> None:
    await ask(chat, "退货运费谁承担？")
    await answer(chat).locator("tr:nth-child(2) .chip").click()
    assert await shown(chat, ".pane-document") == "售后/退货与退款政策.md"
    assert await shown(chat, ".crumbs") == "退货政策 > 七天无理由 > 运费"
    assert await chat.locator(".passage").inner_text() == PASSAGES[0]["text"]
    assert await chat.locator(".passage mark").all_inner_texts() == [QUOTE]
    await answer(chat).locator("li:nth-child(2) .chip").click()
    assert "退款在 48 小时内原路退回" in await shown(chat, ".passage mark")
    await chat.keyboard.press("Escape")
    await expect(chat.locator(".pane")).to_be_hidden()
    await becomes(chat, "root.activeElement.className", "chip")


async def test_a_quotation_is_marked_word_for_word(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: answering("文件写明“退回运费由卖家承担，每单补偿上限为25元”。[1]")
    await ask(chat, "谁承担？")
    await answer(chat).locator(".chip").click()
    assert await chat.locator("mark").all_inner_texts() == ["退回运费由卖家承担，每单补偿上限为 25 元"]


async def test_sources_name_the_page_and_the_row(chat: Page) -> None:
    await ask(chat, "退货运费谁承担？")
    assert await chat.locator(".source-place").all_inner_texts() == [
        "退货政策 > 七天无理由 > 运费",
        "东南亚专线 · 第 12 行",
        "Returns > Packaging · 第 14 页",
    ]
    await chat.locator(".source").nth(2).click()
    assert await shown(chat, ".place") == "第 14 页"
    assert "restocking fee of 12%" in await shown(chat, "mark")
    await chat.click("[data-tool=previous-source]")
    await expect(chat.locator(".pane-count")).to_have_text("来源 2 / 3")


async def test_passages_that_were_not_cited_are_kept_apart(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: answering("内封条已拆的会收取 12% 的费用 [3]。")
    await ask(chat, "有重新上架费吗？")
    assert await chat.locator(".source-n").all_inner_texts() == ["3"]
    await chat.click(".more")
    await expect(chat.locator(".source-n")).to_have_text(["3", "1", "2"])


@pytest.mark.parametrize("way", ["button", "escape"])
async def test_stop_ends_the_turn_and_keeps_what_was_written(chat: Page, api: MockApi, way: str) -> None:
    api.answer = lambda _: paused(Gate(), after=20)
    await ask(chat, "退货运费谁承担？", wait=False)
    await expect(answer(chat)).to_contain_text("退货运费")
    await (chat.click(".send") if way == "button" else chat.keyboard.press("Escape"))
    await ended(chat)
    assert await chat.get_attribute(".turn", "data-state") == "stopped"
    assert len(api.sent("POST", "/v1/turns/turn-1/stop")) == 1
    assert "退货运费由责任方承担" in await answer(chat).inner_text()
    assert await shown(chat, ".notice") == "已停止回答"
    await expect(chat.locator(".send")).to_have_attribute("aria-label", "发送")


async def test_regenerate_replaces_the_answer(chat: Page, api: MockApi) -> None:
    await ask(chat, "退货运费谁承担？")
    api.answer = lambda _: answering("换一种说法：由责任方承担。[1]")
    await chat.click("[data-action=regenerate]")
    await expect(answer(chat)).to_contain_text("换一种说法")
    assert len(api.sent("POST", "/v1/turns/turn-1/regenerate")) == 1
    await expect(chat.locator(".turn")).to_have_count(1)
    await expect(answer(chat).locator("table")).to_have_count(0)


async def test_the_old_answer_stays_if_regenerating_fails(chat: Page, api: MockApi) -> None:
    await ask(chat, "退货运费谁承担？")
    api.problems.append(Problem(503, "model_unavailable"))
    await chat.click("[data-action=regenerate]")
    await expect(chat.locator(".error")).to_contain_text("大模型暂时不可用")
    assert "退货运费由责任方承担" in await answer(chat).inner_text()
    await expect(chat.locator(".source")).to_have_count(3)


async def test_a_thumb_down_is_sent_at_once_and_its_reason_after(chat: Page, api: MockApi) -> None:
    await ask(chat, "退货运费谁承担？")
    await chat.click("[data-action=down]")
    await expect(chat.locator(".feedback")).to_be_visible()
    await chat.get_by_label("信息过期").check()
    await chat.fill(".feedback textarea", "上限已改为 30 元")
    await chat.click(".feedback .primary")
    await expect(chat.locator(".feedback")).to_be_hidden()
    await expect(chat.locator("[data-action=down]")).to_have_attribute("aria-pressed", "true")
    await expect(chat.locator(".toast")).to_have_text("谢谢反馈，我们会据此改进。")
    assert [one.body for one in api.sent("POST", "/v1/turns/turn-1/feedback")] == [
        {"rating": "down"},
        {"rating": "down", "reason": "outdated", "comment": "上限已改为 30 元"},
    ]


async def test_a_thumb_that_did_not_arrive_is_taken_back(chat: Page, api: MockApi) -> None:
    await ask(chat, "退货运费谁承担？")
    api.problems.append(Problem(500, "internal"))
    await chat.click("[data-action=up]")
    await expect(chat.locator(".toast")).to_have_text("反馈没有送达，请稍后再试。")
    await expect(chat.locator("[data-action=up]")).to_have_attribute("aria-pressed", "false")


async def test_enter_while_composing_chooses_a_word_and_does_not_send(chat: Page, api: MockApi) -> None:
    await chat.focus(".composer textarea")
    keyboard = await chat.context.new_cdp_session(chat)
    await keyboard.send("Input.imeSetComposition", {"text": "tuihuo", "selectionStart": 6, "selectionEnd": 6})
    await chat.keyboard.press("Enter")
    assert api.sent("POST", "/v1/chat") == []
    await keyboard.send("Input.insertText", {"text": "退货"})
    # Safari ends the composition before the key press that ended it, and marks that one by its key code alone.
    await in_widget(
        chat,
        "root.querySelector('textarea').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true}))",
    )
    assert api.sent("POST", "/v1/chat") == []
    await chat.keyboard.press("Shift+Enter")
    await chat.keyboard.type("运费")
    await chat.keyboard.press("Enter")
    await ended(chat)
    assert [one.body["question"] for one in api.sent("POST", "/v1/chat")] == ["退货\n运费"]


async def test_the_page_speaks_the_browsers_language_and_switches(api: MockApi, new_page: NewPage) -> None:
    api.status["suggestions"] = {"zh": ["退货怎么办？"], "en": ["How do returns work?"]}
    api.answer = lambda _: answering(ENGLISH_ANSWER)
    page = await new_page(api.url, locale="en-GB")
    await expect(page.locator(".empty h2")).to_have_text("What would you like to know?")
    await expect(page.locator(".starter")).to_have_text(["How do returns work?"])
    await page.fill(".composer textarea", "half a question")
    await page.click("[data-tool=language]")
    await expect(page.locator(".empty h2")).to_have_text("想了解点什么？")
    await expect(page.locator(".starter")).to_have_text(["退货怎么办？"])
    await expect(page.locator(".composer textarea")).to_have_value("half a question")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await page.reload()
    await expect(page.locator(".empty h2")).to_have_text("想了解点什么？")


async def test_a_suggested_question_is_asked_with_one_press(chat: Page, api: MockApi) -> None:
    await chat.locator(".starter").first.click()
    await ended(chat)
    assert api.sent("POST", "/v1/chat")[0].body == {"question": "怎样申请退货？", "stream": True}
    await chat.locator(".suggestion").first.click()
    await expect(chat.locator(".turn")).to_have_count(2)
    await ended(chat)
    assert api.sent("POST", "/v1/chat")[1].body["conversation_id"] == "conversation-1"


async def test_an_http_error_is_a_sentence_a_code_and_a_retry(chat: Page, api: MockApi) -> None:
    api.problems.append(Problem(429, "rate_limited", "slow down", retry_after=7))
    await ask(chat, "退货运费谁承担？")
    assert await shown(chat, ".error-text p") == "问得太快了，请 7 秒后再试。"
    assert await shown(chat, ".error-text code") == "rate_limited"
    await chat.click("[data-action=retry]")
    await expect(chat.locator(".turn")).to_have_attribute("data-state", "done")
    await expect(chat.locator(".error")).to_be_hidden()
    assert await chat.locator(".turn").count() == 1


async def test_a_turn_that_fails_half_way_keeps_its_text_and_says_why(chat: Page, api: MockApi) -> None:
    steps = answering(ANSWER)[:20]
    api.answer = lambda _: [*steps, Event("failed", {"code": "model_timeout", "message": "too slow"})]
    await ask(chat, "退货运费谁承担？")
    assert "退货运费由责任方承担" in await answer(chat).inner_text()
    assert await shown(chat, ".error-text p") == "大模型太久没有回应，请重试。"


async def test_an_unknown_code_shows_what_the_server_said(chat: Page, api: MockApi) -> None:
    api.problems.append(Problem(402, "budget_spent", "本月额度已用完。"))
    await ask(chat, "退货运费谁承担？")
    assert await shown(chat, ".error-text p") == "本月额度已用完。"


async def test_a_conversation_that_the_service_has_forgotten_begins_anew(chat: Page, api: MockApi) -> None:
    await ask(chat, "退货运费谁承担？")
    api.problems.append(Problem(404, "conversation_not_found"))
    await ask(chat, "退款多久到账？")
    await chat.click("[data-action=retry]")
    await expect(chat.locator(".turn:last-of-type")).to_have_attribute("data-state", "done")
    assert ["conversation_id" in one.body for one in api.sent("POST", "/v1/chat")] == [False, True, False]


async def test_a_code_of_a_known_family_is_explained_by_it(chat: Page, api: MockApi) -> None:
    api.problems.append(Problem(503, "embedder_busy", "English only."))
    await ask(chat, "退货运费谁承担？")
    assert await shown(chat, ".error-text p") == "服务暂时不可用，请稍后重试。"
    assert await shown(chat, ".error-text code") == "embedder_busy"


@pytest.mark.parametrize(("finish", "says"), [("length", "回答太长，在这里截断了"), ("stopped", "已停止回答")])
async def test_an_answer_that_ends_early_says_so(chat: Page, api: MockApi, finish: str, says: str) -> None:
    api.answer = lambda _: answering(ANSWER, finish=finish)
    await ask(chat, "退货运费谁承担？")
    assert await shown(chat, ".notice") == says


async def test_a_lost_connection_is_shown_as_interrupted_and_can_be_retried(chat: Page, api: MockApi) -> None:
    gate = Gate()
    api.answer = lambda _: [*answering(ANSWER)[:20], gate, Drop()]
    await ask(chat, "退货运费谁承担？", wait=False)
    await expect(answer(chat)).to_contain_text("退货运费由责任方承担")
    gate.opened.set()
    await ended(chat)
    assert await chat.get_attribute(".turn", "data-state") == "interrupted"
    assert await shown(chat, ".error-text p") == "连接中断，回答没有收完。"
    assert "退货运费由责任方承担" in await answer(chat).inner_text()
    api.answer = lambda _: answering(ANSWER)
    await chat.click("[data-action=retry]")
    await expect(chat.locator(".turn")).to_have_attribute("data-state", "done")


async def test_a_stream_with_numbered_events_goes_on_where_it_broke(chat: Page, api: MockApi) -> None:
    api.numbered = True
    gate = Gate()
    steps = answering(ANSWER)
    api.answer = lambda _: [*steps[:20], gate, Drop(), *steps[20:]]
    await ask(chat, "退货运费谁承担？", wait=False)
    await expect(answer(chat)).to_contain_text("退货运费由责任方承担")
    gate.opened.set()
    await ended(chat)
    assert await chat.get_attribute(".turn", "data-state") == "done"
    assert api.sent("GET", "/v1/turns/turn-1/events")[0].headers["last-event-id"] == "20"
    assert (await answer(chat).inner_text()).count("退货运费由责任方承担") == 1


async def test_a_reload_keeps_the_conversation(chat: Page, api: MockApi) -> None:
    await ask(chat, "退货运费谁承担？")
    await chat.click("[data-action=up]")
    await expect(chat.locator("[data-action=up]")).to_have_attribute("aria-pressed", "true")
    await chat.reload()
    await expect(chat.locator(".question")).to_have_text(re.compile("退货运费谁承担？"))
    await expect(answer(chat).locator(".chip")).to_have_count(5)
    await expect(chat.locator("[data-action=up]")).to_have_attribute("aria-pressed", "true")
    await answer(chat).locator(".chip").first.click()
    await expect(chat.locator(".passage")).to_contain_text("七天无理由退货")
    await ask(chat, "那退款多久到账？")
    assert api.sent("POST", "/v1/chat")[1].body["conversation_id"] == "conversation-1"
    await chat.click("[data-tool=new]")
    await expect(chat.locator(".turn")).to_have_count(0)
    await chat.reload()
    await expect(chat.locator(".empty h2")).to_be_visible()


@pytest.mark.parametrize("numbered", [True, False])
async def test_a_reload_in_the_middle_of_an_answer_loses_nothing(chat: Page, api: MockApi, numbered: bool) -> None:
    api.numbered = numbered
    api.answer = lambda _: paused(Gate(), after=20)
    await ask(chat, "退货运费谁承担？", wait=False)
    await expect(answer(chat)).to_contain_text("退货运费由责任方承担")
    await chat.reload()
    await ended(chat)
    assert await chat.get_attribute(".turn", "data-state") == ("done" if numbered else "interrupted")
    assert (await answer(chat).inner_text()).count("退货运费由责任方承担") == 1


async def test_a_refusal_is_kind_and_looks_different(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: refusing()
    await ask(chat, "企业团购有折扣吗？")
    assert await shown(chat, ".refusal-title") == "资料里没有找到答案"
    assert "不想凭猜测回答" in await answer(chat).inner_text()
    await expect(chat.locator(".source")).to_have_count(0)
    await expect(chat.locator(".suggestion")).to_have_count(2)
    plain, boxed = (
        "rgba(0, 0, 0, 0)",
        await chat.locator(".answer-text").evaluate("n => getComputedStyle(n).backgroundColor"),
    )
    assert boxed != plain


async def test_an_answer_without_a_model_says_so(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: answering(f"{QUOTE}[1]", notice="no_model", model="extractive")
    await ask(chat, "谁承担？")
    assert await shown(chat, ".notice") == "未配置大模型，以上为原文摘录"
    await answer(chat).locator(".chip").click()
    assert await chat.locator("mark").all_inner_texts() == [QUOTE.removesuffix("。")]


async def test_reasoning_is_folded_away_and_never_in_the_answer(chat: Page, api: MockApi) -> None:
    api.answer = lambda _: answering(ANSWER, reasoning="先看原因，<b>再</b>看线路。", curated=True, cached="exact")
    await ask(chat, "退货运费谁承担？")
    await expect(chat.locator(".reasoning-text")).to_be_hidden()
    await chat.click(".reasoning summary")
    assert await shown(chat, ".reasoning-text") == "先看原因，<b>再</b>看线路。"
    assert "先看原因" not in await answer(chat).inner_text()
    assert await shown(chat, ".badge") == "人工核对的回答"
    assert "来自缓存" in await shown(chat, ".meta")


async def test_a_key_is_asked_for_and_kept_for_this_tab(api: MockApi, new_page: NewPage) -> None:
    api.required_key = "sk-right"
    api.status["auth_required"] = True
    page = await new_page(api.url)
    await expect(page.locator(".keyform")).to_be_visible()
    await expect(page.locator(".composer")).to_be_hidden()
    await page.fill(".keyform input", "sk-wrong")
    await page.click(".keyform .primary")
    await ask(page, "退货运费谁承担？", wait=False)
    await expect(page.locator(".keyform .problem")).to_have_text("密钥不正确或已失效，请重新输入。")
    await page.fill(".keyform input", "sk-right")
    await page.press(".keyform input", "Enter")
    await expect(page.locator(".turn")).to_have_attribute("data-state", "done")
    assert api.sent("POST", "/v1/chat")[-1].headers["authorization"] == "Bearer sk-right"
    await page.reload()
    await expect(page.locator(".composer")).to_be_visible()
    assert await page.evaluate("JSON.stringify(localStorage)") == "{}"


async def test_a_choice_of_knowledge_bases_is_sent_with_the_question(api: MockApi, new_page: NewPage) -> None:
    api.status["knowledge_bases"] = [{"name": "售后", "documents": 8}, {"name": "商品", "documents": 20}]
    page = await new_page(api.url)
    await page.click(".picker")
    await page.get_by_text("商品", exact=True).click()
    await page.keyboard.press("Escape")
    await expect(page.locator(".picker-list")).to_be_hidden()
    await ask(page, "主图要求？")
    assert api.sent("POST", "/v1/chat")[0].body["kb"] == ["商品"]


async def test_a_question_over_2000_characters_is_not_sent(chat: Page, api: MockApi) -> None:
    await chat.fill(".composer textarea", "长" * 1801)
    await expect(chat.locator(".counter")).to_have_text("还可输入 199 字")
    await chat.fill(".composer textarea", "长" * 2001)
    await expect(chat.locator(".counter")).to_have_text("超出 1 字，请精简后再发送")
    await chat.press(".composer textarea", "Enter")
    await expect(chat.locator(".send")).to_be_disabled()
    assert api.sent("POST", "/v1/chat") == []


async def test_the_view_follows_only_a_reader_who_is_at_the_end(chat: Page, api: MockApi) -> None:
    middle, end = Gate(), Gate()
    text = "\n\n".join(f"第 {n} 段：退货运费由责任方承担，请先确认原因。" for n in range(60))
    steps = answering(text)
    third = len(steps) // 3
    api.answer = lambda _: [*steps[:third], middle, *steps[third : 2 * third], end, *steps[2 * third :]]
    distance = "(s => s.scrollHeight - s.scrollTop - s.clientHeight)(root.querySelector('.scroller'))"
    await ask(chat, "都有哪些？", wait=False)
    written = "".join(step.data["text"] for step in steps[:third] if isinstance(step, Event) and step.name == "token")
    await expect(answer(chat)).to_contain_text(written.strip().rsplit("\n\n", 1)[-1])  # as far as the gate
    await becomes(chat, f"{distance} < 2", True)
    await chat.hover(".scroller")
    await chat.mouse.wheel(0, -150)
    await becomes(chat, f"Math.round({distance})", 150)
    await expect(chat.locator(".latest")).to_be_visible()
    before = await in_widget(chat, "root.querySelector('.scroller').scrollTop")
    middle.opened.set()
    await expect(answer(chat)).to_contain_text("第 35 段")
    assert await in_widget(chat, "root.querySelector('.scroller').scrollTop") == before
    await chat.click(".latest")
    end.opened.set()
    await ended(chat)
    await expect(chat.locator(".latest")).to_be_hidden()
    await becomes(chat, f"{distance} < 2", True)


async def test_any_legal_framing_of_events_is_understood(chat: Page, api: MockApi) -> None:
    word = "运费".encode()
    api.answer = lambda _: [
        Raw(b'\xef\xbb\xbf: hello\r\n\r\nevent: started\r\ndata: {"turn_id": "t",\r'),
        Raw(b'\ndata: "conversation_id": "c"}\r\n\r\n: ping\n\nretry: 10\nevent: later\ndata: {}\n\n'),
        Raw(b'event:token\rdata:{"text": "' + word[:2]),
        Raw(word[2:] + b'"}\r\rid: 7\nevent: token\ndata: {"text":\ndata: "\xe5\x8d\x96\xe5\xae\xb6"}\n'),
        Raw(b'\nevent: done\ndata: {"answer": "", "turn_id": "t"}\n\nevent: token\ndata: {"text": "late"}\n\n'),
    ]
    await ask(chat, "谁承担？")
    assert await chat.get_attribute(".turn", "data-state") == "done"
    assert (await answer(chat).inner_text()).strip() == "运费卖家"


async def test_dark_and_light_can_be_chosen_and_last(chat: Page) -> None:
    background = "getComputedStyle(root.querySelector('.panel')).backgroundColor"
    light = await in_widget(chat, background)
    await chat.emulate_media(color_scheme="dark")
    await becomes(chat, f"{background} !== '{light}'", True)
    await chat.click("[data-tool=theme]")
    await becomes(chat, background, light)
    await chat.reload()
    await chat.wait_for_selector(".composer")
    await becomes(chat, background, light)


async def test_a_phone_shows_everything_without_scrolling_sideways(api: MockApi, new_page: NewPage) -> None:
    wide = (
        "| 线路 | 时效 | 首重 | 续重 | 偏远附加费 | 清关方式 | 可退 |\n|---|---|---|---|---|---|---|\n"
        "| 泰国曼谷专线普货 | 5–7 天 | 28 元 | 9 元 | 15 元起 | 双清包税 | 可退 |\n\n"
        f"https://example.com/{'a' * 120}\n\n```\n{'x' * 200}\n```\n\n{'w' * 90} [1]"
    )
    api.answer = lambda _: answering(wide)
    page = await new_page(api.url, phone=True)
    for width in (390, 320):
        await page.set_viewport_size({"width": width, "height": 700})
        await ask(page, "各线路报价？")
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await in_widget(page, "(s => s.scrollWidth - s.clientWidth)(root.querySelector('.scroller'))") == 0
        assert await in_widget(page, "(s => s.scrollWidth > s.clientWidth)(root.querySelector('.table-scroll'))")
        await page.locator(".turn:last-of-type .source").first.tap()
        sheet = "(b => [b.left, b.right, Math.round(b.bottom)])(root.querySelector('.pane').getBoundingClientRect())"
        await becomes(page, sheet, [0, width, 700])
        await page.locator(".scrim").tap(position={"x": 10, "y": 10})
        await expect(page.locator(".pane")).to_be_hidden()


async def test_the_finished_answer_is_announced_once_and_whole(chat: Page, api: MockApi) -> None:
    await in_widget(
        chat,
        "(window.said = [], new MutationObserver(() => said.push(root.querySelector('.sr[role=status]').textContent))"
        ".observe(root.querySelector('.sr[role=status]'), {childList: true, characterData: true, subtree: true}))",
    )
    gate = Gate()
    api.answer = lambda _: paused(gate)
    await ask(chat, "退货运费谁承担？", wait=False)
    await expect(answer(chat)).to_contain_text("退货运费由责任方承担")
    gate.opened.set()
    await ended(chat)
    await chat.wait_for_function("said.at(-1)?.startsWith('回答完毕。')")
    said = await chat.evaluate("said")
    assert "内封条已拆的，会收取 12% 的重新上架费" in said[-1]
    assert len([text for text in said if "内封条" in text]) == 1
    assert len(said) <= 6


async def test_the_answer_is_copied_without_its_citation_marks(chat: Page) -> None:
    await chat.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ask(chat, "退货运费谁承担？")
    await chat.click("[data-action=copy]")
    await chat.wait_for_function("navigator.clipboard.readText().then(t => t.includes('退货运费'))")
    copied = await chat.evaluate("navigator.clipboard.readText()")
    assert "退货运费由责任方承担：请先确认退货原因，再选择承担方。\n" in copied
    assert "质量问题、发错货\t卖家\t25 元/单\n" in copied
    assert "2. 仓库质检后，退款在 48 小时内原路退回；" in copied


async def test_the_page_asks_for_all_its_modules_at_once(api: MockApi, new_page: NewPage) -> None:
    page = await new_page(api.url)
    await page.wait_for_selector(".starter")
    preloaded = await page.evaluate(
        "[...document.querySelectorAll('[rel=modulepreload]')].map(l => new URL(l.href).pathname)"
    )
    loaded = {one.path for one in api.requests if one.path.endswith(".js")}
    assert sorted(preloaded) == sorted(loaded - {"/widget/element.js"})
    assert len([one for one in api.requests if one.path.endswith(".js")]) == len(loaded)
