"""The APIs that the sandbox has, each with what it takes to be let in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from aiohttp import web

from bots.sandbox.callbacks import Callbacks, Register
from bots.sandbox.card_bodies import Create, Deliver, Stream, Update
from bots.sandbox.cards import Cards
from bots.sandbox.media import Download, Media
from bots.sandbox.robots import GroupSend, Robots, SingleSend, WebhookMessage
from bots.sandbox.streams import Open, Streams
from bots.sandbox.tokens import Tokens
from bots.sandbox.wire import Body, parse, reply

Access: TypeAlias = Literal["free", "header", "query"]
Handler: TypeAlias = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]

CARDS = "Card.Instance.Write"
STREAMING = "Card.Streaming.Write"
SENDING = "qyapi_robot_sendmsg"


@dataclass(frozen=True, slots=True)
class Route:
    """``access``: a token in the header, or in the query (the old API), or none; calls with a token are counted."""

    name: str
    method: str
    path: str
    handle: Handler
    access: Access = "free"
    scope: str | None = None


class TokenRequest(Body):
    app_key: str
    app_secret: str


@dataclass(frozen=True, slots=True)
class Apis:
    """What requests become: one method for each API."""

    base: Callable[[], str]
    tokens: Tokens
    streams: Streams
    cards: Cards
    robots: Robots
    media: Media
    callbacks: Callbacks

    def routes(self) -> list[Route]:
        card, robot = "/v1.0/card", "/v1.0/robot"
        return [
            Route("open", "POST", "/v1.0/gateway/connections/open", self._open),
            Route("connect", "GET", "/connect", self._connect),
            Route("token", "POST", "/v1.0/oauth2/accessToken", self._token),
            Route("token", "GET", "/gettoken", self._legacy_token),
            Route("webhook", "POST", "/robot/sendBySession", self._webhook),
            Route("robot_send", "POST", "/robot/send", self._custom),
            Route("group_send", "POST", f"{robot}/groupMessages/send", self._to_group, "header", SENDING),
            Route("single_send", "POST", f"{robot}/oToMessages/batchSend", self._to_people, "header", SENDING),
            Route("card_create", "POST", f"{card}/instances", self._create, "header", CARDS),
            Route("card_deliver", "POST", f"{card}/instances/deliver", self._deliver, "header", CARDS),
            Route(
                "card_create_and_deliver",
                "POST",
                f"{card}/instances/createAndDeliver",
                self._create_and_deliver,
                "header",
                CARDS,
            ),
            Route("card_update", "PUT", f"{card}/instances", self._update, "header", CARDS),
            Route("card_streaming", "PUT", f"{card}/streaming", self._stream, "header", STREAMING),
            Route("callbacks_register", "POST", f"{card}/callbacks/register", self._register, "header", CARDS),
            Route("download", "POST", f"{robot}/messageFiles/download", self._download, "header"),
            Route("upload", "POST", "/media/upload", self._upload, "query"),
            Route("file", "GET", "/files/{name}", self._file),
        ]

    async def _open(self, _request: web.Request, raw: bytes) -> web.Response:
        ticket = self.streams.open(parse(Open, raw))
        return reply({"endpoint": self.base().replace("http", "ws", 1) + "/connect", "ticket": ticket})

    async def _connect(self, request: web.Request, _raw: bytes) -> web.StreamResponse:
        return await self.streams.connect(request)

    async def _token(self, _request: web.Request, raw: bytes) -> web.Response:
        body = parse(TokenRequest, raw)
        token, seconds = self.tokens.issue(body.app_key, body.app_secret)
        return reply({"accessToken": token, "expireIn": seconds})

    async def _legacy_token(self, request: web.Request, _raw: bytes) -> web.Response:
        query = request.query
        token, seconds = self.tokens.issue_legacy(query.get("appkey", ""), query.get("appsecret", ""))
        return reply({"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": seconds})

    async def _webhook(self, request: web.Request, raw: bytes) -> web.Response:
        return reply(self.robots.by_session(request.query.get("session", ""), raw, parse(WebhookMessage, raw)))

    async def _custom(self, request: web.Request, raw: bytes) -> web.Response:
        return reply(self.robots.by_custom(request.query, raw, parse(WebhookMessage, raw)))

    async def _to_group(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply(self.robots.to_group(parse(GroupSend, raw)))

    async def _to_people(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply(self.robots.to_people(parse(SingleSend, raw)))

    async def _create(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply(self.cards.create(parse(Create, raw)))

    async def _deliver(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply({"success": True, "result": self.cards.deliver(parse(Deliver, raw))})

    async def _create_and_deliver(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply(self.cards.create_and_deliver(parse(Create, raw), parse(Deliver, raw)))

    async def _update(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply(self.cards.update(parse(Update, raw)))

    async def _stream(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply(self.cards.stream(parse(Stream, raw)))

    async def _register(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply(self.callbacks.register(parse(Register, raw)))

    async def _download(self, _request: web.Request, raw: bytes) -> web.Response:
        return reply({"downloadUrl": self.base() + self.media.link(parse(Download, raw))})

    async def _file(self, request: web.Request, _raw: bytes) -> web.Response:
        found = self.media.file(request.match_info["name"])
        return web.Response(body=found.data, content_type=found.media_type)

    async def _upload(self, request: web.Request, _raw: bytes) -> web.Response:
        form = await request.post()
        media = form.get("media")
        if not isinstance(media, web.FileField):
            return reply({"errcode": 41005, "errmsg": "缺少多媒体文件数据"})  # [D]
        with media.file as file:
            data = file.read()
        return reply(self.media.upload(str(form.get("type", "")), data, media.filename, media.content_type))
