"""The studio in a real browser, against the real service: real SQL, files and events; quick work behind gates."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Error, Locator, Page, Route, expect

from app.jobs.models import Job, Limits
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.browser.acts import overflow
from tests.browser.conftest import NewPage, Open
from tests.browser.studio_service import Studio
from tests.studio_kinds import TitlesHandler, photo

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Serve = Callable[..., Studio]
MUG = {"name": "mug.jpg", "mimeType": "image/jpeg", "buffer": photo()}
BLURRED = {"name": "blurred.jpg", "mimeType": "image/jpeg", "buffer": photo(blurred=True)}


@pytest_asyncio.fixture(loop_scope="session")
async def serve(tmp_path: Path) -> AsyncGenerator[Serve]:
    """Starts services with the studio's quick jobs, each in a folder of its own, and stops them."""
    servers: list[Studio] = []

    def start(*, titles: TitlesHandler | None = None, **overrides: object) -> Studio:
        more = {"titles": titles} if titles else {}
        servers.append(Studio(tmp_path / f"data{len(servers)}", overrides, **more).start())  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        await asyncio.to_thread(server.close)


@pytest.fixture
def studio(serve: Serve) -> Studio:
    return serve()


def jobs_of(studio: Studio) -> list[Job]:
    async def listed(services: Services) -> list[Job]:
        return (await services.jobs.ledger.page(DEFAULT_TENANT))[0]

    return studio.do(listed)  # type: ignore[return-value]


async def choose(page: Page, picture: dict[str, object] = MUG) -> None:
    """A picture for the form, by its file input; returns when the service has it."""
    await page.set_input_files("[data-picture-file]", picture)  # type: ignore[arg-type]
    await expect(page.locator(".picture-shown")).to_be_visible()


async def make(page: Page) -> Locator:
    """Press the button → the job's panel."""
    await page.click("#run")
    job = page.locator("#job")
    await expect(job).to_be_visible()
    return job


async def test_from_a_picture_to_an_approved_result(studio: Studio, open_console: Open) -> None:
    studio.cutout.gate.clear()
    page = await open_console(f"{studio.url}/console")
    await page.get_by_role("link", name="创作台").click()
    await expect(page.locator("#estimate")).to_contain_text("还需要：图片")
    await choose(page)
    await expect(page.locator("#estimate")).to_contain_text("¥0.05")
    await expect(page.locator("#estimate")).to_contain_text("约 1–4 秒")
    job = await make(page)
    await expect(job.locator(".preview img")).to_be_visible()
    await expect(job.locator("[data-stage]")).to_have_text("读取图片")
    await expect(page).to_have_url(re.compile("job="))
    await page.reload()
    await expect(page.locator("#job .preview img")).to_be_visible()
    await expect(page.locator("#job [data-percent]")).to_have_text("0%")
    studio.cutout.gate.set()
    await expect(job.locator(".result .after")).to_be_visible()
    assert await job.locator(".after").evaluate("image => image.decode().then(() => image.naturalWidth)") == 1000
    await expect(job.locator(".chip")).to_have_text("待审")
    await job.get_by_role("button", name="通过").click()
    await expect(job.locator(".chip")).to_have_text("已通过")
    (made,) = jobs_of(studio)
    assert (made.review, made.reviewed_by) == ("approved", "local")


