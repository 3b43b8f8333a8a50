"""Pictures and jobs in the chat: attached, followed, shown where they were asked for; commands by keyboard."""

import asyncio
import base64
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.browser.acts import ask, becomes, in_widget
from tests.browser.conftest import NewPage
from tests.browser.mock_api import Drop, Event, Gate, Job, MockApi, Problem, Step, done, ended_job
from tests.browser.studio_service import Studio
from tests.studio_kinds import photo

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MUG = photo((240, 180))
PREVIEW = f"data:image/jpeg;base64,{base64.b64encode(photo((60, 45))).decode()}"
STRICT = "default-src 'none'; script-src {api}; connect-src {api}; img-src {api}; require-trusted-types-for 'script'"


async def attach(page: Page, *pictures: bytes, name: str = "杯子.jpg") -> None:
    files = [{"name": name, "mimeType": "image/jpeg", "buffer": data} for data in pictures or (MUG,)]
    await page.set_input_files(".attach input", files)  # type: ignore[arg-type]


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


def starting(*ids: str, kind: str = "white_background") -> list[Step]:
    """A turn that starts jobs and says so."""
    jobs = [Event("job", {"id": job_id, "kind": kind, "state": "queued"}) for job_id in ids]
    return [Event("started", {}), *jobs, Event("token", {"text": "已开始。"}), Event("done", done("已开始。"))]


def progress(percent: int, stage: str, **preview: str) -> Event:
    return Event("progress", {"percent": percent, "stage": stage, **({"preview": preview} if preview else {})})


def state(name: str, **more: str) -> Event:
    return Event("state", {"id": "j1", "kind": "white_background", "state": name, "percent": 0, **more})


def succeeded(api: MockApi, job_id: str, *, image: str | None = None, **more: Any) -> Event:
    """The end of a job that made a picture."""
    api.pictures["made"] = photo((300, 300), ground="#ffffff")
    link = "/v1/artifacts/made?expires=1&signature=good"
    about = {"width": 300, "height": 300}
    file = {"id": "made", "name": "白底图.png", "media_type": "image/png", "link": link, "about": about}
    request = {"image": image} if image else {}
    return Event("done", {"job": ended_job(job_id, "succeeded", artifacts=[file], request=request) | more})


def failed(job_id: str, code: str, message: str, **params: str) -> Event:
    error = {"code": code, "message": message, "params": params}
    return Event("done", {"job": ended_job(job_id, "failed", error=error)})


def run(api: MockApi, *steps: Step, job_id: str = "j1") -> None:
    """What happens to a job, and that the next answer starts it."""
    api.jobs[job_id] = Job(job_id, steps)
    api.answer = lambda _: starting(*api.jobs)


def card(page: Page) -> Locator:
    return page.locator(".turn:last-of-type .job")


# --- attaching ---


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


# --- jobs ---


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
