"""The sandbox brings messages and clicks to a URL, signed."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.robots import sign
from tests.dingtalk.plain_bot import PlainBot


class Receiver:
    """A URL that writes down what it gets."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], dict[str, object]]] = []
        self.answer: dict[str, object] = {}
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.json()))
        return web.json_response(self.answer)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield receiver
    await runner.cleanup()


async def test_a_message_comes_signed_with_the_apps_secret(
    gateway: Gateway, receiver: Receiver, group: Conversation
) -> None:
    gateway.callbacks.message_url = receiver.url
    push = await gateway.push_bot(group, group.members[0], "你好", wants_answer=False)
    ((headers, body),) = receiver.requests
    assert headers["sign"] == sign(headers["timestamp"], "sec")
    assert body["msgId"] == push.msg_id
    assert push.ack_code == 200


async def test_a_click_comes_to_its_route_and_its_answer_changes_the_card(
    gateway: Gateway, bot: PlainBot, receiver: Receiver, group: Conversation
) -> None:
    registered = {"callbackRouteKey": "r1", "callbackUrl": receiver.url, "apiSecret": "key", "forceUpdate": True}
    assert (await bot.post("/v1.0/card/callbacks/register", registered))[0] == 200
    job = {"template": "job", "cardData": {"cardParamMap": {}}}
    await bot.card("J1", group, **job, callbackType="HTTP", callbackRouteKey="r1")
    receiver.answer = {"cardData": {"cardParamMap": {"percent": "5"}}}
    await gateway.push_card_action("J1", group.members[0], "approve", {"action": "approve"})
    ((headers, body),) = receiver.requests
    digest = hmac.new(b"key", headers["x-ddpaas-signature-timestamp"].encode(), hashlib.sha256).digest()
    assert headers["x-ddpaas-signature"] == base64.b64encode(digest).decode()
    assert json.loads(str(body["content"]))["cardPrivateData"]["actionIds"] == ["approve"]
    assert gateway.cards["J1"].values == {"percent": "5"}


async def test_a_url_that_does_not_answer_loses_the_message(
    gateway: Gateway, receiver: Receiver, group: Conversation
) -> None:
    gateway.callbacks.message_url = "http://127.0.0.1:1/"
    push = await gateway.push_bot(group, group.members[0], "你好")
    assert push.deliveries[0].lost