async def test_the_price_follows_what_is_filled_in(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio?kind=titles")
    await expect(page.locator("#estimate")).to_contain_text("还需要：商品名称")
    await page.fill("[name='product.name']", "保温杯")
    await expect(page.locator("#estimate .note.bad")).to_contain_text("“商品”填得不对")
    await page.fill("[name='product.facts']", "材质：304不锈钢")
    await expect(page.locator("#estimate")).to_contain_text("¥0.00")
    studio.do(lambda services: services.jobs.ledger.set_limits(DEFAULT_TENANT, Limits(approval_over=0.0001)))
    await page.fill("[name=count]", "5")
    await expect(page.locator("#estimate .note.warn")).to_contain_text("先批准才会运行")


async def test_a_job_over_the_limit_is_approved_where_it_waits(studio: Studio, open_console: Open) -> None:
    studio.do(lambda services: services.jobs.ledger.set_limits(DEFAULT_TENANT, Limits(approval_over=0.01)))
    page = await open_console(f"{studio.url}/console/studio")
    await choose(page)
    job = await make(page)
    await expect(job.locator(".note.warn")).to_contain_text("批准后才会运行")
    await job.get_by_role("button", name="批准运行").click()
    await expect(job.locator(".result .after")).to_be_visible()


async def test_a_running_job_is_cancelled_within_a_step(studio: Studio, open_console: Open) -> None:
    studio.cutout.gate.clear()
    page = await open_console(f"{studio.url}/console/studio")
    await choose(page)
    job = await make(page)
    await expect(job.locator(".preview img")).to_be_visible()
    await job.get_by_role("button", name="取消任务").click()
    await expect(job).to_have_attribute("data-state", "cancelled")
    await expect(job).to_contain_text("没有产生费用")
    await expect(page.locator("#studio-form input[name=image]")).not_to_have_value("")


async def test_a_refused_picture_is_explained_and_tried_again_with_changes(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio")
    await choose(page, BLURRED)
    await page.select_option("[name=preset]", "jd_main")
    job = await make(page)
    await expect(job.locator(".note.bad")).to_contain_text("商品拍得模糊")
    await expect(job.locator("code")).to_have_text("image_blurred")
    await page.goto(f"{studio.url}/console/jobs")
    await page.get_by_role("link", name="改后重做：白底图").click()
    await expect(page.locator("#studio-form .note")).to_contain_text("按改动重做")
    await expect(page.locator("[name=preset]")).to_have_value("jd_main")
    await page.get_by_text("更多设置").click()
    await page.get_by_label("图片有小问题也继续").check()
    job = await make(page)
    await expect(job.locator(".result .after")).to_be_visible()
    again, first = jobs_of(studio)
    assert (again.retry_of, again.request["force"], again.request["image"]) == (first.id, True, first.request["image"])


async def test_pictures_are_dropped_pasted_and_taken_from_earlier_work(
    studio: Studio, open_console: Open, tmp_path: Path
) -> None:
    page = await open_console(f"{studio.url}/console/studio")
    path = tmp_path / "mug.jpg"
    path.write_bytes(photo())
    devtools = await page.context.new_cdp_session(page)
    what = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        await devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 500, "data": what})
        if kind == "dragOver":
            await expect(page.locator("[data-picture][data-over]")).to_be_visible()
    await expect(page.locator(".picture-shown")).to_be_visible()
    dropped = await page.input_value("[name=image]")
    await page.get_by_role("button", name="移除").click()
    await expect(page.locator("[name=image]")).to_have_value("")
    await expect(page.locator("#estimate")).to_contain_text("还需要：图片")
    await page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], "pasted.jpg", { type: "image/jpeg" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        base64.b64encode(photo(ground="#335577")).decode(),
    )
    await expect(page.locator(".picture-shown")).to_be_visible()
    await expect(page.locator("[name=image]")).not_to_have_value(dropped)
    await expect(page.locator("[name=image]")).not_to_have_value("")
    job = await make(page)
    await expect(job.locator(".result .after")).to_be_visible()
    result = jobs_of(studio)[0]
    await page.get_by_role("button", name="从已有图片选").click()
    await expect(page.locator(".picks img")).to_have_count(2)
    await page.locator(".picks button").first.press("Enter")
    await expect(page.locator("#picker")).to_be_hidden()
    chosen = await page.input_value("[name=image]")
    assert chosen not in ("", result.request["image"])
    await expect(page.locator("a[data-kind]", has_text="场景图")).to_have_attribute(
        "href", f"{studio.url}/console/studio?kind=scene&image={chosen}"
    )


