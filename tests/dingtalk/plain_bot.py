"""A bot of a few lines, on aiohttp, that does exactly what a test tells it: right or wrong."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation

MESSAGES = ("CALLBACK", "/v1.0/im/bot/messages/get")
CLICKS = ("CALLBACK", "/v1.0/card/instances/callback")
EVENTS = ("EVENT", "*")


class PlainBot:
    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.session = session
        self._token: str | None = None

    async def open(self, *topics: tuple[str, str], wrong: bool = False) -> tuple[int, Any]:
        subscriptions = [{"type": kind, "topic": topic} for kind, topic in topics or (MESSAGES, CLICKS, EVENTS)]
        body = {
            "clientId": "cid",
            "clientSecret": "wrong" if wrong else "sec",
            "subscriptions": subscriptions,
            "ua": "",
            "localIp": "",
        }
        return await self.post("/v1.0/gateway/connections/open", body, token=None)

    async def connect(self, *topics: tuple[str, str]) -> "Line":
        _, opened = await self.open(*topics)
        return Line(await self.session.ws_connect(f"{opened['endpoint']}?ticket={opened['ticket']}"))

    async def token(self) -> str:
        if self._token is None:
            _, body = await self.post("/v1.0/oauth2/accessToken", {"appKey": "cid", "appSecret": "sec"}, token=None)
            self._token = body["accessToken"]
        return self._token

    async def post(self, path: str, body: Any, *, token: str | None = "", method: str = "POST") -> tuple[int, Any]:
        """Status and JSON; ``token`` "" is ours, None none."""
        headers = {} if token is None else {"x-acs-dingtalk-access-token": token or await self.token()}
        url = path if path.startswith("http") else self.gateway.url + path
        async with self.session.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            return response.status, json.loads(text) if response.content_type == "application/json" else text

    async def put(self, path: str, body: Any) -> tuple[int, Any]:
        return await self.post(path, body, method="PUT")

    async def card(self, name: str, where: Conversation, *, template: str = "answer", **over: Any) -> tuple[int, Any]:
        """Created and delivered; to a group, or to its one member."""
        space = f"IM_GROUP.{where.id}" if where.kind == "group" else f"IM_ROBOT.{where.members[0].staff_id}"
        body = {
            "cardTemplateId": template,
            "outTrackId": name,
            "cardData": {"cardParamMap": {"content": "…"}},
            "callbackType": "STREAM",
            "openSpaceId": f"dtv1.card//{space}",
            "imGroupOpenDeliverModel": {"robotCode": "cid"},
            "imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT"},
            **over,
        }
        return await self.post("/v1.0/card/instances/createAndDeliver", body)

    async def frame(self, name: str, text: str, *, guid: str, final: bool = False, **over: Any) -> tuple[int, Any]:
        frame = {"outTrackId": name, "guid": guid, "key": "content", "content": text, "isFull": True}
        return await self.put("/v1.0/card/streaming", {**frame, "isFinalize": final, "isError": False, **over})


class Line:
    """A connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def frame(self, *, pings: bool = False) -> Any:
        """The next one, without a word; pings are echoed on the way, unless they are wanted."""
        while True:
            frame = json.loads((await self.socket.receive(timeout=10)).data)
            if pings or frame["headers"]["topic"] != "ping":
                return frame
            await self.acknowledge(frame, data=frame["data"])

    async def acknowledge(self, frame: Any, response: Any = "OK", **over: Any) -> None:
        headers = {"contentType": "application/json", "messageId": frame["headers"]["messageId"]}
        ack = {"code": 200, "headers": headers, "message": "", "data": json.dumps({"response": response}), **over}
        await self.socket.send_str(json.dumps(ack))

    async def take(self) -> Any:
        """The next frame's data, acknowledged."""
        frame = await self.frame()
        await self.acknowledge(frame)
        return json.loads(frame["data"])


@asynccontextmanager
async def plain_bot(gateway: Gateway) -> AsyncIterator[PlainBot]:
    gateway.register_template("answer", {"content": "markdown", "status": "text", "sources": "json"})
    gateway.register_template("job", {"percent": "number"}, streaming_key=None)
    async with aiohttp.ClientSession() as session:
        yield PlainBot(gateway, session)
