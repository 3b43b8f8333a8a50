"""The sandbox's page in a real browser: a whole bot behind it, with a scripted model and quick pictures."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from app.jobs.models import Job
from knowledge.models import DEFAULT_TENANT
from tests.bots.house import House
from tests.browser.acts import overflow
from tests.browser.conftest import NewPage, Open
from tests.browser.sandbox_stage import ANSWER, Stage
from tests.studio_kinds import photo

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

QUESTION = "国内站签收后几天可以退货？"
MUG = {"name": "mug.jpg", "mimeType": "image/jpeg", "buffer": photo()}
HOSTILE = "<img src=x onerror=\"document.title='taken'\">**粗**"
SHOP, OPERATORS = "店铺客服群", "运营群"

Serve = Callable[..., Awaitable[Stage]]


@pytest_asyncio.fixture(loop_scope="session")
async def serve(tmp_path: Path) -> AsyncGenerator[Serve]:
    """Starts sandboxes, each with a folder of its own, and stops them."""
    stages: list[Stage] = []

    async def start(**doubles: object) -> Stage:
        stages.append(Stage(tmp_path / f"data{len(stages)}", **doubles))  # type: ignore[arg-type]
        return await asyncio.to_thread(stages[-1].start)

    yield start
    for stage in stages:
        await asyncio.to_thread(stage.close)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(serve: Serve) -> Stage:
    return await serve()


@pytest_asyncio.fixture(loop_scope="session")
async def page(stage: Stage, open_console: Open) -> Page:
    """The page on a desktop, in Chinese, when it shows the shop's group."""
    opened = await open_console(stage.url)
    await expect(opened.locator(".thread-head h1")).to_have_text(SHOP)
    return opened


async def say(page: Page, text: str) -> None:
    await page.fill(".composer textarea", text)
    await page.press(".composer textarea", "Enter")


async def ask(page: Page, text: str = QUESTION) -> Locator:
    """→ the card, when it has ended and has its buttons."""
    await say(page, text)
    card = page.locator(".card").last
    await expect(card.locator("[data-action=helpful]")).to_be_visible(timeout=15_000)
    return card


async def enter(page: Page, title: str) -> None:
    await page.click(f".conversation[data-title='{title}']")
    await expect(page.locator(".thread-head h1")).to_have_text(title)


async def speak_as(page: Page, user: str) -> None:
    await page.click(f".speaker[data-user={user}]")
    await expect(page.locator(f".speaker[data-user={user}]")).to_have_attribute("aria-checked", "true")


async def throw(page: Page, trouble: str) -> None:
    await page.locator(f".switch:has([data-trouble={trouble}])").click()


def jobs_of(stage: Stage) -> list[Job]:
    async def listed(house: House) -> list[Job]:
        return (await house.services.jobs.ledger.page(DEFAULT_TENANT))[0]

    return [job for job in stage.do(listed) if job.kind == "white_background"]


# --- answers ---


async def test_an_answer_grows_on_its_card_and_ends_with_sources_and_thanks(stage: Stage, page: Page) -> None:
    stage.model.pause = 0.06
    await say(page, QUESTION)
    await expect(page.locator(".mine .bubble")).to_contain_text(f"@商家助手 {QUESTION}")
    card = page.locator(".card")
    await expect(card).to_have_attribute("data-state", "INPUTING", timeout=15_000)
    await expect(card.locator(".md.streaming")).to_contain_text("可以。")
    await expect(card).to_have_attribute("data-state", "FINISHED", timeout=15_000)
    await expect(card.locator("[data-variable=content] li")).to_have_count(3)
    await expect(card.locator("[data-variable=sources]")).to_contain_text("退换货规则.md")
    (state,) = stage.cards()
    assert state.content == ANSWER
    assert len(state.frames) > 2
    await card.get_by_role("button", name="有帮助").click()
    await expect(card).to_contain_text("谢谢，很高兴帮到您")
    await expect(card.locator(".card-clicks li")).to_have_text([_re("张三 点了“有帮助”，\\d+ 毫秒应答")])
    await expect(card.get_by_role("button", name="没帮助")).to_have_count(0)


