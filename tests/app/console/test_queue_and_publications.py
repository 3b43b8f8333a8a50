"""The parse queue and the publications of a knowledge base, as pages."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import HOSTILE, one, refused, see, served, words
from tests.app.jobs_api.calls import work
from tests.app.test_publications import apart
from tests.products import FEES, RETURNS, take_in

CANCEL = {"next": "/console/queue"}


async def test_the_queue_is_empty_then_shows_what_waits_with_its_actions_and_follows_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        assert "没有正在处理或排队" in words(await see(http, "/console/queue"))
        for kb in ("shop", "other"):
            await services.knowledge.create(DEFAULT_TENANT, kb)
            for name in ("费用.md", "退货.md"):
                await http.post(f"/v1/knowledge-bases/{kb}/documents", files={"file": (name, FEES.encode())})
        page = await see(http, "/console/queue")
        assert "排队 4 份" in words(page, "#now")
        assert "data-active" in one(page, "#queue").attributes
        assert len(page.css("tbody tr")) == 4
        assert len((await see(http, "/console/queue?kb=other")).css("tbody tr")) == 2
        first = one(page, "tbody tr").attributes["data-document"]
        answer = await http.post(f"/console/queue/{first}/cancel", data=CANCEL)
        assert answer.headers["location"] == "/console/queue"
        failed = await see(http, "/console/queue?group=failed")
        assert "处理被取消了" in words(failed, "tbody")
        assert "cancelled" in words(failed, "tbody code")
        await http.post("/console/queue/cancel", data={"kb": "other"})
        assert len((await see(http, "/console/queue")).css("tbody tr")) == 1
        await http.post("/console/queue/retry", data={})
        assert await work(services, "ingest") == 4
        done = await see(http, "/console/queue?group=done")
        assert len(done.css("tbody tr")) == 4
        assert "秒" in words(done, "tbody")


async def test_failures_are_filtered_by_reason_and_told_in_the_visitors_language(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for name, reason in (("a.pdf", "encrypted"), ("b.pdf", "corrupt"), (f"{HOSTILE}.pdf", "corrupt")):
            await refused(services, name, reason)
        http.headers["accept-language"] = "en"
        page = await see(http, "/console/queue?group=failed")
        assert "Remove the password" in words(page, "tbody")
        assert page.css_first("img") is None
        assert words(page, ".reasons").split()[-4:] == ["corrupt", "2", "encrypted", "1"]
        some = await see(http, "/console/queue?group=failed&reason=encrypted")
        assert len(some.css("tbody tr")) == 1
        assert one(some, "#reason-encrypted").attributes["aria-current"] == "true"


async def test_a_run_shows_its_stage_percent_and_pages_and_the_version_that_answers(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "合同.pdf", FEES.encode())
        base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        versions = services.parts.versions
        document, _ = await versions.receive(base, "合同.pdf", content_hash="1" * 64, size=9)
        claim = await versions.claim(document, "test")
        assert claim is not None
        await versions.progress(claim, "loading", 20, parts_done=7, parts=30)
        shown = words(await see(http, "/console/queue"), "tbody")
        assert all(part in shown for part in ("处理中", "读取 20%", "第 7 / 30 页", "旧版本（第 1 版）仍在使用"))


async def test_a_publication_is_undone_on_its_page_and_then_listed_as_brought_back(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await apart(services)
        await take_in(services, "shop", "费用.md", FEES.replace("50000", "60000"))
        await take_in(services, "shop", "退货.md", RETURNS)
        path = "/console/kb/shop/publications"
        page = await see(http, path)
        assert [item.attributes["data-undoable"] for item in page.css(".publication")] == ["2", "0"]
        assert "发布了 2 份文档" in words(page, ".publication")
        assert "新增" in words(page, ".publication")
        form = one(page, ".publication form")
        fields = {field.attributes["name"]: field.attributes["value"] for field in form.css("input")}
        assert (await http.post(f"{path}/undo", data=fields)).headers["location"] == path
        found = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=9)
        assert "50000" in found.passages[0].text
        assert {passage.document for passage in found.passages} == {"费用.md"}
        assert "恢复了 1 份文档" in words(await see(http, path), ".publication")
        assert "没有可以撤销的发布" in words_of_refusal(await http.post(f"{path}/undo", data=fields))
        assert (await http.post(f"{path}/undo", data={"since": "soon"})).status_code == 422
        link = one(page, "a[download]").attributes["href"] or ""
        assert (await http.get(link)).content[:2] == b"PK"


def words_of_refusal(answer: object) -> str:
    return str(getattr(answer, "text", ""))


async def test_the_hit_test_tells_why_something_was_not_found_and_what_would_help(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        document = await take_in(services, "shop", "退货.md", RETURNS)
        ask = f"/console/kb/shop/search?q={quote('旗舰店的保证金是多少？')}&expected="
        found = one(await see(http, ask + quote("费用.md")), "#why")
        assert found.attributes["data-verdict"] == "found"
        low = one(await see(http, f"{ask}{quote('退货.md')}&limit=1"), "#why")
        assert low.attributes["data-verdict"] == "cut"
        assert "保证金" in words(low, ".why-words")
        assert "第 2 名" in words(low, ".why-stages")
        assert "同义词" in words(low, ".why-hints")
        nowhere = one(await see(http, ask + quote("会飞的猫")), "#why")
        assert nowhere.attributes["data-verdict"] == "not_here"
        soon = (services.parts.catalog._clock() + timedelta(days=1)).isoformat()
        await http.patch(f"/v1/documents/{document.id}", json={"valid_from": soon})
        assert one(await see(http, ask + document.id), "#why").attributes["data-verdict"] == "scheduled"
        assert (await see(http, ask)).css_first("#why") is None
        hostile = await see(http, ask + quote(HOSTILE))
        assert hostile.css_first("main img") is None
