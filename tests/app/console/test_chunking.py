"""The page of chunk settings: what is typed, what it would come to, and how far it is carried out."""

from pathlib import Path

import pytest

from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import HOSTILE, one, see, served, words
from tests.app.jobs_api.calls import work
from tests.app.test_chunking import LONG, SHORT
from tests.products import take_in

PAGE = "/console/kb/shop/chunking"


async def test_the_form_has_what_holds_and_saving_cuts_the_documents_anew(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "手册.md", LONG)
        page = await see(http, PAGE)
        assert one(page, "#size").attributes["value"] == "300"
        assert one(page, "nav.tabs [aria-current]").text() == "分段"
        assert page.css_first(".standing") is None
        sent = {"size": "120", "overlap": "20", "join_small": "1", "row_by_row": "1", "rechunk": "1"}
        saved = await http.post(PAGE, data=sent)
        assert saved.status_code == 303
        page = await see(http, saved.headers["location"])
        assert "已保存" in words(page, ".note.good")
        assert "0 / 1 份" in words(page, ".standing")
        assert "data-active" in one(page, "#standing").attributes
        assert one(page, "#size").attributes["value"] == "120"
        assert all("checked" in one(page, f"[name={name}]").attributes for name in ("join_small", "row_by_row"))
        await work(services, "ingest")
        assert (await see(http, PAGE)).css_first(".standing") is None


async def test_boxes_that_are_not_ticked_are_off(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "手册.md", LONG)
        await http.post(PAGE, data={"size": "120", "overlap": "20"})
        found = (await http.get("/v1/knowledge-bases/shop/chunking")).json()
        assert (found["join_small"], found["row_by_row"]) == (False, False)
        assert found["documents"] == {"total": 1, "as_chosen": 0, "under_way": 0}
        assert "1 份还是原来的分段" in words(await see(http, PAGE), ".standing")


@pytest.mark.parametrize(("language", "said"), [("zh", "80 到 1000"), ("en", "80 to 1000")])
async def test_what_cannot_be_is_said_and_what_was_typed_stays(tmp_path: Path, language: str, said: str) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", language)
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        for typed in ("5", "many", "99999999999"):
            answer = await http.post(PAGE, data={"size": typed, "overlap": "0", "rechunk": "1"})
            assert answer.status_code == 422
            assert said in answer.text
            assert f'value="{typed}"' in answer.text
        assert one(await see(http, PAGE), "#size").attributes["value"] == "300"


async def test_the_preview_has_both_sides_beside_each_other_and_escapes_what_it_shows(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", f"{LONG}\n\n{SHORT}\n\n{HOSTILE}")
        path = f"{PAGE}/preview?document={document.id}&size=120&overlap=20&join_small=1"
        page = await see(http, path)
        assert page.css_first("main") is None  # a piece for the page that is there
        assert len(page.css(".before .chunk")) < len(page.css(".after .chunk"))
        assert page.css(".after .differs")
        assert page.css_first("script, img") is None
        same = await see(http, f"{PAGE}/preview?document={document.id}&size=300&overlap=60&join_small=1")
        assert "和现在完全一样" in words(same, ".preview-sum")
        wrong = await see(http, f"{PAGE}/preview?document={document.id}&size=120&overlap=90")
        assert "0 到 40" in words(wrong, ".note")
        gone = await see(http, f"{PAGE}/preview?document=&size=120&overlap=0", status=404)
        assert gone.css_first(".both") is None


async def test_the_hit_test_shows_where_else_a_passage_stands(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for name in ("电话.md", "联系.md"):
            await take_in(services, "shop", name, SHORT)
        page = await see(http, "/console/kb/shop/search?q=客服电话")
        assert len(page.css(".hit")) == 1
        shown = {one(page, ".hit-name a").text(), one(page, ".also-in a").text()}
        assert shown == {"电话.md", "联系.md"}


async def test_a_turns_page_shows_what_stood_around_the_hits(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "手册.md", LONG)
        body = {"question": "编号 295 的商品怎样办理退货？", "stream": False}
        turn = (await http.post("/v1/chat", json=body)).json()
        page = await see(http, f"/console/turns/{turn['turn_id']}")
        assert page.css(".hit .around")
