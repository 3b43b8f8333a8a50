"""The connection that DingTalk pushes over, kept up for as long as we run.

The SDK's frames with a loop of our own: its loop blocks the process, never gives up a silent peer in less than a
minute, connects again without a pause when it is turned away, and swallows a cancellation.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote_plus

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from bots.dingtalk import frames
from bots.dingtalk.client import Ticket
from bots.dingtalk.frames import Frame
from bots.dingtalk.replies import OnAction, OnMessage, Replies
from knowledge.errors import CopilotError

LARGEST_FRAME = 4 << 20  # bytes; the SDK drops the connection above 1 MiB
MOST_UNANSWERED = 1000  # frames; then nothing is read until some are answered
SETTLE_S = 0.5  # for acknowledgements that are under way when the connection is given up
CLOSE_S = 0.2
SEND_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """``reason`` is a code: why it is degraded. ``connections`` were opened so far."""

    state: Literal["starting", "connected", "degraded", "stopped"] = "starting"
    reason: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. Between two attempts: doubling from the first to the longest, and from the first again only after a
    connection that lasted; a service that turns us away at once is not asked without end.

    ``idle``: a connection over which nothing comes for so long, not even DingTalk's own ping, is given up. Its peer
    is asked every ``ping`` for a sign of life and has as long to give it.
    """

    first: float = 0.5
    longest: float = 30.0
    lasted: float = 30.0
    ping: float = 20.0
    idle: float = 300.0
    open: float = 10.0

    def pause(self, failures: int) -> float:
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 (spreads attempts, keeps no secret)
        return min(self.longest, self.first * 2.0 ** min(failures, 16)) * jitter


class Stream:
    """One connection at a time. :meth:`run` is cancelled to end it, which takes less than a second."""

    def __init__(
        self,
        open_connection: Callable[[Sequence[str]], Awaitable[Ticket]],
        on_message: OnMessage,
        on_action: OnAction,
        *,
        robot: str,
        pace: Pace | None = None,
    ) -> None:
        self._open = open_connection
        self._on_message = on_message
        self._on_action = on_action
        self._robot = robot
        self._pace = pace or Pace()
        self._unanswered: set[asyncio.Task[None]] = set()
        self.health = Health()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                replies = Replies(tasks, self._on_message, self._on_action, robot=self._robot)
                await self._keep_connected(tasks, replies)
        finally:
            self._report("stopped", "")

    async def _keep_connected(self, tasks: asyncio.TaskGroup, replies: Replies) -> None:
        now = asyncio.get_running_loop().time
        failures = 0
        while True:
            began = now()
            reason = await self._one(tasks, replies)
            failures = 0 if now() - began > self._pace.lasted else failures + 1
            self._report("degraded", reason)
            pause = self._pace.pause(max(0, failures - 1))
            log.warning("stream: %s, connecting again in %.1f s", reason, pause)
            await asyncio.sleep(pause)

    async def _one(self, tasks: asyncio.TaskGroup, replies: Replies) -> str:
        """One connection from its ticket to its end; → why it ended. What the errors say is left out: they repeat the
        address with its ticket."""
        try:
            ticket = await self._open(frames.TOPICS)
            async with self._connect(ticket) as socket:
                self._report("connected", "", opened=1)
                try:
                    return await self._read(socket, tasks, replies)
                finally:
                    await self._settle()
        except CopilotError as error:
            return error.error_code
        except InvalidStatus as refusal:
            return f"handshake_{refusal.response.status_code}"
        except ConnectionClosed as closed:
            return f"closed_{closed.rcvd.code}" if closed.rcvd else "connection_lost"
        except (OSError, TimeoutError, WebSocketException, ValueError):
            return "connection_lost"

    def _connect(self, ticket: Ticket) -> connect:
        quiet = logging.getLogger("websockets.client")
        quiet.setLevel(logging.INFO)  # its DEBUG shows the address with its ticket, and every message
        return connect(
            f"{ticket.endpoint}?ticket={quote_plus(ticket.ticket)}",
            max_size=LARGEST_FRAME,
            proxy=None,
            open_timeout=self._pace.open,
            close_timeout=CLOSE_S,
            ping_interval=self._pace.ping,
            ping_timeout=self._pace.ping,
            logger=quiet,
        )

    async def _read(self, socket: ClientConnection, tasks: asyncio.TaskGroup, replies: Replies) -> str:
        while True:
            try:
                async with asyncio.timeout(self._pace.idle):
                    raw = await socket.recv()
            except TimeoutError:
                return "silent"
            frame = Frame.of(raw)
            if frame is None:
                log.warning("stream: a frame that is none, %d long", len(raw))
                continue
            answering = tasks.create_task(self._answer(socket, replies, frame))
            self._unanswered.add(answering)
            answering.add_done_callback(self._unanswered.discard)
            if (frame.type, frame.topic) == (frames.SYSTEM, frames.DISCONNECT):
                return "asked_to_reconnect"
            if len(self._unanswered) >= MOST_UNANSWERED:
                await asyncio.wait(self._unanswered, return_when=asyncio.FIRST_COMPLETED)

    async def _answer(self, socket: ClientConnection, replies: Replies, frame: Frame) -> None:
        """Over a connection that has ended nobody is answered: the message is safe, or it is pushed again."""
        ack = await replies.to(frame)
        if ack is not None:
            with suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(SEND_S):
                    await socket.send(ack)

    async def _settle(self) -> None:
        if self._unanswered:
            await asyncio.wait(self._unanswered, timeout=SETTLE_S)

    def _report(self, state: Literal["connected", "degraded", "stopped"], reason: str, *, opened: int = 0) -> None:
        """``since`` is when this state began; another reason is no other state."""
        since = self.health.since if state == self.health.state else datetime.now(UTC)
        self.health = replace(
            self.health, state=state, reason=reason, since=since, connections=self.health.connections + opened
        )