async def test_stop_ends_an_answer_half_way(stage: Stage, page: Page) -> None:
    stage.model.pause = 0.4
    await say(page, QUESTION)
    card = page.locator(".card")
    await expect(card.locator(".md.streaming")).to_contain_text("可以", timeout=15_000)
    await card.get_by_role("button", name="停止").click()
    await expect(card).to_have_attribute("data-state", "FINISHED")
    await expect(card).to_contain_text("停止")
    assert len(stage.cards()[0].content) < len(ANSWER) / 2


async def test_what_did_not_help_is_said_with_a_reason(page: Page) -> None:
    card = await ask(page)
    await card.get_by_role("button", name="没帮助").click()
    await expect(card.locator("[data-action=reason]")).to_have_count(5)
    await card.get_by_role("button", name="信息过时").click()
    await expect(card).to_contain_text("已记下：信息过时")
    await expect(card.locator("[data-action=reason]")).to_have_count(0)


async def test_a_question_goes_to_people_and_their_reply_comes_back(stage: Stage, page: Page) -> None:
    card = await ask(page)
    await card.get_by_role("button", name="问人工").click()
    await expect(card).to_contain_text("已转给同事（编号 1）")
    await expect(page.locator(f".conversation[data-title='{OPERATORS}'] .badge")).to_have_text("1", timeout=15_000)
    await enter(page, OPERATORS)
    await expect(page.locator(f".conversation[data-title='{OPERATORS}'] .badge")).to_have_count(0)
    announced = page.locator(".robot .bubble")
    await expect(announced).to_contain_text(QUESTION)
    await announced.hover()
    await page.get_by_role("button", name="引用回复").click()
    await expect(page.locator(".replying")).to_contain_text("转人工 1")
    await say(page, "14 天，会员店 30 天。")
    await expect(page.locator(".mine .quote")).to_contain_text("转人工")
    await expect(page.locator(".robot .bubble").last).to_contain_text("编号 1 的答复已转给提问的人")
    await enter(page, SHOP)
    told = page.locator(".robot .bubble").last
    await expect(told).to_contain_text("14 天，会员店 30 天。", timeout=15_000)
    await expect(told.locator(".mention")).to_have_text("@张三")


# --- pictures ---


async def test_a_picture_becomes_a_job_that_only_those_who_may_approve_and_once(stage: Stage, page: Page) -> None:
    stage.cutout.gate.clear()
    await page.set_input_files("input[accept='image/*']", MUG)  # type: ignore[arg-type]
    await expect(page.locator(".thumbnail img")).to_be_visible()
    await page.get_by_role("button", name="做一张白底图").click()
    await expect(page.locator(".mine .picture img")).to_be_visible()
    job = page.locator(".card", has=page.locator("[data-action=cancel_job]"))
    await expect(job).to_contain_text("%", timeout=15_000)
    stage.cutout.gate.set()
    job = page.locator(".card", has=page.locator("[data-action=approve]"))
    picture = job.locator("[data-variable=pictures] img")
    await expect(picture).to_be_visible(timeout=15_000)
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1000

    await speak_as(page, "u2")
    await job.get_by_role("button", name="通过").click()
    await expect(job.locator(".card-clicks li")).to_have_text([_re("李四 点了“通过”，\\d+ 毫秒应答，卡片不变")])
    assert jobs_of(stage)[0].review != "approved"

    await throw(page, "double_click")
    await speak_as(page, "op1")
    await job.get_by_role("button", name="通过").click()
    done = page.locator(".card", has_text="已通过 · 王运营")
    await expect(done.locator(".card-clicks li")).to_have_count(3)
    await expect(done.get_by_role("button", name="通过")).to_have_count(0)
    (made,) = jobs_of(stage)
    assert (made.review, (made.reviewed_by or "").partition(" ")[0]) == ("approved", "王运营")