async def test_what_is_no_picture_is_refused_in_words(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio")
    text = {"name": "note.png", "mimeType": "image/png", "buffer": b"this is no picture"}
    await page.set_input_files("[data-picture-file]", text)  # type: ignore[arg-type]
    await expect(page.locator(".picture-field .problem")).to_have_text("这不是可用的图片。请上传 JPEG、PNG 或 WebP。")
    await expect(page.locator(".picture-shown")).to_be_hidden()


async def test_before_and_after_are_compared_by_keyboard_and_by_finger(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio", phone=True)
    await choose(page)
    job = await make(page)
    slider = job.get_by_role("slider", name="对比")
    await expect(slider).to_be_visible()
    for side in (".before", ".after"):
        await job.locator(side).evaluate("image => image.decode()")
    await slider.focus()
    for _ in range(30):
        await page.keyboard.press("ArrowRight")
    await expect(job.locator(".compare .before")).to_have_css("clip-path", "inset(0px 70% 0px 0px)")
    box = await slider.bounding_box()
    assert box
    await page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    await expect(slider).to_have_value(re.compile("^(7[7-9]|8[0-3])$"))


async def test_results_are_judged_in_the_gallery(serve: Serve, open_console: Open) -> None:
    studio = serve(titles=TitlesHandler("全网第一 316保温杯"))
    page = await open_console(f"{studio.url}/console/studio")
    await choose(page)
    job = await make(page)
    await expect(job.locator(".result .after")).to_be_visible()
    await page.goto(f"{studio.url}/console/studio?kind=titles")
    await page.fill("[name='product.name']", "保温杯")
    await page.fill("[name='product.facts']", "材质：304不锈钢")
    job = await make(page)
    await expect(job.locator("mark")).to_have_count(2)
    await expect(job.locator(".flags")).to_contain_text("受限的广告用语")
    await page.goto(f"{studio.url}/console/studio/gallery")
    cards = page.locator("[data-card]")
    await expect(cards).to_have_count(2)
    text, picture = cards.nth(0), cards.nth(1)
    await expect(text.locator("mark")).to_have_count(2)
    await picture.get_by_role("slider").fill("60")
    await picture.get_by_text("详细信息").click()
    await expect(picture.locator(".details")).to_contain_text("清晰度")
    await text.locator("summary", has_text="退回").click()
    await text.get_by_label("退回原因").fill("有绝对化用语")
    await text.locator("form button.danger").click()
    await expect(text.locator(".chip")).to_have_text("已退回")
    await expect(text).to_contain_text("有绝对化用语")
    await page.get_by_role("link", name="待审").click()
    await expect(cards).to_have_count(1)
    await cards.get_by_role("button", name="通过").click()
    await expect(page.locator("#gallery")).to_contain_text("没有符合条件的成品")
    await page.get_by_role("link", name="清除筛选").click()
    await page.select_option("#kind", "white_background")
    await expect(cards).to_have_count(1)
    await page.wait_for_url("**kind=white_background*")
    async with page.expect_download() as saved:
        await cards.get_by_role("link", name="下载 白底图.png").click()
    assert (await (await saved.value).path()).stat().st_size > 1000
    await cards.get_by_role("link", name="改后重做：白底图").click()
    await expect(page.locator(".picture-shown")).to_be_visible()


async def test_a_click_while_the_gallery_is_refreshed_is_not_lost(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio")
    await choose(page)
    await expect((await make(page)).locator(".result .after")).to_be_visible()
    await page.goto(f"{studio.url}/console/studio/gallery")
    clicked = asyncio.Event()

    async def after_the_click(route: Route) -> None:
        await clicked.wait()
        with suppress(Error):  # the page has given it up
            await route.continue_()

    await page.route("**/console/studio/gallery?review=all*", after_the_click)
    async with page.expect_request("**/console/studio/gallery?review=all*"):
        await page.evaluate("htmx.trigger('#gallery', 'console:refresh')")
    await page.get_by_role("link", name="已退回").click()
    await expect(page.locator("#gallery")).to_contain_text("没有符合条件的成品")
    clicked.set()


async def test_the_list_follows_jobs_without_a_reload(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio")
    await choose(page)
    image = await page.input_value("[name=image]")
    studio.cutout.gate.clear()
    list_ = await open_console(f"{studio.url}/console/jobs")
    sent = await page.request.post(
        f"{studio.url}/v1/jobs", data={"kind": "white_background", "request": {"image": image}}
    )
    assert sent.status == 202
    row = list_.locator("tbody tr")
    await expect(row.locator(".chip")).to_have_text("进行中", timeout=60_000)
    await expect(row.locator("progress")).to_be_visible()
    await expect(list_.locator("#announcer")).to_contain_text("进行中 1")
    studio.cutout.gate.set()
    await expect(row.locator(".chip")).to_have_text("已完成")
    await expect(row.locator("img.job-thumb")).to_be_visible()
    studio.cutout.gate.clear()
    await page.request.post(f"{studio.url}/v1/jobs", data={"kind": "white_background", "request": {"image": image}})
    await list_.get_by_role("button", name="取消：白底图").click(timeout=60_000)
    await expect(row.first.locator(".chip")).to_have_text("已取消")


async def test_fields_of_the_other_engine_are_hidden_and_not_sent(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio?kind=scene")
    await expect(page.locator("[name=prompt]")).to_be_hidden()
    await page.locator("[name=template][value=oak_table]").check(force=True)
    await page.locator("[name=engine][value=diffusion]").check(force=True)
    await expect(page.locator("[name=prompt]")).to_be_visible()
    await expect(page.locator(".scenes")).to_be_hidden()
    sent = await page.evaluate("[...new FormData(document.getElementById('studio-form')).keys()]")
    assert "template" not in sent
    assert "prompt" in sent


async def test_a_result_is_taken_as_the_next_picture(studio: Studio, open_console: Open) -> None:
    page = await open_console(f"{studio.url}/console/studio")
    await choose(page)
    job = await make(page)
    use = job.get_by_role("link", name="继续加工")
    made = await use.get_attribute("data-use")
    assert made
    await use.click()
    await expect(page.locator("[name=image]")).to_have_value(made)
    assert "kind=scene" not in page.url


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
async def test_no_page_of_the_studio_is_wider_than_a_phone(serve: Serve, open_console: Open, locale: str) -> None:
    studio = serve(titles=TitlesHandler("超长" * 60 + "A" * 90, "全网第一" + "B" * 80))
    page = await open_console(f"{studio.url}/console/studio", phone=True, locale=locale)
    await choose(page)
    await expect((await make(page)).locator(".result .after")).to_be_visible()
    await page.goto(f"{studio.url}/console/studio?kind=titles")
    await page.fill("[name='product.name']", "名" * 100)
    await page.fill("[name='product.facts']", f"{'F' * 90}: {'V' * 90}")
    await expect((await make(page)).locator(".copy")).to_have_count(2)
    ids = [job.id for job in jobs_of(studio)]
    kinds = [f"studio?kind={kind}" for kind in ("scene", "attributes", "text_to_image", "translation")]
    for path in (*kinds, *(f"jobs/{job_id}" for job_id in ids), "studio/gallery", "jobs", f"studio?job={ids[0]}"):
        await page.goto(f"{studio.url}/console/{path}")
        assert await overflow(page) <= 0, path


async def test_a_phones_buttons_are_large_enough_for_a_thumb(
    studio: Studio, open_console: Open, new_page: NewPage
) -> None:
    page = await open_console(f"{studio.url}/console/studio", phone=True)
    await choose(page)
    await expect((await make(page)).locator(".result .after")).to_be_visible()
    for path in ("studio", "studio/gallery", f"jobs/{jobs_of(studio)[0].id}"):
        await page.goto(f"{studio.url}/console/{path}")
        for button in await page.locator("main button:visible, main .button:visible, .kinds a:visible").all():
            box = await button.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 36, await button.inner_text()
