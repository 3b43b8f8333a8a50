"""The page's server: on the loopback address, for a browser on this machine and pages of its own only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bots.sandbox.gateway import Gateway
from bots.sandbox.page import view
from bots.sandbox.page.cast import Cast
from bots.sandbox.page.feed import Feed
from bots.sandbox.page.figures import figures
from bots.sandbox.page.layouts import layout
from bots.sandbox.page.speech import Speaker, Speech
from bots.sandbox.page.troubles import TROUBLES, Troubles
from bots.sandbox.streams import NotConnected
from bots.sandbox.wire import Json, dump

STATIC = Path(__file__).parent / "static"
GATHER_SECONDS = 0.05  # what changes together is told together
LOOK_SECONDS = 0.5
ANSWER_SECONDS = 5.0  # DingTalk gives a click two; then we say so
_BODY = 24 << 20  # bytes: more than a picture may have
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PICTURES = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"}
_POLICY = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

Wanted = TypeVar("Wanted", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BotProcess(Protocol):
    """Whoever runs the bot; it is started again by itself."""

    def kill(self) -> None:
        """At once, without a word: ``kill -9``."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the page is given. ``layouts`` is template id → file; ``widget`` the folder of the chat page's modules;
    ``photos`` are product photographs to send; ``questions`` things to ask, by language; ``links`` are shown on top."""

    cast: Cast
    layouts: Mapping[str, Path]
    widget: Path
    photos: Sequence[Path] = ()
    questions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    bot: BotProcess | None = None


class Click(BaseModel):
    card: str
    user: str
    action: str
    params: dict[str, str] = {}


class Switch(BaseModel):
    id: str
    on: bool = True


class Advance(BaseModel):
    """Seconds, a month at most."""

    seconds: float


@asynccontextmanager
async def running_page(gateway: Gateway, parts: Parts, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serves until it is left; → its URL. Raises OSError when it cannot listen there."""
    page = _Page(gateway, parts)
    runner = web.AppRunner(page.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_address=True).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await page.troubles.reset()


