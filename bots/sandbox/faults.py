"""Things that go wrong on purpose: for a route, which of its calls, and what then happens instead of the answer."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from aiohttp import web

from bots.sandbox.clock import Clock
from bots.sandbox.limits import MONTH, QPS
from bots.sandbox.wire import Json, reply

Proceed: TypeAlias = Callable[[], Awaitable[web.StreamResponse]]
Action: TypeAlias = Callable[[web.Request, Proceed], Awaitable[web.StreamResponse]]


def answer(status: int, body: Mapping[str, Any] | None = None) -> Action:
    """Say this, and do nothing."""
    said = {"code": "system.error", "message": "系统错误", "requestid": "SANDBOX-FAULT"} if body is None else body

    async def act(_request: web.Request, _proceed: Proceed) -> web.StreamResponse:
        return reply(said, status)

    return act


def refuse(status: int, code: str) -> Action:
    """A refusal of the new API."""
    return answer(status, {"code": code, "message": code, "requestid": "SANDBOX-FAULT"})


def errcode(number: int, message: str = "") -> Action:
    """A refusal of the old API: HTTP 200."""
    return answer(200, {"errcode": number, "errmsg": message})


def html(status: int, text: str = "<html><body>punish</body></html>") -> Action:
    """A page where JSON is expected."""

    async def act(_request: web.Request, _proceed: Proceed) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type="text/html")

    return act


def rewrite(**fields: Any) -> Action:
    """Do it, and change these fields of the answer; None takes a field out."""

    async def act(_request: web.Request, proceed: Proceed) -> web.StreamResponse:
        done = await proceed()
        if not isinstance(done, web.Response) or not isinstance(done.body, bytes):
            return done
        body: Json = {**json.loads(done.body), **fields}
        return reply({name: value for name, value in body.items() if value is not None}, done.status)

    return act


async def reset(request: web.Request, _proceed: Proceed) -> web.StreamResponse:
    """Cut the connection and do nothing."""
    return _cut(request)


async def drop(request: web.Request, proceed: Proceed) -> web.StreamResponse:
    """Do it, and cut the connection before the answer."""
    await proceed()
    return _cut(request)


def stall(seconds: float = 30.0, *, applying: bool = False) -> Action:
    """Say nothing for so many real seconds, then cut the connection; ``applying``: having done it."""

    async def act(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        if applying:
            await proceed()
        await asyncio.sleep(seconds)
        return _cut(request)

    return act


async def undelivered(request: web.Request, _proceed: Proceed) -> web.StreamResponse:
    """Success, with the one space listed as failed; nothing is shown."""
    result = [{"spaceType": "IM_GROUP", "spaceId": "", "success": False, "errorMsg": "机器人不在群内"}]
    if request.path.endswith("/createAndDeliver"):
        track = (await request.json()).get("outTrackId")
        return reply({"success": True, "result": {"outTrackId": track, "deliverResults": result}})
    return reply({"success": True, "result": result})


async def slow(_request: web.Request, proceed: Proceed) -> web.StreamResponse:
    """Only the delay."""
    return await proceed()


ACTIONS: Mapping[str, Action] = {
    "slow": slow,
    "reset": reset,
    "drop": drop,
    "stall": stall(),
    "stall_after": stall(applying=True),
    "html": html(403),
    "qps": refuse(403, QPS),
    "scope": refuse(403, "Forbidden.AccessDenied.AccessTokenPermissionDenied"),
    "month": refuse(403, MONTH),
    "auth": refuse(400, "InvalidAuthentication"),
    "bad_secret": refuse(400, "invalidClientIdOrSecret"),
    "auth_failed": refuse(401, "authFailed"),
    "busy": refuse(500, "system.busy"),
    "unknown_error": refuse(500, "unknownError"),
    "too_large": answer(400, {"code": "param.stream.content", "message": "content is too large"}),
    "unpublished": refuse(400, "param.templateUnpublished"),
    "undelivered": undelivered,
    "session_gone": errcode(300001, "session 不存在"),
    "too_fast": errcode(410100, "发送速度太快而限流"),
    "too_long": errcode(460101, "消息内容过长"),
    "no_ticket": rewrite(ticket=None),
    "short_token": rewrite(expireIn=1),
}
"""By name: for the page of the sandbox, and for short tests."""


@dataclass(slots=True, eq=False)
class Fault:
    """Which calls of a route: from the ``nth`` on (the first is 1), each ``every``-th, ``count`` times, by chance."""

    route: str
    action: Action
    name: str
    nth: int
    every: int
    count: int | None
    probability: float | None
    delay: float
    seen: int = 0
    done: int = 0

    def hits(self, chance: random.Random) -> bool:
        self.seen += 1
        if self.seen < self.nth or (self.seen - self.nth) % self.every or self.done == self.count:
            return False
        if self.probability is not None and chance.random() >= self.probability:
            return False
        self.done += 1
        return True


class Faults:
    """All faults that are switched on. A call meets the first one that hits it."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.active: list[Fault] = []
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def add(
        self,
        route: str,
        *,
        nth: int | None = None,
        every: int = 1,
        count: int | None = None,
        probability: float | None = None,
        delay: float = 0,
        action: Action | str | int = "slow",
    ) -> Fault:
        """``action``: what happens, by name (:data:`ACTIONS`), or an HTTP status. ``nth`` alone is that one call."""
        if count is None and nth is not None and every == 1 and probability is None:
            count = 1
        fault = Fault(route, _action(action), str(action), nth or 1, every, count, probability, delay)
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        self.active.clear()

    def hit(self, route: str) -> Fault | None:
        """What befalls this call."""
        return next((fault for fault in self.active if fault.route == route and fault.hits(self._chance)), None)

    async def meet(self, fault: Fault, request: web.Request, proceed: Proceed) -> web.StreamResponse:
        """``delay`` is in real seconds: the client's timeouts are."""
        await asyncio.sleep(fault.delay)
        return await fault.action(request, proceed)


def _action(action: Action | str | int) -> Action:
    if isinstance(action, int):
        return answer(action)
    return ACTIONS[action] if isinstance(action, str) else action


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
