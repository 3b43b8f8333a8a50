"""DingTalk's other way in: it calls a URL of ours. The same messages and clicks as over the stream, signed."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request

from app import errors
from app.api.limits import BodyLimit
from bots.dingtalk import signatures
from bots.dingtalk.incoming import action_of, incoming_of
from bots.dingtalk.replies import OnAction, OnMessage
from knowledge.errors import InvalidInput

MESSAGES = "/dingtalk/messages"
CLICKS = "/dingtalk/cards"
LARGEST_BODY = 1 << 20  # bytes; a message has some thousand, and a signature is checked after the body was read
_NO_REPLY = {"msgtype": "empty"}


def callback_app(
    on_message: OnMessage,
    on_action: OnAction,
    *,
    robot: str,
    client_secret: str,
    card_secret: str,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """Two routes. ``client_secret`` is the app's, ``card_secret`` is what the cards' route was registered with."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(BodyLimit, max_bytes=LARGEST_BODY)
    errors.install(app)

    @app.post(MESSAGES)
    async def message(request: Request) -> Mapping[str, Any]:
        signatures.check_message(request.headers, client_secret, now_ms=clock() * 1000)
        await on_message(incoming_of(await _body(request), robot=robot))
        return _NO_REPLY

    @app.post(CLICKS)
    async def click(request: Request) -> Mapping[str, Any]:
        signatures.check_card(request.headers, card_secret, now_ms=clock() * 1000)
        return await on_action(action_of(await _body(request)))

    return app


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InvalidInput("This is not JSON.", code="message_malformed") from None
