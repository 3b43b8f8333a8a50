"""Sources in the console: what is watched, what came of it, and what somebody has to say."""

from pathlib import Path

import pytest

from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import one, see, served, words
from tests.app.sources.watching import write


async def test_a_folder_is_added_run_paused_and_removed(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    write(docs / "费用.md", "# 费用\n\n佣金 8%。")
    async with served(tmp_path / "data", source_folders=(str(docs),)) as (http, services):
        assert "先新建一个知识库" in words(await see(http, "/console/sources"))
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        assert "还没有来源" in words(await see(http, "/console/sources"))
        form = {"kind": "folder", "kb": "shop", "location": str(docs), "schedule": "daily", "at": "03:00"}
        assert (await http.post("/console/sources", data=form)).headers["location"] == "/console/sources"
        ((source, _),) = await services.sources.list(DEFAULT_TENANT)
        assert str(source.schedule) == "daily 03:00"
        assert "等待第一次" in words(await see(http, "/console/sources"), "article")
        await services.keeper.run(source.id)
        shown = words(await see(http, "/console/sources"), "article")
        assert all(part in shown for part in ("已同步", "新增 1", "每天 03:00", "shop", str(docs)))
        (document,), _ = await services.knowledge.catalog.documents(
            await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        )
        assert "来自 docs · 费用.md" in words(await see(http, f"/console/documents/{document.id}"))
        await http.post(f"/console/sources/{source.id}/switch", data={})
        assert "已暂停" in words(await see(http, "/console/sources"), "article")
        await http.post(f"/console/sources/{source.id}/sync", data={})
        page = await see(http, "/console/sources")
        assert "马上开始" in words(page, "article")
        assert "data-active" in one(page, "#sources").attributes
        await http.post(f"/console/sources/{source.id}/remove", data={})
        assert "还没有来源" in words(await see(http, "/console/sources"))


async def test_what_is_gone_is_asked_about_and_failures_are_told_in_words(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    files = [write(docs / f"{n}.md", f"# 第 {n} 份") for n in range(3)]
    async with served(tmp_path / "data", source_folders=(str(docs),), max_upload_mb=1) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        form = {"kind": "folder", "kb": "shop", "location": str(docs), "schedule": "every 1h"}
        await http.post("/console/sources", data=form)
        ((source, _),) = await services.sources.list(DEFAULT_TENANT)
        await services.keeper.run(source.id)
        for file in files[1:]:
            file.unlink()
        write(docs / "大.txt", "大" * 600_000)
        await services.keeper.run(source.id)
        shown = words(await see(http, "/console/sources"), "article")
        assert all(part in shown for part in ("等你确认", "少了 2 份", "失败 1", "大.txt", "文件太大", "too_large"))
        await http.post(f"/console/sources/{source.id}/sync", data={"delete_gone": "yes"})
        await services.keeper.run(source.id)
        assert "删除 2" in words(await see(http, "/console/sources"), "article")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"location": "/etc"}, "COPILOT_SOURCE_FOLDERS"),
        ({"kind": "url", "location": "http://10.0.0.1/"}, "不在公网上"),
        ({"kind": "sitemap", "location": "x"}, "这不是网页地址"),
        ({"schedule": "daily", "at": ""}, "时间填得不对"),
    ],
)
async def test_a_source_that_cannot_be_watched_is_explained_in_its_form(
    tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    async with served(tmp_path, source_folders=(str(tmp_path),)) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        form = {"kind": "folder", "kb": "shop", "location": str(tmp_path), "schedule": "every 1h", **change}
        answer = await http.post("/console/sources", data=form)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert change.get("location", str(tmp_path)) in answer.text


async def test_a_page_is_named_by_its_address_on_the_documents_page(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        sent = await http.post("/console/kb/shop/page", data={"url": "https://a.example/help"})
        assert sent.headers["location"] == "/console/kb/shop"
        assert "a.example/ help" in words(await see(http, "/console/kb/shop"), "tbody")
        refused = await http.post("/console/kb/shop/page", data={"url": "http://127.0.0.1/"})
        assert (refused.status_code, "不在公网上" in refused.text) == (422, True)
