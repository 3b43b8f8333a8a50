"""DingTalk calls our URL: only what it signed itself is taken in. (No call of the real service is seen here.)"""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bots.dingtalk import signatures
from bots.dingtalk.callbacks import CLICKS, MESSAGES, callback_app
from bots.messages import CardAction, Incoming
from knowledge.errors import Forbidden

SECRET = "this is a secret"
CARD_SECRET = "another secret"
NOW = 1_577_262_236.757
MESSAGE = {
    "msgId": "m1",
    "msgtype": "text",
    "text": {"content": " 运费多少"},
    "conversationType": "2",
    "conversationId": "cid",
    "senderStaffId": "u1",
}
CLICK = {"outTrackId": "T1", "corpId": "dingC", "userId": "u1", "content": '{"params":{"action":"accept"}}'}


class Bot:
    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.actions: list[CardAction] = []

    async def on_message(self, message: Incoming) -> None:
        self.messages.append(message)

    async def on_action(self, action: CardAction) -> Mapping[str, Any]:
        self.actions.append(action)
        return {"cardData": {"cardParamMap": {"status": "ok"}}}


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def app(bot: Bot) -> FastAPI:
    return callback_app(
        bot.on_message, bot.on_action, robot="cid", client_secret=SECRET, card_secret=CARD_SECRET, clock=lambda: NOW
    )


async def post(app: FastAPI, path: str, body: bytes | dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot") as browser:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        return await browser.post(path, content=content, headers=raw)


def signed(*, at: float = NOW, secret: str = SECRET) -> dict[str, str]:
    timestamp = str(int(at * 1000))
    return {"timestamp": timestamp, "sign": signatures.timed(secret, timestamp)}


def card_signed(*, at: float = NOW, secret: str = CARD_SECRET) -> dict[str, str]:
    timestamp = str(int(at * 1000))
    return {
        "x-ddpaas-signature-timestamp": timestamp,
        "x-ddpaas-signature": signatures.of_card(secret, timestamp),
    }


def test_the_signature_is_the_documents() -> None:
    assert signatures.timed(SECRET, "1577262236757") == "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="


async def test_a_signed_message_is_taken_in(app: FastAPI, bot: Bot) -> None:
    answer = await post(app, MESSAGES, MESSAGE, signed())
    assert (answer.status_code, answer.json()) == (200, {"msgtype": "empty"})
    assert [(message.text, message.robot) for message in bot.messages] == [("运费多少", "cid")]


async def test_a_signed_click_is_answered_with_what_changes(app: FastAPI, bot: Bot) -> None:
    answer = await post(app, CLICKS, CLICK, card_signed())
    assert (answer.status_code, answer.json()) == (200, {"cardData": {"cardParamMap": {"status": "ok"}}})
    assert [action.action for action in bot.actions] == ["accept"]


@pytest.mark.parametrize("skew", [-3599, 3599])
async def test_an_hour_is_not_too_old(app: FastAPI, skew: int) -> None:
    assert (await post(app, MESSAGES, MESSAGE, signed(at=NOW + skew))).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(secret="wrong"),
        signed(at=NOW - 3601),
        signed(at=NOW + 3601),
        {**signed(), "sign": ""},
        {**signed(), "timestamp": str(int(NOW * 1000) + 1)},
        {"timestamp": "soon", "sign": signatures.timed(SECRET, "soon")},
        {"timestamp": "9" * 5000, "sign": signatures.timed(SECRET, "9" * 5000)},
        {"timestamp": "", "sign": signatures.timed(SECRET, "")},
        {"timestamp": str(int(NOW * 1000)), "sign": "签名".encode().decode("latin-1")},
        card_signed(),
    ],
)
async def test_a_message_that_dingtalk_did_not_sign_is_refused(app: FastAPI, bot: Bot, headers: dict[str, str]) -> None:
    answer = await post(app, MESSAGES, MESSAGE, headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")
    assert bot.messages == []


@pytest.mark.parametrize("headers", [{}, card_signed(secret="wrong"), card_signed(at=NOW - 3601), signed()])
async def test_a_click_that_dingtalk_did_not_sign_is_refused(app: FastAPI, bot: Bot, headers: dict[str, str]) -> None:
    assert (await post(app, CLICKS, CLICK, headers)).status_code == 403
    assert bot.actions == []


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"\xff", b"[" * 100_000, {}, {"msgId": 5}])
async def test_rubbish_is_refused_and_nothing_else_happens(
    app: FastAPI, bot: Bot, body: bytes | dict[str, Any]
) -> None:
    assert (await post(app, MESSAGES, body, signed())).status_code == 422
    assert (await post(app, CLICKS, body, card_signed())).status_code == 422
    assert bot.messages == bot.actions == []


async def test_a_body_without_end_is_not_read(app: FastAPI, bot: Bot) -> None:
    answer = await post(app, MESSAGES, bytes(3 << 20), signed())
    assert answer.status_code == 413
    assert bot.messages == []


async def test_nothing_else_is_served(app: FastAPI) -> None:
    for path in ("/", "/docs", "/openapi.json", "/dingtalk"):
        assert (await post(app, path, b"", signed())).status_code == 404


def test_the_check_goes_by_the_clock() -> None:
    headers = signed(at=time.time())
    signatures.check_message(headers, SECRET, now_ms=time.time() * 1000)
    with pytest.raises(Forbidden):
        signatures.check_message(headers, SECRET, now_ms=NOW * 1000)
