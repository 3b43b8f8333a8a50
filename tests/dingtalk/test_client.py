"""Calls one by one: tokens (F8), what refusals mean, links that are followed, and what must not be in any log."""

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bots.dingtalk import errors
from bots.dingtalk.addresses import Addresses
from bots.dingtalk.client import Credentials, DingTalkClient
from bots.dingtalk.errors import CardExists, DeliveryUnknown, Throttled, TokenRejected, WebhookExpired
from bots.dingtalk.token import AccessToken, Grant
from bots.dingtalk.wire import Wire
from bots.ports import BudgetSpent, ChannelRefused
from bots.sandbox import faults
from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.people import Conversation
from knowledge.errors import CopilotError, Unavailable
from tests.dingtalk.ours import calls, client_of, texts

HELLO = json.dumps({"title": "你好", "text": "你好"}, ensure_ascii=False)


# --- F8: tokens ---


async def test_twenty_calls_at_once_fetch_one_token(gateway: Gateway, group: Conversation) -> None:
    gateway.fault("token", delay=0.2, action="slow")
    async with client_of(gateway) as client, asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(client.send_to_group(group.id, key="sampleMarkdown", param=HELLO))
    assert calls(gateway, "token") == 1
    assert len(gateway.messages) == 20


async def test_a_revoked_token_is_replaced_once_for_all(gateway: Gateway, group: Conversation) -> None:
    async with client_of(gateway) as client:
        await client.send_to_group(group.id, key="sampleMarkdown", param=HELLO)
        gateway.tokens.revoke_all()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(client.send_to_group(group.id, key="sampleMarkdown", param=HELLO))
    assert calls(gateway, "token") == 2
    assert gateway.journal.most_at_once("token") == 1
    assert len(gateway.messages) == 9


@pytest.mark.parametrize(
    "action", ["auth", 401, faults.refuse(401, "whatever"), faults.errcode(40014), faults.errcode(42001)]
)
async def test_a_token_that_is_never_accepted_is_replaced_once_and_no_more(
    gateway: Gateway, group: Conversation, action: faults.Action | str | int
) -> None:
    gateway.fault("group_send", action=action)
    async with client_of(gateway) as client:
        with pytest.raises(TokenRejected):
            await client.send_to_group(group.id, key="sampleMarkdown", param=HELLO)
    assert (calls(gateway, "token"), calls(gateway, "group_send")) == (2, 2)


async def test_a_wrong_secret_is_final(gateway: Gateway, group: Conversation) -> None:
    async with client_of(gateway, secret="wrong") as client:
        with pytest.raises(ChannelRefused) as refused:
            await client.send_to_group(group.id, key="sampleMarkdown", param=HELLO)
    assert refused.value.error_code == "credentials_refused"
    assert calls(gateway, "group_send") == 0


@pytest.mark.parametrize("action", [500, "html", "reset", "drop", "stall", faults.answer(200, {})])
async def test_without_a_token_the_call_was_surely_not_made(
    gateway: Gateway, group: Conversation, action: faults.Action | str | int
) -> None:
    """So it may be repeated, which a call whose answer was lost may not."""
    gateway.fault("token", action=action)
    async with client_of(gateway, timeout_s=0.3) as client:
        with pytest.raises(Unavailable) as away:
            await client.send_to_group(group.id, key="sampleMarkdown", param=HELLO)
    assert not isinstance(away.value, DeliveryUnknown)
    assert calls(gateway, "group_send") == 0


async def test_ten_who_wait_for_a_token_that_fails_ask_once(gateway: Gateway, group: Conversation) -> None:
    gateway.fault("token", delay=0.2, action="busy")
    async with client_of(gateway) as client:
        sends = (client.send_to_group(group.id, key="sampleMarkdown", param=HELLO) for _ in range(10))
        failed = await asyncio.gather(*sends, return_exceptions=True)
    assert all(isinstance(failure, Unavailable) for failure in failed)
    assert calls(gateway, "token") == 1


async def test_a_token_of_one_second_is_used_while_it_lives() -> None:
    now, fetched = [0.0], []

    async def fetch() -> Grant:
        fetched.append(now[0])
        return Grant(f"token-{len(fetched)}", 1.0)

    token = AccessToken(fetch, clock=lambda: now[0])
    assert [await token.get() for _ in range(3)] == ["token-1"] * 3
    now[0] = 0.95
    assert await token.get() == "token-2"
    token.reject("token-1")
    assert await token.get() == "token-2"
    token.reject("token-2")
    assert await token.get() == "token-3"


