"""The websockets of bots: one task reads, one writes, and both can be interfered with."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import WSMsgType, web

from bots.sandbox.wire import Refused

Topic: TypeAlias = tuple[str, str]
"""``EVENT``, ``CALLBACK`` or ``SYSTEM``, and the topic."""


@dataclass(slots=True, eq=False)
class Connection:
    """One websocket. ``sent`` of an item in the outbox is called when it is on its way."""

    id: str
    topics: frozenset[Topic]
    opened: float
    transport: asyncio.Transport | None
    frozen: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    outbox: asyncio.Queue[tuple[str | bytes | int | None, Callable[[], None]]] = field(default_factory=asyncio.Queue)

    def send(self, frame: str | bytes, sent: Callable[[], None] = lambda: None) -> None:
        self.outbox.put_nowait((frame, sent))

    def close(self, code: int) -> None:
        """A closing handshake with this code, after what is in the outbox."""
        self.outbox.put_nowait((code, lambda: None))

    def abort(self) -> None:
        """The TCP connection goes away, without a word."""
        if self.transport is not None:
            self.transport.abort()

    def freeze(self) -> None:
        """Nothing that the bot sends is read, not even a ping."""
        self.frozen = True
        if self.transport is not None:
            self.transport.pause_reading()

    def thaw(self) -> None:
        self.frozen = False
        if self.transport is not None:
            self.transport.resume_reading()

    async def serve(self, socket: web.WebSocketResponse, received: Callable[[str], None]) -> None:
        """Until it ends, by whoever's hand."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(socket))
                async for message in socket:
                    received(message.data if message.type is WSMsgType.TEXT else "")
                self.outbox.put_nowait((None, lambda: None))
        finally:
            self.closed.set()

    async def _write(self, socket: web.WebSocketResponse) -> None:
        while True:
            item, sent = await self.outbox.get()
            if item is None:
                return
            try:
                if isinstance(item, int):
                    await socket.close(code=item)
                    return
                await (socket.send_str(item) if isinstance(item, str) else socket.send_bytes(item))
            except ConnectionError:
                return
            sent()


@dataclass(frozen=True, slots=True)
class Ticket:
    topics: frozenset[Topic]
    until: float


class Tickets:
    """What a connection is opened with: good for 90 s, once [D]."""

    LIFE = 90.0

    def __init__(self) -> None:
        self._open: dict[str, Ticket] = {}
        self.given: set[str] = set()

    def give(self, topics: Iterable[Topic], now: float) -> str:
        name = secrets.token_hex(16)
        self.given.add(name)
        self._open[name] = Ticket(frozenset(topics), now + self.LIFE)
        return name

    def take(self, name: str, now: float) -> Ticket:
        """Raises Refused with 401."""
        ticket = self._open.pop(name, None)
        if ticket is None or ticket.until <= now:
            raise Refused(401, "ticketInvalid", "ticket is used, expired or unknown")  # [D] the status; the code [?]
        return ticket
