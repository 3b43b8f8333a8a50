"""A connection that is only listened to: what comes, when, and over which connection. It answers as it is told to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote_plus

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bots.dingtalk import frames
from bots.dingtalk.client import Ticket
from bots.dingtalk.frames import Frame
from knowledge.errors import CopilotError

AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """``at`` is in seconds of this process's clock; ``connection`` counts from 1."""

    frame: Frame
    at: float
    connection: int


class Line:
    """While it is ``withholding``, messages are not acknowledged. ``thanks`` are the values that a clicked card shows
    afterwards."""

    def __init__(self, open_connection: Callable[[Sequence[str]], Awaitable[Ticket]]) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self.withholding = False
        self.thanks: Mapping[str, str] = {}
        self._open = open_connection
        self._withheld: list[Frame] = []
        self._socket: ClientConnection | None = None
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; it connects again whatever happens."""
        while True:
            with suppress(CopilotError, WebSocketException, OSError, TimeoutError):
                await self._one(await self._open(frames.TOPICS))
            await asyncio.sleep(AGAIN_SECONDS)

    async def first(self, fits: Callable[[Heard], bool], *, seconds: float, after: int = 0) -> Heard | None:
        """The first frame that fits, not counting so many that were heard before; None if there is none in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    for heard in self.heard[after:]:
                        if fits(heard):
                            return heard
                    self._news.clear()
                    await self._news.wait()
        return None

    async def acknowledge(self) -> None:
        """What was withheld."""
        self.withholding = False
        for frame in self._withheld:
            await self._say(frame.ack(frames.OK, {"response": None}))
        self._withheld.clear()

    async def _one(self, ticket: Ticket) -> None:
        quiet = logging.getLogger("websockets.client")
        quiet.setLevel(logging.INFO)  # its DEBUG shows the address with its ticket
        url = f"{ticket.endpoint}?ticket={quote_plus(ticket.ticket)}"
        async with connect(url, proxy=None, max_size=4 << 20, close_timeout=0.2, logger=quiet) as socket:
            self._socket = socket
            self.connections += 1
            async for raw in socket:
                if (frame := Frame.of(raw)) is not None:
                    await self._took(frame)

    async def _took(self, frame: Frame) -> None:
        self.heard.append(Heard(frame, asyncio.get_running_loop().time(), self.connections))
        self._news.set()
        if frame.type == frames.SYSTEM:
            await self._say(frame.ack(frames.OK, frame.data or {}, message="OK"))
        elif frame.topic == frames.CLICKS:
            values = {"cardUpdateOptions": {"updateCardDataByKey": True}, "cardData": {"cardParamMap": self.thanks}}
            await self._say(frame.ack(frames.OK, {"response": values}))
        elif self.withholding:
            self._withheld.append(frame)
        else:
            await self._say(frame.ack(frames.OK, {"response": None}))

    async def _say(self, ack: str | None) -> None:
        if ack is not None and self._socket is not None:
            with suppress(WebSocketException):
                await self._socket.send(ack)