class _Page:
    def __init__(self, gateway: Gateway, parts: Parts) -> None:
        self._gateway = gateway
        self._parts = parts
        self._speaker = Speaker(gateway)
        self.troubles = Troubles(gateway)
        self._layouts = {name: layout(file) for name, file in parts.layouts.items()}
        self._photos = {photo.name: photo for photo in parts.photos}

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_BODY, middlewares=[_guard, _sentences])
        app.on_response_prepare.append(_secured)
        app.router.add_get("/", self._index)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/api/events", self._events)
        app.router.add_get("/media/{name}", self._media)
        app.router.add_get("/photos/{name}", self._photo)
        app.router.add_post("/api/say", self._say)
        app.router.add_post("/api/files", self._upload)
        app.router.add_post("/api/click", self._click)
        app.router.add_post("/api/trouble", self._trouble)
        app.router.add_post("/api/reset", self._reset)
        app.router.add_post("/api/clock", self._clock)
        app.router.add_post("/api/check", self._check)
        app.router.add_post("/api/kill", self._kill)
        app.router.add_static("/widget", self._parts.widget)
        app.router.add_static("/page", STATIC)
        return app

    def _everything(self) -> Json:
        gateway, parts = self._gateway, self._parts
        return {
            "people": view.people(gateway, parts.cast),
            "conversations": view.conversations(gateway, parts.cast),
            "layouts": self._layouts,
            "photos": list(self._photos),
            "questions": parts.questions,
            "links": parts.links,
            "troubles": [
                {"id": one.id, "fault": one.fault, "area": one.area, "lasts": one.lasts is not None}
                for one in TROUBLES.values()
            ],
            "on": self.troubles.on,
            "killable": parts.bot is not None,
            "figures": figures(gateway),
        }

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(STATIC / "index.html")

    async def _health(self, _: web.Request) -> web.Response:
        """200 when a bot is connected."""
        return _json({"connections": len(self._gateway.connections)}, 200 if self._gateway.connections else 503)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Everything, then what changes, as server-sent events."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        feed = Feed(self._everything, lambda: view.items(self._gateway, self._speaker.quotes))
        with suppress(ConnectionResetError):  # whoever looked has left
            while True:
                if (news := feed.news()) is not None:
                    await response.write(f"data: {dump(news)}\n\n".encode())
                await self._gateway.changed.wait(LOOK_SECONDS)
                await asyncio.sleep(GATHER_SECONDS)
        return response

    async def _media(self, request: web.Request) -> web.Response:
        """What people and the bot sent; what is no picture is only to be kept."""
        media, name = self._gateway.media, request.match_info["name"]
        found = media.uploads.get(name) or media.codes.get(name)
        if found is None:
            raise web.HTTPNotFound
        picture = found.media_type in _PICTURES
        headers = {"Cache-Control": "max-age=3600", "Content-Disposition": "inline" if picture else "attachment"}
        kind = found.media_type if picture else "application/octet-stream"
        return web.Response(body=found.data, content_type=kind, headers=headers)

    async def _photo(self, request: web.Request) -> web.StreamResponse:
        photo = self._photos.get(request.match_info["name"])
        if photo is None:
            raise web.HTTPNotFound
        return web.FileResponse(photo)

    async def _say(self, request: web.Request) -> web.Response:
        push = await self._speaker.say(await _body(request, Speech))
        return _json({"message": push.msg_id})

    async def _upload(self, request: web.Request) -> web.Response:
        """The file is the body; ``?name=`` is what it is called."""
        data = await request.read()
        name = request.query.get("name", "file")[:120]
        return _json({"code": self._gateway.put_file(data, name, request.content_type), "name": name})

    async def _click(self, request: web.Request) -> web.Response:
        """One click, or two when people are impatient; → how the first was answered."""
        click = await _body(request, Click)
        user = self._gateway.people.users[click.user]
        times = 2 if self.troubles.clicks_twice else 1
        pushes = [
            await self._gateway.push_card_action(click.card, user, click.action, click.params) for _ in range(times)
        ]
        await pushes[0].answered(ANSWER_SECONDS)
        return _json({"ms": pushes[0].response_ms, "late": pushes[0].late, "changed": bool(pushes[0].response)})

    async def _trouble(self, request: web.Request) -> web.Response:
        switch = await _body(request, Switch)
        await self.troubles.switch(switch.id, on=switch.on)
        return _json({"on": self.troubles.on})

    async def _reset(self, _: web.Request) -> web.Response:
        await self.troubles.reset()
        self._gateway.clear_faults()
        return _json({"on": self.troubles.on})

    async def _clock(self, request: web.Request) -> web.Response:
        seconds = (await _body(request, Advance)).seconds
        self._gateway.clock.advance(min(max(seconds, 0.0), 31 * 86_400.0))
        self._gateway.journal.changed()
        return _json({})

    async def _check(self, _: web.Request) -> web.Response:
        """The invariants that every test ends with, but for the count of answers: a job's card is nobody's answer."""
        return _json({"found": [what for what in self._gateway.check() if not what.startswith("extra:")]})

    async def _kill(self, _: web.Request) -> web.Response:
        if self._parts.bot is None:
            raise web.HTTPNotFound
        self._parts.bot.kill()
        return _json({})


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No other machine, no name that somebody points at this one, no page from elsewhere."""
    host = urlsplit(f"//{request.host}").hostname
    origin = request.headers.get("Origin")
    own = origin is None or urlsplit(origin).netloc == request.host
    if request.remote not in _LOOPBACK or host not in _LOOPBACK or not own:
        raise web.HTTPForbidden
    return await handler(request)


async def _secured(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "no-cache")


@web.middleware
async def _sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What cannot be done has a code, and the page has a sentence for each."""
    try:
        return await handler(request)
    except NotConnected:
        return _json({"code": "not_connected"}, 409)
    except TimeoutError:
        return _json({"code": "not_answered"}, 504)
    except LookupError:
        return _json({"code": "not_there"}, 404)
    except ValidationError:
        return _json({"code": "not_understood"}, 400)


async def _body(request: web.Request, model: type[Wanted]) -> Wanted:
    """Raises ValidationError."""
    return model.model_validate_json(await request.read())


def _json(body: Json, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, dumps=dump)
