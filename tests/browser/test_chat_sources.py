"""A source in its section on the chat page: the hit, what stands around it, and where else it stands."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.acts import answer, ask
from tests.browser.mock_api import MockApi
from tests.browser.stories import PASSAGES, answering

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

BEFORE, AFTER = "退货前请先联系客服。\n", "\n逾期未寄回的，申请会自动关闭。"
COPY = {**PASSAGES[1], "document": "handbook/售后.pdf", "heading": "退货", "sheet": None, "row": None, "page": 3}
WIDE = {**PASSAGES[0], "before": BEFORE, "after": AFTER, "also_in": [COPY]}


async def test_a_source_shows_its_section_with_the_hit_in_it_and_where_else_it_stands(chat: Page, api: MockApi) -> None:
    said = "因质量问题退货的，退回运费由卖家承担，每单补偿上限为 25 元。[1] 逾期未寄回的，申请会自动关闭。[1]"
    api.answer = lambda _: answering(said, passages=[WIDE])
    await ask(chat, "退货运费谁承担？")
    await expect(chat.locator(".source-place")).to_have_text("退货政策 > 七天无理由 > 运费 · 另有 1 处相同")
    await answer(chat).locator(".chip").last.click()
    assert await chat.locator(".passage").inner_text() == BEFORE + PASSAGES[0]["text"] + AFTER
    assert await chat.locator(".passage .hit").inner_text() == PASSAGES[0]["text"]
    assert await chat.locator(".passage .around mark").all_inner_texts() == ["逾期未寄回的，申请会自动关闭"]
    await expect(chat.locator(".also-in li")).to_have_text("handbook/售后.pdf · 退货 · 第 3 页")
