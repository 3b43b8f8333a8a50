"""The DingTalk page and the page of one answer, from the outside."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.channels.answer_links import answer_link
from app.channels.calls import Counted, Month, china_today
from app.channels.replies import Reply
from app.chat.events import Done
from app.chat.history import AnsweredTurn
from app.console.usage import chart_of
from app.identity.access import COOKIE
from app.identity.keys import Scope
from app.identity.users import Role
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT, Passage, Place
from tests.app.test_console import HOSTILE, one, see, served, words

PAGE = "/console/dingtalk"
FIRST = Passage(
    chunk_id="c1",
    document_id="d1",
    document="费用说明.md",
    kb="shop",
    text=f"旗舰店保证金为 50000 元。{HOSTILE}",
    place=Place(heading="保证金", page=3),
    score=0.9,
)
SECOND = Passage(
    chunk_id="c2", document_id="d2", document="未引用.md", kb="shop", text="别的。", place=Place(), score=0.5
)


@asynccontextmanager
async def bot(data: Path, **overrides: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    async with served(data, dingtalk_client_id="app", **overrides) as (http, services):
        yield http, services


async def answered(services: Services, answer: str = "50000 元 [1]。", question: str = "保证金多少？") -> AnsweredTurn:
    talk, turn_id = services.conversations, uuid4().hex
    conversation = await talk.open(DEFAULT_TENANT, None, channel="dingtalk")
    await talk.begin(
        DEFAULT_TENANT,
        turn_id=turn_id,
        conversation_id=conversation,
        question=question,
        kbs=["shop"],
        regenerates=None,
    )
    done = Done(turn_id, conversation, answer, (1,))
    await talk.finish(done, condensed=question, evidence=[FIRST, SECOND], prompt_version=None)
    return await talk.answered(DEFAULT_TENANT, turn_id)


async def shown(services: Services, turn: AnsweredTurn | None, **over: Any) -> Reply:
    given = {"kind": "answer", "place": "p", "target": {}, "rung": "stream", "reason": "normal", **over}
    turn_id = turn.id if turn else None
    reply = Reply(id=uuid4().hex, tenant=DEFAULT_TENANT, channel="dingtalk", turn_id=turn_id, **given)
    return await services.replies.open(reply)


async def group(services: Services, group_id: str = "cid/+==", title: str = "客服群") -> None:
    await services.groups.seen("dingtalk", group_id, tenant=DEFAULT_TENANT, organisation="corp", title=title)


def link(services: Services, turn_id: str, **lasting: Any) -> str:
    return answer_link("http://127.0.0.1:8000/", turn_id, signer=services.jobs.artifacts.signer, **lasting)


# --- the page ---


async def test_who_has_no_bot_yet_is_told_how_to_get_one(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        text = words(await see(http, PAGE))
        assert "COPILOT_DINGTALK_CLIENT_ID" in text
        assert "copilot dingtalk-sandbox" in text
        assert "本月用量" not in text


async def test_a_bot_that_did_nothing_yet_has_a_page_of_empty_lists(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, _):
        page = await see(http, PAGE)
        assert "已配置" in words(page)
        assert len(page.css(".nothing")) == 5
        assert [meter.attributes["data-outlook"] for meter in page.css(".outlook")] == ["unused", "unused"]


async def test_a_bot_that_runs_elsewhere_is_said_to(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.calls.merge("app", [Counted(china_today(), "card_create", 3)])
        text = words(await see(http, PAGE))
        assert "在别的进程里" in text
        assert "3 / 5,000" in text


async def test_the_month_is_shown_with_what_is_used_and_when_it_ends(tmp_path: Path) -> None:
    today = china_today()
    async with bot(tmp_path, dingtalk_monthly_calls=100) as (http, services):
        counted = [
            Counted(today, "card_create", 40),
            Counted(today, "card_stream", 60, throttled=2),
            Counted(today, "webhook", 7),
            Counted(today.replace(day=1) - timedelta(days=1), "card_create", 999),
            Counted(today, "token", 5),
        ]
        await services.calls.merge("app", counted)
        page = await see(http, PAGE)
        assert "100 / 100" in words(page, "[data-quota=calls]")
        assert "本月额度已用完" in words(page, "[data-quota=calls]")
        assert "7 / 3,000" in words(page, "[data-quota=messages]")
        assert "因限流被拒 2 次" in words(page, ".chart")
        assert "卡片流式更新 60" in words(page, ".legend")
        assert len(page.css(".chart g rect.api")) == 3
        assert page.css(".chart [style]") == []


async def test_the_forecast_names_the_day(tmp_path: Path) -> None:
    today = china_today()
    async with bot(tmp_path, dingtalk_monthly_calls=10) as (http, services):
        await services.calls.merge("app", [Counted(today, "card_create", 9)])
        await services.calls.merge("app", [Counted(today - timedelta(days=1), "card_create", 9)])
        page = await see(http, PAGE)
        said = words(page, "[data-quota=calls] .outlook")
        assert re.fullmatch(r"按目前的用量，(额度将在 \d+ 日用完|本月够用)。|本月额度已用完。", said)


def test_a_bar_is_as_high_as_its_day_was_busy_and_its_pieces_fill_it() -> None:
    first = date(2026, 2, 1)
    month = Month(first, (Counted(first, "upload", 50), Counted(first, "card_stream", 150), Counted(first, "token", 9)))
    drawn = chart_of(month)
    (bar,) = drawn.bars
    assert (drawn.top, drawn.last, drawn.width, bar.total) == (200, 28, 280, 200)
    assert [(piece.api, piece.y, piece.height) for piece in bar.pieces] == [
        ("card_stream", 25.0, 75.0),
        ("upload", 0.0, 25.0),
    ]
    assert drawn.totals == {"card_stream": 150, "upload": 50}


async def test_each_recent_answer_says_how_it_was_shown_and_why(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        reply = await shown(services, turn, rung="final", reason="soft_limit")
        await services.replies.close(reply.id, calls=3)
        strange = await shown(services, None, rung="markdown", reason="some_new_code")
        page = await see(http, PAGE)
        row = words(page, f"[data-reply='{reply.id}']")
        assert all(part in row for part in ("保证金多少？", "卡片，一次显示", "本月调用已超过节省线", "已完成", "3"))
        assert "some_new_code" in words(page, f"[data-reply='{strange.id}']")
        to = one(page, f"[data-reply='{reply.id}'] a").attributes["href"]
        assert "50000" in words(await see(http, to or ""))


async def test_a_group_is_bound_and_unbound_here(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        await group(services)
        for name in ("shop", "rules"):
            await services.knowledge.create(DEFAULT_TENANT, name)
        wanted = {"group": "cid/+==", "scope": "some", "kb": ["shop", "rules"]}
        assert (await http.post(f"{PAGE}/groups/binding", data=wanted)).status_code == 303
        assert (await services.groups.scope("dingtalk", "cid/+==")).knowledge_bases == ("shop", "rules")
        assert "shop rules" in words(await see(http, PAGE), "[data-group]")

        for wrong in (
            {"scope": "some"},
            {"scope": ""},
            {"scope": "some", "kb": "none"},
            {"scope": "all", "group": "x"},
        ):
            refused = await http.post(f"{PAGE}/groups/binding", data={"group": "cid/+==", **wrong})
            assert refused.status_code in (404, 422), wrong
        assert (await services.groups.scope("dingtalk", "cid/+==")).knowledge_bases == ("shop", "rules")

        await http.post(f"{PAGE}/groups/binding", data={"group": "cid/+==", "scope": "all", "kb": ["shop"]})
        assert (await services.groups.scope("dingtalk", "cid/+==")).knowledge_bases is None


async def test_the_operators_group_is_named_and_unnamed_here(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        await group(services)
        assert (await http.post(f"{PAGE}/groups/operators", data={"group": "cid/+=="})).status_code == 303
        assert await services.groups.operators(DEFAULT_TENANT) is not None
        assert "运营群" in words(await see(http, PAGE), "[data-group]")
        await http.post(f"{PAGE}/groups/operators")
        assert await services.groups.operators(DEFAULT_TENANT) is None


async def test_an_administrator_gives_roles_and_takes_them_back(tmp_path: Path) -> None:
    async with bot(tmp_path, require_keys=True) as (http, services):
        user = await services.users.seen("dingtalk", "corp", "u1", tenant=DEFAULT_TENANT, name="张三")
        _, writer = await services.keys.issue(DEFAULT_TENANT, "writer", scope=Scope.WRITE)
        _, admin = await services.keys.issue(DEFAULT_TENANT, "admin", scope=Scope.ADMIN)
        path = f"{PAGE}/users/{user.id}/role"
        http.cookies.set(COOKIE, writer)
        assert (await http.post(path, data={"role": "admin"})).status_code == 403
        assert (await see(http, PAGE)).css("[data-user] select") == []
        http.cookies.set(COOKIE, admin)
        assert (await http.post(path, data={"role": "operator"})).status_code == 303
        (member,) = await services.users.list(DEFAULT_TENANT)
        assert member.user.role is Role.OPERATOR
        assert (member.role_by or "").startswith("key:")
        assert one(await see(http, PAGE), "[data-user] option[selected]").attributes["value"] == "operator"
        assert (await http.post(path, data={"role": ""})).status_code == 303
        assert (await services.users.list(DEFAULT_TENANT))[0].role_by is None
        assert (await http.post(path, data={"role": "king"})).status_code == 422


async def test_an_answer_given_here_waits_to_be_brought_to_the_asker(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        handoff = await services.handoffs.open(DEFAULT_TENANT, turn, channel="dingtalk", asker="张三", target={})
        card = words(await see(http, PAGE), "[data-handoff]")
        assert all(part in card for part in ("#1", "张三", "保证金多少？", "50000 元 [1]。", "费用说明.md"))
        path = f"{PAGE}/handoffs/1"
        assert (await http.post(path, data={"text": " "})).status_code == 422
        assert (await http.post(path, data={"text": "5 万元，可分期。"})).status_code == 303
        (untold,) = await services.handoffs.untold("dingtalk")
        assert (untold.id, untold.reply, untold.replied_by) == (handoff.id, "5 万元，可分期。", "local")
        page = await see(http, PAGE)
        assert page.css("[data-handoff]") == []
        assert "5 万元，可分期。" in words(page, "[data-curated]")
        again = await http.post(path, data={"text": "6 万"})
        assert again.status_code == 409
        assert "第 1 号问题已经有人回答了" in again.text
        assert (await http.post(f"{PAGE}/handoffs/9", data={"text": "x"})).status_code == 404


async def test_who_may_only_read_sees_no_forms_and_another_tenant_sees_nothing(tmp_path: Path) -> None:
    async with bot(tmp_path, require_keys=True) as (http, services):
        await group(services)
        turn = await answered(services)
        await shown(services, turn)
        await services.handoffs.open(DEFAULT_TENANT, turn, channel="dingtalk", asker="张三", target={})
        await services.users.seen("dingtalk", "corp", "u1", tenant=DEFAULT_TENANT, name="张三")
        await services.calls.merge("app", [Counted(china_today(), "card_create", 3)])
        _, reader = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.READ)
        http.cookies.set(COOKIE, reader)
        page = await see(http, PAGE)
        assert page.css("main form") == []
        assert len(page.css("[data-handoff], [data-group], [data-user], [data-reply]")) == 4
        for path in ("groups/binding", "groups/operators", "handoffs/1"):
            assert (await http.post(f"{PAGE}/{path}", data={"text": "x", "group": "cid/+=="})).status_code == 403

        await services.parts.catalog.ensure_tenant("other", "other")
        _, stranger = await services.keys.issue("other", "stranger", scope=Scope.ADMIN)
        http.cookies.set(COOKIE, stranger)
        page = await see(http, PAGE)
        assert page.css("[data-handoff], [data-group], [data-user], [data-reply], [data-quota]") == []
        assert (await http.post(f"{PAGE}/handoffs/1", data={"text": "x"})).status_code == 404
        assert (await http.post(f"{PAGE}/groups/operators", data={"group": "cid/+=="})).status_code == 404


async def test_the_page_speaks_english_and_what_people_wrote_never_becomes_markup(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        await group(services, title=HOSTILE)
        turn = await answered(services, HOSTILE, HOSTILE)
        await shown(services, turn, reason=HOSTILE[:40])
        await services.handoffs.open(DEFAULT_TENANT, turn, channel="dingtalk", asker=HOSTILE, target={})
        await services.users.seen("dingtalk", "corp", "u1", tenant=DEFAULT_TENANT, name=HOSTILE)
        await services.calls.merge("app", [Counted(china_today(), "card_create", 3)])
        page = HTMLParser((await http.get(PAGE, headers={"accept-language": "en"})).text)
        assert page.css("main img, main script") == []
        for switch in page.css("form[data-language], script, .handoff"):
            switch.decompose()
        assert re.findall(r"[\u3000-\u9fff]", page.html or "") == []


# --- one whole answer ---


async def test_a_signed_link_shows_the_whole_answer_with_its_sources_and_needs_no_key(tmp_path: Path) -> None:
    async with bot(tmp_path, require_keys=True) as (http, services):
        turn = await answered(
            services, "**50000** 元 [1]，另见 [2](https://example.com/x)。\n\n| a | b |\n|--|-:|\n| 1 | 2 |"
        )
        page = await see(http, link(services, turn.id))
        assert words(page, "h1") == "保证金多少？"
        assert one(page, ".prose strong").text() == "50000"
        assert one(page, ".prose td[align=right]").text() == "2"
        assert one(page, ".prose a.cite").attributes["href"] == "#source-1"
        assert one(page, ".prose a[rel]").attributes["href"] == "https://example.com/x"
        assert [words(page, "#source-1")[:6]] == ["旗舰店保证金"]
        assert "第 3 页" in words(page, ".source")
        assert len(page.css(".source")) == 1
        answer = await http.get(link(services, turn.id))
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_nothing_in_an_answer_runs_loads_or_leads_astray(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        hostile = f"{HOSTILE} ![图](https://evil.example/p.png) [x](javascript:alert(1)) [y](data:text/html,1) [2] [9]"
        page = await see(http, link(services, (await answered(services, hostile)).id))
        assert page.css("script, img, .prose a, [style]") == []
        assert "图" in words(page, ".prose")


@pytest.mark.parametrize(
    ("tamper", "sentence"),
    [
        (lambda url: url.replace("signature=", "signature=0"), "不是本服务发出的"),
        (lambda url: url.replace("expires=", "expires=9"), "不是本服务发出的"),
        (lambda url: url.partition("?")[0], "不是本服务发出的"),
        (lambda url: re.sub(r"expires=\d+", "expires=never", url), "不是本服务发出的"),
    ],
)
async def test_a_link_that_is_not_ours_opens_nothing(tmp_path: Path, tamper: Any, sentence: str) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        page = await see(http, tamper(link(services, turn.id)), status=403)
        assert sentence in words(page)
        assert "50000" not in (page.html or "")


async def test_a_link_ends_and_a_files_signature_opens_no_answer(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        expired = link(services, turn.id, lasting=timedelta(seconds=-1))
        page = await see(http, expired, status=403)
        assert "链接已过期" in words(page)
        assert "重新提问" in words(page)
        of_file = services.jobs.artifacts.signer.query(turn.id)
        await see(http, f"/a/{turn.id}?{of_file}", status=403)
        await see(http, link(services, "0" * 32), status=404)


async def test_an_answer_that_is_not_complete_says_so(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        await services.conversations.fail(turn.id, code="interrupted", partial="五万")
        assert "没有完成" in words(await see(http, link(services, turn.id)), ".note")
