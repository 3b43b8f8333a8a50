"""The DingTalk page from the outside: what it shows, to whom, and what can be done there."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.channels.calls import Counted, Month, china_today
from app.channels.replies import Reply
from app.chat.history import AnsweredTurn
from app.console.usage import chart_of
from app.identity.access import COOKIE
from app.identity.keys import Scope
from app.identity.users import Role
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.console.chats import answered, bot
from tests.app.console.visits import HOSTILE, one, see, served, words

PAGE = "/console/dingtalk"


async def shown(services: Services, turn: AnsweredTurn | None, **over: Any) -> Reply:
    given = {"kind": "answer", "place": "p", "target": {}, "rung": "stream", "reason": "normal", **over}
    turn_id = turn.id if turn else None
    reply = Reply(id=uuid4().hex, tenant=DEFAULT_TENANT, channel="dingtalk", turn_id=turn_id, **given)
    return await services.replies.open(reply)


async def group(services: Services, group_id: str = "cid/+==", title: str = "客服群") -> None:
    await services.groups.seen("dingtalk", group_id, tenant=DEFAULT_TENANT, organisation="corp", title=title)


async def test_who_has_no_bot_yet_is_told_how_to_get_one(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        text = words(await see(http, PAGE))
        assert "COPILOT_DINGTALK_CLIENT_ID" in text
        assert "copilot dingtalk-sandbox" in text
        assert "本月用量" not in text


async def test_a_bot_that_did_nothing_yet_has_a_page_of_empty_lists(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, _):
        page = await see(http, PAGE)
        assert "机器人没有运行" in words(page)
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
