"""The studio's pages from the price before a run to what became of it."""

from pathlib import Path

from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.jobs.models import Limits
from knowledge.models import DEFAULT_TENANT
from tests.app.console.studio import HOSTILE, PRODUCT, studio
from tests.app.console.visits import one, see, words

# before it runs


async def test_the_price_and_the_time_are_said_before_anything_runs(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        path = "/console/studio/white_background/estimate"
        assert "还需要：图片" in words(HTMLParser((await it.http.post(path, data={})).text), "body")
        said = words(HTMLParser((await it.http.post(path, data={"image": await it.picture()})).text), "body")
        assert "¥0.05" in said
        assert "约 1–4 秒" in said
        await it.services.jobs.ledger.set_limits(DEFAULT_TENANT, Limits(approval_over=0.01))
        over = words(HTMLParser((await it.http.post(path, data={"image": "x"})).text), "body")
        assert "提交后要先批准才会运行" in over
        unpriced = words(HTMLParser((await it.http.post("/console/studio/titles/estimate", data=PRODUCT)).text), "body")
        assert "未设价格" in unpriced
        assert "¥" not in unpriced
        assert (await it.services.jobs.ledger.page(DEFAULT_TENANT))[1] == 0


async def test_what_is_filled_in_wrongly_is_named_in_words(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        path = "/console/studio/white_background"
        image = await it.picture()
        wrong = words(
            HTMLParser((await it.http.post(f"{path}/estimate", data={"image": image, "fill": "7"})).text), "body"
        )
        assert "“商品占画面比例”填得不对" in wrong
        mixed = await it.http.post(path, data={"image": image, "width": "800"})
        assert mixed.status_code == 422
        page = HTMLParser(mixed.text)
        assert "有些内容不能一起用" in words(page, "#side")
        assert one(page, "input[name=width]").attributes["value"] == "800"
        assert one(page, "input[name=image]").attributes["value"] == image


async def test_without_a_model_a_copy_job_says_how_to_set_one(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        answer = await it.http.post("/console/studio/selling_points/estimate", data=PRODUCT)
        assert "COPILOT_MODEL_BASE_URL" in words(HTMLParser(answer.text), ".note.bad")


async def test_the_same_press_twice_is_one_job(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        once = one(await see(it.http, "/console/studio"), "input[name=_once]").attributes["value"]
        data = {"image": await it.picture(), "_once": once}
        sent = [await it.http.post("/console/studio/white_background", data=data) for _ in range(2)]
        assert [answer.status_code for answer in sent] == [303, 303]
        assert sent[0].headers["location"] == sent[1].headers["location"]
        assert (await it.services.jobs.ledger.page(DEFAULT_TENANT))[1] == 1


# a job


async def test_a_job_shows_beside_its_form_what_it_made_and_what_it_cost(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        sent = await it.http.post("/console/studio/white_background", data={"image": await it.picture()})
        waiting = await see(it.http, sent.headers["location"])
        assert "data-live" in one(waiting, "#job").attributes
        assert "正在排队" in words(waiting, "#job")
        await it.work()
        done = await see(it.http, sent.headers["location"])
        assert "data-live" not in one(done, "#job").attributes
        said = words(done, "#job")
        for part in (
            "待审",
            "¥0.05",
            "1000 × 1000",
            "模板合成",
            "清晰度 431",
            "AI 标识 merchant-copilot, u2netp",
            "下载",
        ):
            assert part in said, part
        assert one(done, "#job .compare input[type=range]").attributes["aria-label"]
        assert one(done, "#studio-form input[name=image]").attributes["value"]


async def test_a_failed_job_says_why_in_the_readers_language_and_can_be_done_again(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        image = await it.picture(blurred=True)
        job_id = await it.job("white_background", {"image": image, "preset": "jd_main"})
        page = await see(it.http, f"/console/jobs/{job_id}")
        assert "商品拍得模糊（清晰度" in words(page, ".note.bad")
        again = await see(it.http, str(one(page, ".job-actions a").attributes["href"]))
        assert one(again, "input[name=image]").attributes["value"] == image
        assert "selected" in one(again, "select[name=preset] option[value=jd_main]").attributes
        sent = await it.http.post(
            "/console/studio/white_background", data={"image": image, "force": "true", "_again": job_id}
        )
        new, _ = await it.services.jobs.ledger.page(DEFAULT_TENANT, limit=1)
        assert (new[0].retry_of, new[0].request["force"], new[0].request["preset"]) == (job_id, True, None)
        assert new[0].id in sent.headers["location"]
        stranger = await it.http.post("/console/studio/white_background", data={"image": image, "_again": "0" * 32})
        assert "没有这个任务" in words(HTMLParser(stranger.text), "#side")


async def test_a_job_over_the_limit_waits_is_approved_and_runs(tmp_path: Path) -> None:
    async with studio(tmp_path, job_approval_over=0.01) as it:
        job_id = await it.job("white_background", {"image": await it.picture()})
        assert "批准后才会运行" in words(await see(it.http, f"/console/jobs/{job_id}"), "#job")
        assert "预计 ¥0.05" in words(await see(it.http, "/console/jobs?state=waiting"), "tr[data-job-row]")
        approved = await it.http.post(f"/console/jobs/{job_id}/approve", data={"next": "/console/jobs"})
        assert approved.headers["location"] == "/console/jobs"
        await it.work()
        assert "已完成" in words(await see(it.http, "/console/jobs"), "tbody tr")
        twice = await it.http.post(f"/console/jobs/{job_id}/approve")
        assert (twice.status_code, "不在等待批准" in twice.text) == (409, True)


async def test_a_job_is_cancelled_before_it_has_begun(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        job_id = await it.job("white_background", {"image": await it.picture()}, run=False)
        await it.http.post(f"/console/jobs/{job_id}/cancel")
        assert "没有产生费用" in words(await see(it.http, f"/console/jobs/{job_id}"), "#job")
        late = await it.http.post(f"/console/jobs/{job_id}/cancel")
        assert (late.status_code, "已经结束" in words(HTMLParser(late.text), "[data-sentence]")) == (409, True)


async def test_results_are_approved_and_rejected_with_a_reason(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        job_id = await it.job("white_background", {"image": await it.picture()})
        path = f"/console/jobs/{job_id}/review"
        bare = await it.http.post(path, data={"verdict": "rejected", "reason": "  "})
        assert (bare.status_code, "请写明退回的原因" in bare.text) == (422, True)
        await it.http.post(path, data={"verdict": "rejected", "reason": f"边缘发白 {HOSTILE}"})
        said = await see(it.http, f"/console/jobs/{job_id}")
        assert "已退回" in words(said, ".job-head")
        assert f"边缘发白 {HOSTILE}" in words(said, "#job")
        await it.http.post(path, data={"verdict": "approved"})
        assert "已通过" in words(await see(it.http, f"/console/jobs/{job_id}"), ".job-head")


async def test_doubtful_places_of_a_copy_are_marked_where_they_stand(tmp_path: Path) -> None:
    async with studio(tmp_path, f"全网第一 316保温杯 {HOSTILE}", "304不锈钢保温杯 500ml") as it:
        product = {"name": "保温杯", "facts": {"材质": "304不锈钢", "容量": "500ml"}}
        job_id = await it.job("titles", {"product": product, "count": 2})
        page = await see(it.http, f"/console/jobs/{job_id}")
        first, second = page.css(".copy")
        assert [mark.text() for mark in first.css("mark")] == ["全网第一1", "3162"]
        assert "受限的广告用语" in words(first, ".flags")
        assert HOSTILE in words(first, ".copy-text")
        assert "依据： f0 商品名称：保温杯 · f1 材质：304不锈钢" in words(second, ".copy-sources")
        assert second.css("mark") == []
        card = one(await see(it.http, "/console/studio/gallery"), "[data-card]")
        assert "2 处疑点" in card.text()
        assert "未设价格" in card.text()
