"""Prompts in the console: a draft with its flaws at their lines, tried beside the live one, published, taken back."""

from pathlib import Path

from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.chat.prompts import NAMES
from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import HOSTILE, one, see, words
from tests.app.prompts.serving import CHANGED, MARK, QUESTION, answering, published, served, told

ANSWER = "/console/prompts/answer"


async def test_the_list_names_every_template_and_what_is_live(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        await published(http)
        page = await see(http, "/console/prompts")
        assert [card.attributes["data-prompt"] for card in page.css("[data-prompt]")] == list(NAMES)
        assert "线上：第 1 版" in words(page, "[data-prompt=answer]")
        assert "线上：出厂版本" in words(page, "[data-prompt=work]")


async def test_a_draft_is_made_edited_published_and_taken_back(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await http.post(f"{ANSWER}/drafts", data={"base": "0"})
        assert made.headers["location"] == f"{ANSWER}?v=1"
        page = await see(http, ANSWER)  # the newest draft is what is shown
        was = one(page, "#edit [name=was]").attributes["value"] or ""
        saved = await http.post(f"{ANSWER}/versions/1", data={"text": CHANGED, "note": HOSTILE, "was": was})
        assert "草稿已保存" in words(await see(http, saved.headers["location"]))
        page = await see(http, f"{ANSWER}?v=1&to=0")
        assert [line.text().strip() for line in page.css(".diff-line.new ins")] == [f"新增 {MARK}"]
        assert page.css_first("main script, main img") is None  # the note is shown, not run
        late = await http.post(f"{ANSWER}/versions/1", data={"text": "Mine", "was": was})
        assert late.status_code == 422
        late = await http.post(f"{ANSWER}/versions/1", data={"text": CHANGED + "Mine", "was": was})
        assert late.status_code == 409
        assert "Mine" in one(HTMLParser(late.text), "#text").text()
        live = await http.post(f"{ANSWER}/versions/1/publish")
        assert "已发布" in words(await see(http, live.headers["location"]))
        assert (await services.prompts.live(DEFAULT_TENANT)).answer.version.startswith("v1-")
        assert (await see(http, f"{ANSWER}?v=1")).css_first("#text") is None
        back = await http.post(f"{ANSWER}/roll-back", data={"to": "0"})
        assert "已切换" in words(await see(http, back.headers["location"]))
        rows = {
            row.attributes["data-version"]: words(row, "td")
            for row in (await see(http, ANSWER)).css("tr[data-version]")
        }
        assert rows == {"1": "曾发布", "0": "线上"}


async def test_flaws_are_shown_at_their_lines_while_typing_and_on_saving(tmp_path: Path) -> None:
    broken = CHANGED.replace(MARK, "用 {price} 回答")
    line = broken.splitlines().index("用 {price} 回答") + 1
    async with served(tmp_path) as (http, services):
        await http.post(f"{ANSWER}/drafts", data={"base": "0"})
        for path in (f"{ANSWER}/check", f"{ANSWER}/versions/1"):
            page = HTMLParser((await http.post(path, data={"text": broken.replace("\n", "\r\n")})).text)
            (flaw,) = page.css("[data-line]")
            assert flaw.attributes["data-line"] == str(line)
            assert "{price}" in flaw.text()
            assert f"第 {line} 行：没有变量“price”" in page.text()
        assert "{price}" in one(page, "#text").text()
        assert MARK not in (await services.prompts.version(DEFAULT_TENANT, "answer", 1)).text


async def test_the_text_in_the_editor_is_tried_beside_the_live_version_on_a_recent_question(tmp_path: Path) -> None:
    model, answerer = answering([f"50000 元[1] {HOSTILE}"])
    async with served(tmp_path, answerer) as (http, _):
        turn = await told(http)
        await http.post(f"{ANSWER}/drafts", data={"base": "0"})
        page = await see(http, ANSWER)
        assert [each.attributes["value"] for each in page.css("#try option")] == ["", turn["turn_id"]]
        tried = HTMLParser(
            (await http.post(f"{ANSWER}/preview", data={"turn_id": turn["turn_id"], "text": CHANGED})).text
        )
        assert words(tried, ".side-question") == QUESTION
        assert ["50000 元[1]" in side.text() for side in tried.css(".side")] == [True, True]
        assert "费用.md" in words(tried, ".side-passages .cited")
        assert tried.css_first("script, img") is None
        assert sum(MARK in call.messages[0].content for call in model.calls) == 1
        refused = await http.post(f"{ANSWER}/preview", data={"question": "?", "text": "x"})
        assert "缺少分段" in words(HTMLParser(refused.text), ".note.bad") or "第 1 行" in refused.text


async def test_without_a_model_nothing_is_tried_and_who_only_reads_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        _, key = await services.keys.issue(DEFAULT_TENANT, "w", scope=Scope.WRITE)
        http.headers["Authorization"] = f"Bearer {key}"
        await http.post(f"{ANSWER}/drafts", data={"base": "0"})
        page = await see(http, ANSWER)
        assert "COPILOT_MODEL_BASE_URL" in words(page)
        assert page.css_first("#publish") is None
        assert (await http.post(f"{ANSWER}/versions/1/publish")).status_code == 403
        _, key = await services.keys.issue(DEFAULT_TENANT, "r", scope=Scope.READ)
        http.headers["Authorization"] = f"Bearer {key}"
        assert (await see(http, ANSWER)).css_first("main form") is None
        assert (await http.post(f"{ANSWER}/drafts", data={"base": "0"})).status_code == 403
        assert (await http.get("/console/prompts/none")).status_code == 404
        assert (await http.get(f"{ANSWER}?v=99")).status_code == 404


async def test_the_english_pages_have_no_chinese_of_ours(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        http.cookies.set("copilot_lang", "en")
        await published(http)
        page = await see(http, f"{ANSWER}?v=1&to=0")
        for part in page.css("form[data-language], script, .prompt-text, .diff, .prompt-head .quiet, td"):
            part.decompose()
        assert not any("\u4e00" <= sign <= "\u9fff" for sign in page.html or "")