async def test_whoever_gives_up_waiting_for_a_token_leaves_it_to_the_others(
    gateway: Gateway, group: Conversation
) -> None:
    gateway.fault("token", delay=0.2, action="slow")
    async with client_of(gateway) as client:
        first = asyncio.ensure_future(client.send_to_group(group.id, key="sampleMarkdown", param=HELLO))
        await gateway.wait_for(lambda: calls(gateway, "token") == 1)
        second = asyncio.ensure_future(client.send_to_group(group.id, key="sampleMarkdown", param=HELLO))
        await asyncio.sleep(0)
        first.cancel()
        await second
    assert len(gateway.messages) == 1


async def test_uploads_use_the_older_token_where_the_newer_is_not_taken(gateway: Gateway) -> None:
    gateway.tokens.oapi_wants_legacy = True
    async with client_of(gateway) as client:
        media = [await client.upload(b"\x89PNG", media_type="image/png") for _ in range(2)]
    assert list(gateway.media.uploads) == media
    assert [call.code for call in gateway.calls if call.route == "upload"] == ["40014", "40014", "", ""]


# --- what refusals mean ---


def refusal(status: int, said: object) -> CopilotError:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    with pytest.raises(CopilotError) as raised:
        errors.answer(status, body)
    return raised.value


@pytest.mark.parametrize(
    ("status", "said", "family", "code"),
    [
        (403, {"code": "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}, Throttled, "channel_throttled"),
        (403, {"code": "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"}, Throttled, "channel_throttled"),
        (403, {"code": "Forbidden.AccessDenied.QpsLimitForApi"}, Throttled, "channel_throttled"),
        (400, {"code": "send.too.fast"}, Throttled, "channel_throttled"),
        (429, {}, Throttled, "channel_throttled"),
        (200, {"errcode": 90018}, Throttled, "channel_throttled"),
        (200, {"errcode": 410100}, Throttled, "channel_throttled"),
        (403, {"code": "Forbidden.AccessDenied.ApiCountLimitForOrg"}, BudgetSpent, "channel_budget_spent"),
        (200, {"errcode": 90020}, BudgetSpent, "channel_budget_spent"),
        (400, {"code": "InvalidAuthentication"}, TokenRejected, "token_rejected"),
        (401, {}, TokenRejected, "token_rejected"),
        (200, {"errcode": 88}, TokenRejected, "token_rejected"),
        (200, {"errcode": 40001}, TokenRejected, "token_rejected"),
        (400, {"code": "invalidClientIdOrSecret"}, ChannelRefused, "credentials_refused"),
        (401, {"code": "authFailed"}, ChannelRefused, "credentials_refused"),
        (
            403,
            {"code": "Forbidden.AccessDenied.AccessTokenPermissionDenied"},
            ChannelRefused,
            "permission_missing",
        ),
        (403, {"code": "Forbidden.AccessDenied.IpNotInWhiteList"}, ChannelRefused, "address_not_allowed"),
        (200, {"errcode": 300001}, WebhookExpired, "webhook_expired"),
        (400, {"code": "session.expired"}, WebhookExpired, "webhook_expired"),
        (400, {"code": "param.cardAlreadyExist"}, CardExists, "card_exists"),
        (400, {"code": "param.cardNotExist"}, ChannelRefused, "card_unknown"),
        (400, {"code": "param.stream.outTrackId"}, ChannelRefused, "card_unknown"),
        (400, {"code": "param.stream.content"}, ChannelRefused, "too_large"),
        (200, {"errcode": 460101}, ChannelRefused, "too_large"),
        (400, {"code": "invalidParameter.msgParam.tooLong"}, ChannelRefused, "too_large"),
        (400, {"code": "param.templateUnpublished"}, ChannelRefused, "template_unusable"),
        (400, {"code": "param.contentUnsafe"}, ChannelRefused, "content_refused"),
        (200, {"errcode": 430104}, ChannelRefused, "content_refused"),
        (400, {"code": "invalid.openConversationId"}, ChannelRefused, "recipient_unknown"),
        (400, {"code": "robot.oto.notExist"}, ChannelRefused, "recipient_unknown"),
        (400, {"code": "invalidParameter.robotCode.downloadCode"}, ChannelRefused, "download_expired"),
        (400, {"code": "invalidParameter.robotCode.auth"}, ChannelRefused, "permission_missing"),
        (200, {"errcode": 310000}, ChannelRefused, "signature_refused"),
        (400, {"code": "something.new"}, ChannelRefused, "channel_refused"),
        (200, {"success": False}, ChannelRefused, "channel_refused"),
        (500, {"code": "system.busy"}, Unavailable, "channel_unavailable"),
        (500, {"code": "unknownError"}, Unavailable, "channel_unavailable"),
        (503, b"", Unavailable, "channel_unavailable"),
        (200, {"errcode": -1}, Unavailable, "channel_unavailable"),
        (403, b"<html>punish</html>", Unavailable, "channel_blocked"),
        (200, b"\n <!DOCTYPE html>", Unavailable, "channel_blocked"),
        (200, {"status": 1111, "wait": 5, "punish": "deny"}, Unavailable, "channel_blocked"),
        (502, b"", DeliveryUnknown, "delivery_unknown"),
        (504, {}, DeliveryUnknown, "delivery_unknown"),
        (200, b"ok", DeliveryUnknown, "delivery_unknown"),
        (200, b"[1]", DeliveryUnknown, "delivery_unknown"),
    ],
)
def test_what_a_refusal_means(status: int, said: object, family: type[CopilotError], code: str) -> None:
    error = refusal(status, said)
    assert (type(error), error.error_code) == (family, code)


def test_success_is_success() -> None:
    assert errors.answer(200, b'{"errcode":0,"errmsg":"ok"}') == {"errcode": 0, "errmsg": "ok"}
    assert errors.answer(200, b'{"success":true,"result":true}') == {"success": True, "result": True}
    assert errors.answer(200, b"") == {}


def test_an_error_repeats_nothing_that_was_sent() -> None:
    error = refusal(400, {"code": "bad token\nSECRET", "message": "appSecret SECRET is wrong"})
    assert "SECRET" not in f"{error} {error.message} {error.params}"
    assert refusal(400, {"code": "param.new", "message": "SECRET"}).params == {"reason": "param.new"}


# --- links ---


@pytest.mark.parametrize(
    "link",
    [
        "https://oapi.dingtalk.com/robot/sendBySession?session=1",
        "https://static.dingtalk.com/a.png",
        "http://wukong.oss-cn-zhangjiakou.aliyuncs.com/a?Expires=1&Signature=b%2Fc",
    ],
)
def test_links_to_dingtalk_are_followed(link: str) -> None:
    assert Addresses().checked(link) == link


@pytest.mark.parametrize(
    "link",
    [
        "",
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "https://dingtalk.com.evil.example/",
        "https://evildingtalk.com/",
        "https://evil.example/?dingtalk.com",
        "https://evil.example\\.dingtalk.com/",
        "https://evil.example#.dingtalk.com",
        "https://user@oapi.dingtalk.com/",
        "https://oapi.dingtalk.com@evil.example/",
        "https://oapi.dingtalk.com:8080/",
        "https://oapi.dingtalk.com:99999/",
        "ftp://oapi.dingtalk.com/",
        "file:///etc/passwd",
        "//oapi.dingtalk.com/",
        "https://oapi。dingtalk。com/",
        "https://evil.example/\r\nHost: oapi.dingtalk.com",
        "https://[::1",
    ],
)
def test_links_to_anywhere_else_are_not(link: str) -> None:
    with pytest.raises(ChannelRefused) as refused:
        Addresses().checked(link)
    assert refused.value.error_code == "link_refused"


def test_the_endpoints_of_the_settings_may_be_followed_and_this_machine_only_if_they_are_on_it() -> None:
    elsewhere = Addresses("https://ding.corp.example", "https://oapi.corp.example:8443")
    assert elsewhere.checked("https://oapi.corp.example:8443/robot/sendBySession?session=1")
    for link in ("http://ding.corp.example/", "https://ding.corp.example:9/", "http://127.0.0.1/"):
        with pytest.raises(ChannelRefused):
            elsewhere.checked(link)
    assert Addresses("http://127.0.0.1:5000/").openapi == "http://127.0.0.1:5000"
    assert Addresses("http://127.0.0.1:5000").checked("http://localhost:6000/a")


async def test_a_download_that_leads_elsewhere_is_not_followed(gateway: Gateway) -> None:
    gateway.fault("download", action=faults.answer(200, {"downloadUrl": "http://192.0.2.1/secret"}))
    async with client_of(gateway) as client:
        with pytest.raises(ChannelRefused) as refused:
            await client.download_link("code")
        assert refused.value.error_code == "link_refused"
        with pytest.raises(ChannelRefused):
            await client.fetch("http://192.0.2.1/secret", limit=10)


# --- the wire ---


async def test_text_is_sent_as_utf_8_and_halves_of_characters_do_no_harm(gateway: Gateway, group: Conversation) -> None:
    async with client_of(gateway) as client:
        webhook = gateway.open_session(group)
        await client.post_webhook(webhook, {"msgtype": "text", "text": {"content": "货" * 6000}})
        await client.post_webhook(webhook, {"msgtype": "text", "text": {"content": "a\ud83db"}})
    assert texts(gateway) == ["货" * 6000, "a?b"]


async def test_a_call_has_an_end_even_when_bytes_keep_coming() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    async with a_server(drip) as url, a_wire(timeout_s=0.4) as wire:
        began = asyncio.get_running_loop().time()
        with pytest.raises(DeliveryUnknown):
            await wire.call("POST", url, body={})
        assert asyncio.get_running_loop().time() - began < 5


async def test_more_than_was_asked_for_is_not_read() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(bytes(1 << 20))
            sent += 1
        return response

    async with a_server(endless) as url, a_wire(timeout_s=20) as wire:
        with pytest.raises(ChannelRefused) as refused:
            await wire.fetch(url, limit=100_000, timeout_s=20)
        assert refused.value.error_code == "too_large"
    assert sent < 100


async def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://192.0.2.1/"})

    async with a_server(elsewhere) as url, a_wire() as wire:
        with pytest.raises(ChannelRefused):
            await wire.fetch(url, limit=10, timeout_s=5)


async def test_connections_are_used_again() -> None:
    peers = set()

    async def note(request: web.Request) -> web.StreamResponse:
        peers.add(request.transport)
        return web.json_response({"errcode": 0})

    async with a_server(note) as url, a_wire() as wire:
        for _ in range(5):
            await wire.call("POST", url, body={})
    assert len(peers) == 1


async def test_proxies_of_the_environment_are_not_used(
    gateway: Gateway, group: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with client_of(gateway) as client:
        await client.send_to_group(group.id, key="sampleMarkdown", param=HELLO)


async def test_nothing_secret_is_in_logs_errors_or_values(caplog: pytest.LogCaptureFixture) -> None:
    """Not at DEBUG, not in tracebacks, and not in what objects show of themselves."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with running_gateway(client_secret="secret-of-the-app") as gateway:
        group = gateway.add_group("测试群", [gateway.add_user("u1", "张三")])
        credentials = Credentials("cid", "secret-of-the-app", "cid")
        client = DingTalkClient(credentials, Addresses(gateway.url, gateway.url), timeout_s=0.5)
        webhook = gateway.open_session(group)
        for action in ("slow", "auth", "busy", "reset", "html", "stall"):
            gateway.clear_faults()
            for route in ("open", "group_send", "webhook", "upload"):
                gateway.fault(route, action=action)
            try:
                ticket = await client.open_connection(["topic"])
                told.append(repr(ticket))
            except CopilotError:
                told.append(traceback.format_exc())
            for call in (
                client.send_to_group(group.id, key="sampleMarkdown", param=HELLO),
                client.post_webhook(webhook, {"msgtype": "text", "text": {"content": "…"}}),
                client.upload(b"x", media_type="image/png"),
            ):
                try:
                    await call
                except CopilotError:
                    told.append(traceback.format_exc())
        await client.close()
        secrets = gateway.secrets()
    told += [repr(credentials), repr(client), caplog.text, *(str(record.__dict__) for record in caplog.records)]
    assert len(secrets) >= 3
    assert not [secret for secret in secrets if secret in "".join(told)]


@asynccontextmanager
async def a_wire(*, timeout_s: float = 5.0) -> AsyncIterator[Wire]:
    wire = Wire(timeout_s=timeout_s)
    try:
        yield wire
    finally:
        await wire.close()


@asynccontextmanager
async def a_server(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Answers everything in one way; → its URL."""
    app = web.Application()
    app.router.add_route("*", "/", handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
