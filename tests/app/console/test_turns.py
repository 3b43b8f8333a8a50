"""Answers in the console: a list to find one in, and its receipt."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.console.turns import PER_PAGE
from app.identity.keys import Scope
from app.llm.ports import ModelInterrupted, TextDelta, Usage
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.console.chats import answered
from tests.app.console.visits import HOSTILE, one, see, words
from tests.app.console.visits import served as quoting
from tests.app.test_answer_cache import QUESTION, model
from tests.app.test_receipts import asked, served
from tests.products import FEES, take_in

ANSWER = [TextDelta("50000 元[1][9]"), Usage(1234, 20)]
WORDED = "HB-KT-9999 旗舰店的保证金是多少？"


@asynccontextmanager
async def chatted(data: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Services, dict[str, str]]]:
    """A turn of each kind, by the name of its group."""
    _, answerer = model(ANSWER, ["五万", ModelInterrupted("cut")], ["家居 8%[1]"])
    async with served(data, answerer) as (http, services):
        http.headers["Accept-Language"] = "zh"
        turns = {
            "made": await asked(http),
            "cached": await asked(http),
            "failed": await asked(http, "专营店的保证金是多少？"),
            "refused": await asked(http, WORDED),
            "down": await asked(http, "家居类目的佣金比例是多少？"),
        }
        rating = {"rating": "down", "reason": "outdated", "comment": f"旧了 {HOSTILE}"}
        await http.post(f"/v1/turns/{turns['down']}/feedback", json=rating)
        yield http, services, turns


def listed(page: HTMLParser) -> list[str | None]:
    return [row.attributes["data-turn"] for row in page.css("[data-turn]")]


def counts(page: HTMLParser) -> list[str]:
    return [count.text() for count in page.css("#turns .segments .count")]


async def test_the_list_is_newest_first_and_filtered_by_outcome_and_text(tmp_path: Path) -> None:
    async with chatted(tmp_path) as (http, _, turns):
        page = await see(http, "/console/turns")
        assert listed(page) == list(turns.values())[::-1]
        assert counts(page) == ["5", "1", "1", "1", "1"]
        assert "model_interrupted" in words(page, f"[data-turn='{turns['failed']}']")
        for group in ("refused", "failed", "down", "cached"):
            assert listed(await see(http, f"/console/turns?group={group}")) == [turns[group]], group
        assert listed(await see(http, "/console/turns?group=nonsense")) == listed(page)
        found = await see(http, f"/console/turns?q={quote('hb-kt-9999')}")
        assert (listed(found), counts(found)[0]) == ([turns["refused"]], "1")
        assert listed(await see(http, f"/console/turns?q={turns['made']}")) == [turns["made"]]
        assert listed(await see(http, f"/console/turns?q={quote('五万')}&group=failed")) == [turns["failed"]]
        assert "没有符合条件的回答" in words(await see(http, "/console/turns?q=_%25"))


async def test_a_long_list_has_pages(tmp_path: Path) -> None:
    async with quoting(tmp_path) as (http, services):
        assert "还没有人提问" in words(await see(http, "/console/turns"))
        made = [(await answered(services, question=f"第 {n} 问")).id for n in range(PER_PAGE + 1)]
        first = await see(http, "/console/turns")
        assert listed(first) == made[:0:-1]
        following = one(first, ".pager [rel=next]").attributes["href"] or ""
        assert listed(await see(http, following)) == made[:1]
        assert listed(await see(http, "/console/turns?page=99")) == made[:1]


async def test_a_receipt_shows_how_the_answer_came_about(tmp_path: Path) -> None:
    async with chatted(tmp_path) as (http, _, turns):
        page = await see(http, f"/console/turns/{turns['made']}")
        assert QUESTION in words(page, "h1")
        assert "新生成" in words(page, ".turn-chips")
        assert "1,234 / 20" in words(page, ".at-a-glance")
        assert "价格未知" in words(page, ".at-a-glance")
        assert one(page, "#answer .cite").attributes["href"] == "#source-1"
        assert "已引用" in words(page, "#source-1")
        assert "第 1 名" in words(page, "#source-1 .scores")
        assert "删去了指向不存在片段的编号：9" in words(page, "#checks")
        assert "达到 0.50 即可" in words(page, "#checks")
        assert QUESTION in words(page, "#prompts .prompt > pre:last-child")
        assert "你是商家的知识助手" in words(page, "#prompts")
        assert [row.text() for row in page.css(".waterfall tbody th")] == [
            "检索", "向量化", "语义检索", "关键词检索", "补上下文", "模型：回答", "合计",
        ]  # fmt: skip
        assert "说完了" in words(page, "#calls tbody")
        cached = await see(http, f"/console/turns/{turns['cached']}")
        assert "缓存：问题相同" in words(cached, ".turn-chips")
        assert "1,254" in words(cached, ".at-a-glance")
        assert "没有调用模型" in words(cached, "#prompts")
        http.cookies.set("copilot_lang", "en")
        assert "Where the time went" in words(await see(http, f"/console/turns/{turns['made']}"))


async def test_a_receipt_says_why_nothing_was_said_and_what_people_thought(tmp_path: Path) -> None:
    async with chatted(tmp_path) as (http, _, turns):
        refused = await see(http, f"/console/turns/{turns['refused']}")
        assert "资料里没有这个编号：hb-kt-9999" in words(refused, "#checks")
        assert "没有用于回答" in words(refused, "#source-1")
        failed = await see(http, f"/console/turns/{turns['failed']}")
        assert "大模型的回答中途断开，请重试。 model_interrupted" in words(failed, "#failure")
        down = await see(http, f"/console/turns/{turns['down']}")
        assert "已过时" in words(down, "#feedback")
        assert HOSTILE in one(down, "#feedback .comment").text()
        assert down.css("main img, main script, [style]") == []


async def test_versions_of_an_answer_link_to_each_other(tmp_path: Path) -> None:
    _, answerer = model(ANSWER, ["五万[1]"])
    async with served(tmp_path, answerer) as (http, _):
        first = await asked(http)
        second = (await http.post(f"/v1/turns/{first}/regenerate?stream=false")).json()["turn_id"]
        page = await see(http, f"/console/turns/{first}")
        links = [link.attributes["href"] for link in page.css("#versions a")]
        assert links == [f"/console/turns/{first}", f"/console/turns/{second}"]
        assert one(page, "#versions [aria-current=page]").attributes["href"] == links[0]
        assert page.css("#versions")


async def test_without_a_trail_the_receipt_says_so_and_shows_what_there_is(tmp_path: Path) -> None:
    async with quoting(tmp_path) as (http, services):
        turn = await answered(services)
        page = await see(http, f"/console/turns/{turn.id}")
        assert "90 天" in words(page, "#old")
        assert page.css("#source-1 .scores") == []
        assert "费用说明.md" in words(page, "#source-1")


async def test_quotes_without_a_model_have_a_receipt_too(tmp_path: Path) -> None:
    async with quoting(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        page = await see(http, f"/console/turns/{await asked(http)}")
        assert "没有调用模型" in words(page, ".at-a-glance")
        assert "写出回答" in words(page, ".waterfall")


async def test_the_receipt_is_of_one_tenant_and_for_who_may_read(tmp_path: Path) -> None:
    async with quoting(tmp_path, require_keys=True) as (http, services):
        turn = await answered(services)
        await services.parts.catalog.ensure_tenant("other", "other")
        _, reader = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.READ)
        _, stranger = await services.keys.issue("other", "stranger", scope=Scope.ADMIN)
        away = await http.get(f"/console/turns/{turn.id}")
        assert away.status_code == 303
        for key, status, rows in ((reader, 200, 1), (stranger, 404, 0)):
            http.headers["Authorization"] = f"Bearer {key}"
            await see(http, f"/console/turns/{turn.id}", status=status)
            assert len(listed(await see(http, "/console/turns"))) == rows
