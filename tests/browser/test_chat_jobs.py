"""Jobs in the chat: followed, cancelled, shown where they were asked for."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.browser.acts import ask, in_widget
from tests.browser.chat_jobs import MUG, PREVIEW, attach, card, failed, progress, run, state, succeeded
from tests.browser.conftest import NewPage
from tests.browser.mock_api import Drop, Event, Gate, MockApi, Problem, done, ended_job
from tests.browser.studio_service import Studio
from tests.studio_kinds import photo

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STRICT = "default-src 'none'; script-src {api}; connect-src {api}; img-src {api}; require-trusted-types-for 'script'"


async def test_a_job_is_followed_from_the_queue_to_its_picture(chat: Page, api: MockApi) -> None:
    first, second = Gate(), Gate()
    run(
        api,
        state("queued"),
        first,
        state("running"),
        progress(40, "cutting", image=PREVIEW),
        second,
        progress(90, "composing"),
        succeeded(api, "j1", image="picture-1"),
    )
    await attach(chat)
    await ask(chat, "/图 白底")
    await expect(card(chat)).to_contain_text("白底图")
    await expect(card(chat).locator(".job-stage")).to_contain_text("排队中")
    await expect(chat.locator(".turn")).to_have_attribute("data-state", "done")
    first.opened.set()
    await expect(card(chat).locator(".job-preview canvas")).to_be_visible()
    await expect(card(chat).locator(".job-stage")).to_contain_text("抠图")
    await expect(card(chat).locator("progress")).to_have_attribute("value", "40")
    second.opened.set()
    await expect(card(chat).locator(".job-state")).to_have_text("已完成")
    after = card(chat).locator(".after")
    assert await after.evaluate("image => image.decode().then(() => image.naturalWidth)") == 300
    await expect(card(chat).locator(".before")).to_have_attribute(
        "src", f"{api.url}/v1/artifacts/picture-1?signature=good"
    )
    await expect(card(chat).get_by_role("link", name="下载")).to_have_attribute(
        "href", f"{api.url}/v1/artifacts/made?expires=1&signature=good&download=true"
    )
    await expect(card(chat).locator(".job-preview")).to_be_hidden()
    await expect(chat.locator(".sr[role=status]")).to_contain_text("白底图: 已完成")


async def test_before_and_after_are_compared_by_keyboard(chat: Page, api: MockApi) -> None:
    run(api, succeeded(api, "j1", image="picture-1"))
    await attach(chat)
    await ask(chat, "/图 白底")
    slider = card(chat).get_by_role("slider")
    await slider.focus()
    for _ in range(25):
        await chat.keyboard.press("ArrowRight")
    await expect(slider).to_have_value("25")
    await expect(card(chat).locator(".before")).to_have_css("clip-path", "inset(0px 75% 0px 0px)")


async def test_a_reload_brings_jobs_back_and_goes_on_following_them(chat: Page, api: MockApi) -> None:
    gate = Gate()
    run(api, state("running"), progress(30, "cutting", image=PREVIEW), gate, succeeded(api, "j1"))
    await ask(chat, "/图 白底")
    await expect(card(chat).locator(".job-preview canvas")).to_be_visible()
    await chat.reload()
    await expect(card(chat).locator(".job-preview canvas")).to_be_visible()
    await expect(card(chat).locator(".job-stage")).to_contain_text("30%")
    gate.opened.set()
    await expect(card(chat).locator(".after")).to_be_visible()
    await chat.reload()
    await expect(card(chat).locator(".after")).to_be_visible()


async def test_a_lost_connection_to_a_job_is_picked_up_where_it_broke(chat: Page, api: MockApi) -> None:
    gate = Gate()
    run(api, state("running"), progress(30, "cutting"), gate, Drop(), progress(60, "composing"), succeeded(api, "j1"))
    await ask(chat, "/图 白底")
    await expect(card(chat).locator(".job-stage")).to_contain_text("30%")
    gate.opened.set()
    await expect(card(chat).locator(".after")).to_be_visible()
    asked = [one.headers.get("last-event-id") for one in api.sent("GET", "/v1/jobs/j1/events")]
    assert asked[:2] == [None, "2-0"]


async def test_a_job_is_cancelled_from_its_card(chat: Page, api: MockApi) -> None:
    run(api, state("running"), progress(20, "cutting"), Gate())
    await ask(chat, "/图 白底")
    await card(chat).get_by_role("button", name="取消").click()
    await expect(card(chat).locator(".job-state")).to_have_text("已取消")
    await expect(card(chat)).to_contain_text("任务已取消。")
    assert len(api.sent("POST", "/v1/jobs/j1/cancel")) == 1


async def test_who_may_not_cancel_is_told_so(chat: Page, api: MockApi) -> None:
    gate = Gate()
    run(api, state("running"), progress(20, "cutting"), gate, succeeded(api, "j1"))
    await ask(chat, "/图 白底")
    api.problems.append(Problem(403, "scope_missing", at="/cancel"))
    await card(chat).get_by_role("button", name="取消").click()
    await expect(chat.locator(".toast")).to_have_text("当前密钥没有做这件事的权限。")
    await expect(card(chat).get_by_role("button", name="取消")).to_be_enabled()
    gate.opened.set()
    await expect(card(chat).locator(".after")).to_be_visible()


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (failed("j1", "image_blurred", "The product is blurred.", found="9", limit="25"), "清晰度 9，至少 25"),
        (failed("j1", "of_tomorrow", "Something new went wrong."), "Something new went wrong."),
        (failed("j1", "model_new_reason", ""), "大模型暂时不可用"),
    ],
)
async def test_a_failed_job_says_why_in_the_readers_language(chat: Page, api: MockApi, end: Event, says: str) -> None:
    run(api, state("running"), end)
    await ask(chat, "/图 白底")
    await expect(card(chat).locator(".job-reason")).to_contain_text(says)
    await expect(card(chat).locator(".job-state")).to_have_text("失败")


async def test_a_job_that_waits_or_is_put_off_says_what_for(chat: Page, api: MockApi) -> None:
    gate = Gate()
    run(api, state("waiting"), gate, state("queued", reason="model_rate_limited"), Gate())
    await ask(chat, "/图 白底")
    await expect(card(chat)).to_contain_text("有人批准后才会开始")
    gate.opened.set()
    await expect(card(chat).locator(".job-stage")).to_contain_text("大模型正忙")


async def test_a_text_job_shows_its_texts_to_be_copied(chat: Page, api: MockApi) -> None:
    flag = {"rule": "banned_word", "start": 0, "end": 4}
    variants = [{"text": "304不锈钢保温杯", "flags": []}, {"text": "全网第一保温杯", "flags": [flag]}]
    end = ended_job("j1", "succeeded", kind="titles", queue="text", result={"variants": variants})
    run(api, progress(50, "writing", text="304不锈钢"), Event("done", {"job": end}))
    await ask(chat, "写两个标题")
    await expect(card(chat).locator(".job-words")).to_have_text(["304不锈钢保温杯", "全网第一保温杯"])
    await expect(card(chat).locator(".job-doubts")).to_have_text(["1 处疑点，请在控制台核对"])
    await chat.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await card(chat).get_by_role("button", name="复制").first.click()
    await chat.wait_for_function("navigator.clipboard.readText().then((text) => text === '304不锈钢保温杯')")


async def test_many_jobs_at_once_leave_room_for_the_next_question(chat: Page, api: MockApi) -> None:
    gates = [Gate() for _ in range(6)]
    for number, gate in enumerate(gates):
        run(api, state("running"), gate, succeeded(api, f"j{number}"), job_id=f"j{number}")
    await ask(chat, "做六张图")
    await expect(card(chat)).to_have_count(6)
    api.answer = lambda _: [Event("started", {}), Event("token", {"text": "在做。"}), Event("done", done("在做。"))]
    await ask(chat, "好了吗？")
    await expect(chat.locator(".turn:last-of-type .md")).to_have_text("在做。")
    for gate in gates:
        gate.opened.set()
    await expect(chat.locator(".job .after")).to_have_count(6)


async def test_jobs_that_wait_for_approval_do_not_keep_others_from_being_followed(chat: Page, api: MockApi) -> None:
    for number in range(3):
        run(api, state("waiting"), Gate(), job_id=f"j{number}")
    run(api, succeeded(api, "j3"), job_id="j3")
    await ask(chat, "做四张图")
    await expect(card(chat).locator(".after")).to_be_visible()
    await expect(card(chat).locator(".job-state", has_text="待批准")).to_have_count(3)


async def test_pictures_and_jobs_need_nothing_that_a_strict_policy_forbids(api: MockApi, new_page: NewPage) -> None:
    shop = MockApi(answer=lambda _: []).start()
    script = f'<script src="{api.url}/widget.js" data-mode="page" data-lang="zh" async></script>'
    policy = {"Content-Security-Policy": STRICT.format(api=api.url)}
    shop.pages["/"] = (f"<!doctype html><body>{script}</body>", policy)
    gate = Gate()
    run(api, progress(30, "cutting", image=PREVIEW), gate, succeeded(api, "j1", image="picture-1"))
    page = await new_page(shop.url)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    await page.wait_for_selector(".composer")
    await attach(page)
    await expect(page.locator(".tray-item[data-state=ready] canvas")).to_be_visible()
    await ask(page, "/图 白底")
    await expect(card(page).locator(".job-preview canvas")).to_be_visible()
    gate.opened.set()
    await expect(card(page).locator(".after")).to_be_visible()
    await card(page).get_by_role("slider").fill("40")
    await expect(card(page)).to_contain_text("白底图")
    assert complaints == []
    shop.close()


@pytest.mark.parametrize("phone", [False, True])
async def test_job_cards_and_trays_fit_a_narrow_page(api: MockApi, new_page: NewPage, phone: bool) -> None:
    variants = [{"text": "长" * 200 + "A" * 90, "flags": []}]
    end = ended_job("j1", "succeeded", kind="titles", queue="text", result={"variants": variants})
    run(api, Event("done", {"job": end}))
    run(api, succeeded(api, "j2"), job_id="j2")
    page = await new_page(api.url, phone=phone)
    await page.wait_for_selector(".composer")
    await attach(page, MUG, MUG, MUG, MUG, name="超长的文件名" * 12)
    await page.fill(".composer textarea", "/")
    await expect(page.locator(".commands")).to_be_visible()
    assert (
        await in_widget(page, "root.querySelector('.panel').scrollWidth - root.querySelector('.panel').clientWidth")
        == 0
    )
    await ask(page, "/图 白底")
    await expect(card(page).locator(".after")).to_be_visible()
    assert (
        await in_widget(page, "root.querySelector('.column').scrollWidth - root.querySelector('.column').clientWidth")
        <= 0
    )


# --- the real service ---


@pytest_asyncio.fixture(loop_scope="session")
async def studio(tmp_path: Path) -> AsyncGenerator[Studio]:
    server = Studio(tmp_path / "data", {}).start()
    yield server
    await asyncio.to_thread(server.close)


async def test_with_the_real_service_a_picture_becomes_a_result_in_the_conversation(
    studio: Studio, new_page: NewPage
) -> None:
    studio.cutout.gate.clear()
    page = await new_page(studio.url)
    await page.wait_for_selector(".composer")
    await attach(page, photo())
    await expect(page.locator(".tray-item[data-state=ready]")).to_be_visible()
    await ask(page, "/图 白底")
    await expect(card(page).locator(".job-preview canvas")).to_be_visible()
    studio.cutout.gate.set()
    await expect(card(page).locator(".after")).to_be_visible()
    size = "image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
    assert await card(page).locator(".after").evaluate(size) == [1000, 1000]
    assert await card(page).locator(".before").evaluate(size) == [1200, 900]

    async def listed(services: Services) -> Sequence[Any]:
        return (await services.jobs.ledger.page(DEFAULT_TENANT))[0]

    (job,) = studio.do(listed)  # type: ignore[misc]
    assert job.conversation_id
    await page.reload()
    await expect(card(page).locator(".after")).to_be_visible()
    async with page.expect_download() as saved:
        await card(page).get_by_role("link", name="下载").click()
    assert (await saved.value).suggested_filename == "白底图.png"
