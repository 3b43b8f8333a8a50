"""Things that go wrong when a switch is thrown. Each is a context: it begins, and what it did is undone at its end.

``F1`` … are the faults of the sandbox's specification, and every one of them has tests of its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bots.sandbox.faults import Action, refuse
from bots.sandbox.gateway import Gateway
from bots.sandbox.pushes import Redelivery
from bots.sandbox.streams import NotConnected

Area: TypeAlias = Literal["line", "messages", "replies", "quota", "clicks"]
Context: TypeAlias = Callable[[Gateway], AbstractAsyncContextManager[None]]
Act: TypeAlias = Callable[[Gateway], Awaitable[None]]

CALLS_LEFT, MESSAGES_LEFT, FEW_A_SECOND = 6, 4, 2
_CLICK_TWICE = "double_click"
_SLOW = ("card_create_and_deliver", "card_streaming", "card_update", "webhook", "group_send", "single_send", "upload")


@dataclass(frozen=True, slots=True)
class Trouble:
    """``lasts`` is a switch, ``act`` something that happens once; its words are in the page's texts, by ``id``."""

    id: str
    fault: str
    area: Area
    lasts: Context | None = None
    act: Act | None = None


class Troubles:
    """Those that are on."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._open: dict[str, AsyncExitStack] = {}

    @property
    def on(self) -> list[str]:
        return sorted(self._open)

    @property
    def clicks_twice(self) -> bool:
        return _CLICK_TWICE in self._open

    async def switch(self, name: str, *, on: bool) -> None:
        """Throw a switch, or have something happen once. Raises KeyError for a name that is none."""
        trouble = TROUBLES[name]
        if trouble.act is not None:
            await trouble.act(self._gateway)
        elif not on and name in self._open:
            await self._open.pop(name).aclose()
        elif on and name not in self._open and trouble.lasts is not None:
            stack = AsyncExitStack()
            await stack.enter_async_context(trouble.lasts(self._gateway))
            self._open[name] = stack
        self._gateway.journal.changed()

    async def reset(self) -> None:
        """All is well again; the last switch first, so that each finds what it left."""
        for name in reversed(list(self._open)):
            await self.switch(name, on=False)


def _fault(*routes: str, hang_up: bool = False, **how: Any) -> Context:
    """A fault of some routes; ``hang_up``: what is connected is cut off, so that it shows."""

    @asynccontextmanager
    async def lasting(gateway: Gateway) -> AsyncIterator[None]:
        faults = [gateway.fault(route, **how) for route in routes]
        if hang_up:
            gateway.abort()
        yield
        for fault in faults:
            with suppress(ValueError):  # somebody cleared them all
                gateway.faults.active.remove(fault)

    return lasting


def _again(redelivery: Redelivery) -> Context:
    @asynccontextmanager
    async def lasting(gateway: Gateway) -> AsyncIterator[None]:
        before, gateway.streams.redelivery = gateway.streams.redelivery, redelivery
        yield
        gateway.streams.redelivery = before

    return lasting


def _limit(name: Literal["qps", "monthly_calls", "monthly_messages"], value: Callable[[Gateway], int]) -> Context:
    @asynccontextmanager
    async def lasting(gateway: Gateway) -> AsyncIterator[None]:
        before = getattr(gateway.limits, name)
        setattr(gateway.limits, name, value(gateway))
        yield
        setattr(gateway.limits, name, before)

    return lasting


@asynccontextmanager
async def _offline(gateway: Gateway) -> AsyncIterator[None]:
    await gateway.refuse_connections()
    yield
    await gateway.accept_connections()


@asynccontextmanager
async def _silent(gateway: Gateway) -> AsyncIterator[None]:
    frozen = list(gateway.connections)
    gateway.freeze()
    yield
    for connection in frozen:
        if connection in gateway.connections:
            connection.thaw()


@asynccontextmanager
async def _nothing(_: Gateway) -> AsyncIterator[None]:
    """The page's own part of the platform looks whether it is on."""
    yield


async def _hang_up(gateway: Gateway) -> None:
    gateway.abort()


async def _disconnect(gateway: Gateway) -> None:
    gateway.push_system("disconnect")


async def _revoke(gateway: Gateway) -> None:
    gateway.tokens.revoke_all()


async def _garbage(gateway: Gateway) -> None:
    """A frame that is none, and one of a kind that nobody knows."""
    gateway.push_raw("{ this is no frame")
    gateway.push_raw('{"specVersion":"9.9","type":"NEWS","headers":{"messageId":"x","topic":"?"},"data":"{}"}')


async def _burst(gateway: Gateway) -> None:
    """Three questions at once in every single chat."""
    for place in [one for one in gateway.people.conversations.values() if one.kind == "single"]:
        for text in ("/状态", "/帮助", "/任务"):
            with suppress(NotConnected):
                await gateway.push_bot(place, place.members[0], text)


def _every_other(action: Action | str) -> dict[str, Any]:
    return {"every": 2, "action": action}


_AGAIN = Redelivery.duplicate(1, times=2)
_AGAIN_ELSEWHERE = Redelivery.duplicate(1, times=2, new_message_id=True, other_connection=True)
_TICKET_USED = refuse(401, "ticketInvalid")

_ALL = (
    Trouble("offline", "F1", "line", _offline),
    Trouble("open_fails", "F1", "line", _fault("open", action="busy", hang_up=True)),
    Trouble("ticket_used", "F2", "line", _fault("connect", action=_TICKET_USED, hang_up=True)),
    Trouble("silent", "F3", "line", _silent),
    Trouble("hang_up", "F3", "line", act=_hang_up),
    Trouble("disconnect", "F3", "line", act=_disconnect),
    Trouble("again", "F4", "messages", _again(_AGAIN)),
    Trouble("again_elsewhere", "F4", "messages", _again(_AGAIN_ELSEWHERE)),
    Trouble("burst", "F5", "messages", act=_burst),
    Trouble("garbage", "F6", "messages", act=_garbage),
    Trouble("webhook_gone", "F7", "replies", _fault("webhook", action="session_gone")),
    Trouble("webhook_fast", "F7", "replies", _fault("webhook", action="too_fast")),
    Trouble("token_revoked", "F8", "replies", act=_revoke),
    Trouble("token_fails", "F8", "replies", _fault("token", action="busy")),
    Trouble("card_refused", "F9", "replies", _fault("card_create_and_deliver", action="scope")),
    Trouble("card_undelivered", "F9", "replies", _fault("card_create_and_deliver", action="undelivered")),
    Trouble("frames_throttled", "F10", "replies", _fault("card_streaming", **_every_other("qps"))),
    Trouble("frames_lost", "F10", "replies", _fault("card_streaming", **_every_other("drop"))),
    Trouble("slow", "F10", "replies", _fault(*_SLOW, delay=2.0)),
    Trouble(_CLICK_TWICE, "F11", "clicks", _nothing),
    Trouble("few_calls", "F12", "quota", _limit("qps", lambda _: FEW_A_SECOND)),
    Trouble("month_ends", "F12", "quota", _limit("monthly_calls", lambda one: one.usage.calls + CALLS_LEFT)),
    Trouble("messages_end", "F6", "quota", _limit("monthly_messages", lambda one: one.usage.messages + MESSAGES_LEFT)),
)
TROUBLES: Mapping[str, Trouble] = {one.id: one for one in _ALL}