async def test_a_sample_photograph_is_sent_with_one_press(stage: Stage, page: Page) -> None:
    await page.get_by_role("button", name="发一张样例商品图").click()
    await expect(page.locator(".mine .picture img")).to_be_visible()
    await expect(page.locator(".card", has_text="白底图").first).to_be_visible(timeout=15_000)
    await page.locator(".mine .picture").click()
    await expect(page.locator(".lightbox img")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".lightbox")).to_have_count(0)


# --- what DingTalk sees, and what goes wrong ---


async def test_without_cards_the_answer_is_a_message_and_the_panel_shows_why(stage: Stage, page: Page) -> None:
    await throw(page, "card_refused")
    await expect(page.locator(".troubles .count")).to_have_text("1 项打开")
    await say(page, QUESTION)
    await expect(page.locator(".robot .bubble")).to_contain_text("7 个自然日", timeout=15_000)
    await expect(page.locator(".robot .meta")).to_have_text("经会话 Webhook")
    await page.locator(".last summary").click()
    await expect(page.locator(".calls li.bad").first).to_contain_text("故障")
    await page.get_by_role("button", name="按规则检查一遍").click()
    await expect(page.locator(".rules .fine")).to_contain_text("全部通过")
    await page.get_by_role("button", name="全部恢复").click()
    await expect(page.locator(".troubles .count")).to_have_count(0)
    await ask(page, "退货后多久退款？")


async def test_a_bot_without_a_line_is_shown_and_comes_back(stage: Stage, page: Page) -> None:
    line = page.locator(".bar .line")
    await expect(line).to_have_text("机器人在线")
    await throw(page, "offline")
    await expect(line).to_have_text("机器人不在线")
    await say(page, QUESTION)
    await expect(page.locator(".notice")).to_contain_text("钉钉不会为它留着")
    await throw(page, "offline")
    await expect(line).to_have_text("机器人在线", timeout=30_000)
    await page.get_by_role("button", name="杀掉机器人进程").click()
    await expect(page.locator(".notice").last).to_contain_text("自动重启")
    assert stage.bots.killed == 1


async def test_a_month_that_ends_is_seen_and_the_clock_goes_on(stage: Stage, page: Page) -> None:
    calls = page.locator("[data-quota='sees.calls'] .quota-count")
    await ask(page)
    await expect(calls).to_have_text(_re("^\\d+ / 5,000$"))
    await throw(page, "month_ends")
    await expect(calls).to_have_text(_re("^\\d+ / \\d{1,2}$"))
    await page.get_by_role("button", name="+31 天").click()
    await expect(page.locator(".clock p")).to_contain_text("快 31 天")
    await expect(calls).to_have_text(_re("^0 / "))


# --- the page itself ---


async def test_voice_and_files_are_for_private_chats(stage: Stage, page: Page) -> None:
    await expect(page.locator("[data-tool=mic]")).to_be_disabled()
    await enter(page, "王运营")
    await page.locator("[data-tool=mic]").click()
    await say(page, QUESTION)
    await expect(page.locator(".mine .voice")).to_contain_text(QUESTION)
    await expect(page.locator(".card [data-action=helpful]")).to_be_visible(timeout=15_000)
    note = {"name": "运费.md", "mimeType": "text/markdown", "buffer": "# 运费\n\n满 99 元包邮。".encode()}
    await page.set_input_files("[data-file]", note)  # type: ignore[arg-type]
    await expect(page.locator(".mine .file")).to_contain_text("运费.md")
    await expect(page.locator(".robot .bubble").last).to_contain_text("/入库")


