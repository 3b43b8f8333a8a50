"""The sandbox's limits: tokens, calls a second, calls and messages a month, and faults on top of them."""

import asyncio
import time

import aiohttp
import pytest

from bots.sandbox.faults import Action, answer, html, rewrite, stall
from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.people import Conversation
from tests.dingtalk.plain_bot import PlainBot, plain_bot

_TOKEN = {"appKey": "cid", "appSecret": "sec"}
_SEND = "/v1.0/robot/groupMessages/send"


def _said(group: Conversation, text: str = "好") -> dict[str, str]:
    return {
        "robotCode": "cid",
        "openConversationId": group.id,
        "msgKey": "sampleText",
        "msgParam": f'{{"content": "{text}"}}',
    }


async def test_a_token_is_renewed_while_it_is_valid(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    first = await bot.token()
    gateway.clock.advance(7000)
    _, again = await bot.post("/v1.0/oauth2/accessToken", _TOKEN, token=None)
    assert again == {"accessToken": first, "expireIn": 7200}
    gateway.clock.advance(7000)
    assert (await bot.post(_SEND, _said(group)))[0] == 200
    gateway.clock.advance(200)
    status, body = await bot.post(_SEND, _said(group))
    assert (status, body["code"]) == (400, "InvalidAuthentication")


async def test_revoked_tokens_are_refused_and_invented_ones_break_a_rule(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    await bot.token()
    gateway.tokens.revoke_all()
    gateway.tokens.refusal_status = 401
    assert (await bot.post(_SEND, _said(group)))[0] == 401
    assert gateway.violations == []
    await bot.post(_SEND, _said(group), token="invented")
    assert gateway.violations == ["token: a call came with no token, or with one that was never issued"]
    _, body = await bot.post("/v1.0/oauth2/accessToken", {**_TOKEN, "appSecret": "x"}, token=None)
    assert body["code"] == "invalidClientIdOrSecret"
    gateway.forgive("token:")


async def test_a_scope_that_the_app_lacks_is_named(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    gateway.tokens.scopes = frozenset({"Card.Instance.Write"})
    status, body = await bot.post(_SEND, _said(group))
    assert (status, body["accessdenieddetail"]) == (403, {"requiredScopes": ["qyapi_robot_sendmsg"]})


async def test_an_api_takes_so_many_calls_in_any_second(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    gateway.limits.qps = 3
    await bot.token()
    answers = await asyncio.gather(*(bot.post(_SEND, _said(group)) for _ in range(25)))
    refused = [body["code"] for status, body in answers if status == 403]
    assert set(refused) == {"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}
    assert sum(call.throttled for call in gateway.calls) == len(refused)
    taken = [message.time for message in gateway.messages]
    assert all(later - earlier > 0.99 for earlier, later in zip(taken, taken[3:], strict=False))
    await bot.card("T1", group, template="job", cardData={"cardParamMap": {}})
    gateway.clock.advance(1)
    assert (await bot.post(_SEND, _said(group)))[0] == 200


async def test_a_month_has_so_many_calls_and_the_next_has_them_again() -> None:
    async with running_gateway(monthly_calls=2) as gateway, plain_bot(gateway) as bot:
        group = gateway.add_group("群")
        for _ in range(2):
            await bot.post(_SEND, _said(group))
        status, body = await bot.post(_SEND, _said(group))
        assert (status, body["code"]) == (403, "Forbidden.AccessDenied.ApiCountLimitForOrg")
        assert gateway.usage.calls == 2
        gateway.clock.advance(32 * 86_400)
        assert gateway.usage.calls == 0


async def test_beyond_the_months_messages_the_text_is_withheld() -> None:
    async with running_gateway(monthly_messages=1) as gateway, plain_bot(gateway) as bot:
        user = gateway.add_user("u1", "张三")
        line = await bot.connect()
        await gateway.push_bot(gateway.single(user), user, "一")
        assert "text" in await line.take()
        await gateway.push_bot(gateway.single(user), user, "二")
        data = await line.take()
        assert (data["errorCode"], "text" in data) == ("20001", False)
        url = gateway.open_session(gateway.single(user))
        assert (await bot.post(url, {"msgtype": "text", "text": {"content": "a"}}))[1]["errcode"] == 90020


@pytest.mark.parametrize(
    ("action", "status", "seen"),
    [
        ("qps", 403, "QpsLimit"),
        (503, 503, "system.error"),
        (answer(200, {"accessToken": ""}), 200, "accessToken"),
        (html(502), 502, "<html>"),
        (rewrite(expireIn=1), 200, "'expireIn': 1"),
        (rewrite(accessToken=None), 200, "{'expireIn': 7200}"),
    ],
)
async def test_a_fault_answers_instead(
    gateway: Gateway, bot: PlainBot, action: Action | str | int, status: int, seen: str
) -> None:
    gateway.fault("token", action=action)
    said = await bot.post("/v1.0/oauth2/accessToken", _TOKEN, token=None)
    assert said[0] == status
    assert seen in str(said[1])
    gateway.clear_faults()
    assert (await bot.post("/v1.0/oauth2/accessToken", _TOKEN, token=None))[1]["expireIn"] == 7200


async def test_faults_choose_their_calls(gateway: Gateway, bot: PlainBot) -> None:
    async def statuses(count: int) -> list[int]:
        return [(await bot.post("/v1.0/oauth2/accessToken", _TOKEN, token=None))[0] for _ in range(count)]

    gateway.fault("token", nth=2, action=500)
    assert await statuses(4) == [200, 500, 200, 200]
    gateway.clear_faults()
    gateway.fault("token", nth=2, every=2, action=403)
    assert await statuses(4) == [200, 403, 200, 403]
    gateway.clear_faults()
    gateway.fault("token", count=2, action=500)
    assert await statuses(3) == [500, 500, 200]
    gateway.clear_faults()
    gateway.fault("token", probability=0.5, action=500)
    assert 3 < (await statuses(30)).count(500) < 27


@pytest.mark.parametrize(
    ("action", "applied"), [("reset", 0), ("drop", 1), (stall(0.1), 0), (stall(0.1, applying=True), 1)]
)
async def test_a_call_is_cut_before_or_after_it_took_effect(
    gateway: Gateway, bot: PlainBot, group: Conversation, action: Action | str, applied: int
) -> None:
    await bot.token()
    gateway.fault("group_send", action=action)
    with pytest.raises(aiohttp.ClientError):
        await bot.post(_SEND, _said(group))
    assert len(gateway.messages) == applied
    await gateway.wait_for(lambda: gateway.calls[-1].ms is not None)
    assert gateway.calls[-1].status == 0


async def test_a_delay_is_a_delay(gateway: Gateway, bot: PlainBot) -> None:
    gateway.fault("token", delay=0.2)
    started = time.monotonic()
    await asyncio.gather(*(bot.post("/v1.0/oauth2/accessToken", _TOKEN, token=None) for _ in range(3)))
    assert time.monotonic() - started >= 0.2
    assert gateway.changed.most_at_once("token") == 3


async def test_an_address_that_is_no_api_breaks_a_rule(gateway: Gateway, bot: PlainBot) -> None:
    assert (await bot.post("/v1.0/im/v1.0/robot/interactiveCards/send", {}))[0] == 404
    assert gateway.check() == ["path: POST /v1.0/im/v1.0/robot/interactiveCards/send is not an API of the sandbox"]
    gateway.forgive("path:")
