"""The sandbox's HTTP server: on loopback, every call written down, faults first, then the rules."""

import json
import time

from aiohttp import web

from bots.sandbox.clock import Clock
from bots.sandbox.faults import Faults
from bots.sandbox.journal import Call, Journal
from bots.sandbox.limits import Limits
from bots.sandbox.routes import Apis, Route
from bots.sandbox.tokens import Tokens
from bots.sandbox.wire import OldRefused, Refused, Unreadable, reply

_LOOPBACK = {"127.0.0.1", "::1"}
_BODY = 32 * 2**20  # bytes: more than any API takes


class Server:
    """Started and stopped by whoever runs it; ``pause`` and ``resume`` refuse connections for a while."""

    def __init__(
        self, *, apis: Apis, clock: Clock, journal: Journal, faults: Faults, limits: Limits, tokens: Tokens
    ) -> None:
        self._apis = apis
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._limits = limits
        self._tokens = tokens
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self.host = "127.0.0.1"
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        app = web.Application(client_max_size=_BODY)
        for route in self._apis.routes():
            app.router.add_route(route.method, route.path, self._handler(route))
        app.router.add_route("*", "/{path:.*}", self._unexpected)
        # A client that hangs up ends its call: a stalled one would else outlive the test.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        await self.resume()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def pause(self) -> None:
        """Connections are refused, and those that are open go away."""
        if self._runner is None or self._site is None:
            return
        await self._site.stop()
        self._site = None
        for connection in self._runner.server.connections if self._runner.server else ():
            connection.force_close()

    async def resume(self) -> None:
        if self._runner is None or self._site is not None:
            return
        self._site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    def _handler(self, route: Route):  # type: ignore[no-untyped-def]
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(route, request)

        return handle

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        call = Call(route.name, self._clock.now())
        self._journal.calls.append(call)

        async def proceed() -> web.StreamResponse:
            return await self._answer(route, request)

        fault = self._faults.hit(route.name)
        try:
            if fault is None:
                response = await proceed()
            else:
                call.fault = fault.name
                response = await self._faults.meet(fault, request, proceed)
            _note(call, request, response)
            return response
        finally:
            call.ms = (time.monotonic() - call.started) * 1000
            self._journal.changed()

    async def _answer(self, route: Route, request: web.Request) -> web.StreamResponse:
        try:
            self._admit(route, request)
            raw = b"" if route.name == "upload" else await request.read()
            return await route.handle(request, raw)
        except Refused as exc:
            return reply(exc.body, exc.status)
        except OldRefused as exc:
            return reply(exc.body)
        except Unreadable as exc:
            self._journal.violate("body", f"{route.name}: {exc}")
            return reply({"code": "invalidParameter", "message": str(exc), "requestid": "SANDBOX-REQUEST"}, 400)

    def _admit(self, route: Route, request: web.Request) -> None:
        """Only from this machine; with a token where one is needed; and not too often."""
        if request.remote not in _LOOPBACK:
            self._journal.violate("peer", f"a call came from {request.remote}")
            raise Refused(403, "Forbidden.AccessDenied.IpNotInWhiteList")
        if route.access == "header":
            self._tokens.check(request.headers.get("x-acs-dingtalk-access-token"), route.scope)
        if route.access == "query":
            self._tokens.check_old(request.query.get("access_token"))
        if route.access != "free":
            self._limits.call(route.name, old=route.access == "query")

    async def _unexpected(self, request: web.Request) -> web.Response:
        self._journal.violate("path", f"{request.method} {request.path} is not an API of the sandbox")
        return reply({"code": "InvalidAction.NotFound", "message": "Specified api is not found"}, 404)


def _note(call: Call, request: web.Request, response: web.StreamResponse) -> None:
    """How it ended; a call that was cut off has no status."""
    if isinstance(response, web.WebSocketResponse):
        call.status = 101
        return
    if request.transport is None or request.transport.is_closing():
        return
    call.status = response.status
    if isinstance(response, web.Response) and response.content_type == "application/json" and response.text:
        body = json.loads(response.text)
        call.code = str(body.get("code") or body.get("errcode") or "")
