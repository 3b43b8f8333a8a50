"""The studio for readers, other tenants and other languages; and that every code has a sentence."""

import re
from pathlib import Path

import pytest

from app.console.texts import catalog, for_jobs
from app.console.wording import money, money_range
from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.console.studio import ROOT, studio
from tests.app.console.visits import see, words


async def test_who_may_only_look_sees_results_and_makes_none(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        job_id = await it.job("white_background", {"image": await it.picture()})
        _, token = await it.services.keys.issue(DEFAULT_TENANT, "viewer", scope=Scope.READ)
        it.http.headers["Authorization"] = f"Bearer {token}"
        form = await see(it.http, "/console/studio")
        assert "当前密钥只能查看" in words(form, "#side")
        assert form.css("#run") == []
        for path in (f"/console/jobs/{job_id}", "/console/studio/gallery", "/console/jobs"):
            assert (await see(it.http, path)).css("main form[method=post]:not(#studio-form)") == []
        for path in (f"jobs/{job_id}/cancel", f"jobs/{job_id}/review", "studio/white_background"):
            assert (await it.http.post(f"/console/{path}", data={"image": "x"})).status_code == 403


async def test_another_tenants_jobs_and_pictures_are_not_there(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        image = await it.picture()
        job_id = await it.job("white_background", {"image": image})
        await it.services.parts.catalog.ensure_tenant("other", "other")
        _, token = await it.services.keys.issue("other", "them", scope=Scope.ADMIN)
        it.http.headers["Authorization"] = f"Bearer {token}"
        for path in (f"jobs/{job_id}", f"pictures/{image}", f"studio?job={job_id}", f"studio?again={job_id}"):
            assert (await it.http.get(f"/console/{path}")).status_code == 404, path
        assert "还没有成品" in words(await see(it.http, "/console/studio/gallery"), "#gallery")


async def test_the_studio_in_english_has_no_chinese_left(tmp_path: Path) -> None:
    async with studio(tmp_path, "304 steel mug, best ever", job_approval_over=0.3) as it:
        it.http.cookies.set("copilot_lang", "en")
        done = await it.job("white_background", {"image": await it.picture()})
        failed = await it.job("white_background", {"image": await it.picture(blurred=True)})
        copy = await it.job("titles", {"product": {"name": "mug", "facts": {"material": "304 steel"}}})
        kinds = [f"/console/studio?kind={kind}" for kind in it.services.jobs.handlers if kind != "ingest"]
        pages = [f"/console/jobs/{job_id}" for job_id in (done, failed, copy)]
        for path in (*kinds, *pages, f"/console/studio?again={done}", "/console/studio/gallery", "/console/jobs"):
            page = await see(it.http, path)
            foreign = (
                "script, form[data-language], select[name$=language], select[name=to], option[value=zh], [value=zh] + *"
            )
            for node in page.css(f"{foreign}, .result figcaption, .compare img, [download], .copy, .copy-short"):
                node.decompose()
            assert re.findall(r"[\u3000-\u9fff]+", page.html or "") == [], path


def test_every_code_that_a_job_or_a_page_can_meet_has_a_sentence() -> None:
    packages = ("jobs", "api", "console", "imaging", "copywriting", "llm", "tools", "identity")
    files = [file for package in packages for file in (ROOT / "app" / package).rglob("*.py")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    codes = set(re.findall(r'\b(?:error_)?code(?:: ClassVar\[str\])?"?(?: =|=|:) ?"([a-z_]+)"', text))
    codes |= set(re.findall(r'Reason\(\s*"([a-z_]+)"', text))
    assert {"job_crashed", "image_blurred", "unsupported", "daily_budget_reached", "internal"} <= codes | {"internal"}
    named = {key.partition(".")[2] for key in catalog() if key.startswith(("error.", "reason."))}
    elsewhere = {"setting_missing", "path_not_found"}  # said by commands and at start-up, where no page is
    assert codes - named - elsewhere == set()


def test_every_kind_stage_and_note_has_a_word() -> None:
    files = [file for package in ("imaging", "copywriting") for file in (ROOT / "app" / package).rglob("*.py")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    stages = set(re.findall(r'report\([^"\n]*"([a-z_]+)"', text)) | set(re.findall(r'Stage\("([a-z]+)", \d', text))
    notes = set(re.findall(r'Note\(\s*"([a-z_]+)"', text))
    assert {"cutting", "composing", "writing"} <= stages
    missing = {f"stage.{stage}" for stage in stages} | {f"note.{note}" for note in notes}
    assert missing - set(catalog()) == set()


async def test_the_words_about_jobs_are_there_for_pages_of_other_sites(tmp_path: Path) -> None:
    async with studio(tmp_path, require_keys=True) as it:
        answer = await it.http.get("/console/static/words/en.json", headers={"Origin": "https://shop.example"})
        assert answer.json() == for_jobs("en")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json()["kind.white_background"] == "White background"
        assert (await it.http.get("/console/static/words/fr.json")).status_code == 422


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "¥0.00"),
        (12.5, "¥12.50"),
        (0.0034, "¥0.0034"),
        (0.123, "¥0.12"),
        (1234.5, "¥1,234.50"),
        (2.1e-05, "¥0.000021"),
    ],
)
def test_small_amounts_of_money_keep_two_figures(amount: float, shown: str) -> None:
    assert money(amount, "CNY") == shown


def test_a_range_of_money_is_one_amount_where_both_ends_look_alike() -> None:
    assert money_range(0.01, 0.03, "USD") == "$0.01–$0.03"
    assert money_range(0.5, 0.5, "AUD") == "0.50 AUD"