async def test_it_can_be_used_with_the_keyboard(page: Page) -> None:
    await expect(page.locator(".composer textarea")).to_be_focused()
    await page.keyboard.type("/帮助")
    await page.keyboard.press("Shift+Enter")
    await expect(page.locator(".mine")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.locator(".robot .bubble")).to_contain_text("直接提问")
    await page.locator(".speaker[data-user=u1]").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(".speaker[data-user=u2]")).to_be_focused()
    await expect(page.locator(".mine")).to_have_count(0)
    await page.locator(".reply").first.focus()
    await page.keyboard.press("Enter")
    await page.locator(".composer textarea").focus()
    await page.keyboard.press("Escape")
    await expect(page.locator(".replying")).to_be_hidden()


async def test_what_is_typed_before_the_page_knows_anything_stays(stage: Stage, new_page: NewPage) -> None:
    page = await new_page("about:blank")
    await page.route("**/api/events", lambda route: route.abort())
    await page.goto(stage.url)
    await say(page, QUESTION)
    assert await page.input_value(".composer textarea") == QUESTION
    await page.unroute("**/api/events")
    await expect(page.locator(".thread-head h1")).to_have_text(SHOP, timeout=15_000)
    await page.press(".composer textarea", "Enter")
    await expect(page.locator(".card [data-action=helpful]")).to_be_visible(timeout=15_000)


async def test_nothing_that_is_said_becomes_part_of_the_page(stage: Stage, page: Page) -> None:
    await ask(page, HOSTILE)
    await expect(page.locator(".mine .words")).to_contain_text("<img src=x")
    stage.do(lambda house: _said(stage, HOSTILE))
    await expect(page.locator(".robot .md strong").last).to_have_text("粗")
    await expect(page.locator(".robot .bubble").last).to_contain_text("<img src=x")
    assert await page.title() == "钉钉沙盒"


async def test_it_speaks_english_and_turns_dark(stage: Stage, new_page: NewPage) -> None:
    page = await new_page(stage.url, locale="en-US")
    await expect(page.locator(".bar .line")).to_have_text("bot online")
    await expect(page.locator(".troubles h2")).to_have_text("Things go wrong")
    await page.get_by_role("button", name="Appearance").click()
    await page.get_by_role("button", name="Appearance").click()
    assert await page.evaluate("getComputedStyle(document.body).colorScheme || document.documentElement.dataset.theme")
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.get_by_role("button", name="切换到中文").click()
    await expect(page.locator(".troubles h2")).to_have_text("出点状况")
    await page.reload()
    await expect(page.locator(".troubles h2")).to_have_text("出点状况")


async def test_a_phone_has_tabs_and_nothing_to_scroll_sideways(stage: Stage, new_page: NewPage) -> None:
    page = await new_page(stage.url, phone=True)
    await expect(page.locator(".thread-head h1")).to_have_text(SHOP)
    await ask(page)
    assert await overflow(page) == 0
    for tab, part in (("conversations", ".conversations"), ("dingtalk", ".panel"), ("chat", ".card")):
        await page.click(f"[data-tab={tab}]:is(button)")
        await expect(page.locator(part).first).to_be_visible()
        assert await overflow(page) == 0
    await page.click("[data-tab=conversations]:is(button)")
    await page.click(f".conversation[data-title='{OPERATORS}']")
    await expect(page.locator(".empty")).to_be_visible()


async def test_other_sites_and_names_are_turned_away(stage: Stage) -> None:
    async with httpx.AsyncClient(base_url=stage.url) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/", headers={"Host": "evil.example"})).status_code == 403
        refused = await http.post("/api/reset", headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403
        assert (await http.post("/api/say", json={"conversation": "none", "user": "u1"})).status_code == 404
        assert (await http.post("/api/click", content=b"{")).status_code == 400
        assert (await http.get("/media/none")).status_code == 404


async def _said(stage: Stage, text: str) -> None:
    place = next(one for one in stage.gateway.people.conversations.values() if one.title == SHOP)
    stage.gateway.chat.say(place, "api", "markdown", text)


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
