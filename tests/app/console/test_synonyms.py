"""The page of synonyms: saved as text, a wrong line named in the reader's language."""

from pathlib import Path

from tests.app.console.visits import one, see, served, words

LINES = "保证金 = 押金\n空派 = 空运专线  # 物流部"


async def test_a_list_is_saved_and_shown_as_it_was_written(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        assert "text" not in one(await see(http, "/console/synonyms"), "textarea").attributes
        answer = await http.post("/console/synonyms", data={"lines": LINES.replace("\n", "\r\n")})
        assert answer.status_code == 303
        page = await see(http, answer.headers["location"])
        assert one(page, "textarea").text() == LINES
        assert "2" in words(page, ".note.good")
        assert (await http.get("/v1/synonyms")).json() == {"lines": LINES}


async def test_a_line_that_is_no_group_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        await http.put("/v1/synonyms", json={"lines": LINES})
        answer = await http.post(
            "/console/synonyms", data={"lines": "保证金 = 押金\n孤单"}, headers={"Accept-Language": "zh-CN"}
        )
        assert answer.status_code == 422
        assert "第 2 行" in answer.text
        assert "孤单" in answer.text
        assert (await http.get("/v1/synonyms")).json() == {"lines": LINES}
        refused = await http.put("/v1/synonyms", json={"lines": "one"})
        assert (refused.status_code, refused.json()["code"]) == (422, "synonyms_invalid")


async def test_the_hit_test_says_how_else_it_searched(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await http.put("/v1/synonyms", json={"lines": LINES})
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        uploaded = await http.post(
            "/v1/knowledge-bases/shop/documents", files={"file": ("费用.md", "# 费用\n\n保证金五万元。".encode())}
        )
        await services.pipeline.run(uploaded.json()["id"], owner="test")
        page = await see(http, "/console/kb/shop/search?q=押金多少")
        assert [quoted.text() for quoted in page.css("#results q")] == ["保证金多少"]
