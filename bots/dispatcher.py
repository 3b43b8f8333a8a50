"""Messages from the inbox to whoever answers them: in order within a conversation, conversations side by side."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from bots.dingtalk.inbox import BEAT_SECONDS, Inbox, Waiting
from knowledge.errors import CopilotError, Unavailable

LOOK_SECONDS = 1.0  # how often messages are looked for that another process took in, or left behind
AT_ONCE = 64  # conversations

log = logging.getLogger(__name__)


class Dispatcher:
    """One process's share of the conversations. ``handle`` may be given a message again after a crash."""

    def __init__(self, inbox: Inbox, handle: Callable[[Waiting], Awaitable[None]], owner: str) -> None:
        self._inbox = inbox
        self._handle = handle
        self._owner = owner
        self._news = asyncio.Event()
        self._stopping = False
        self._busy: dict[str, asyncio.Task[None]] = {}

    def nudge(self) -> None:
        """There is something new."""
        self._news.set()

    async def run(self) -> None:
        """Until :meth:`stop`."""
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self._news.clear()
                with left_to_the_next_round("inbox"):
                    for conversation in await self._inbox.unattended():
                        if conversation not in self._busy and len(self._busy) < AT_ONCE and not self._stopping:
                            self._busy[conversation] = tasks.create_task(self._attend(conversation))
                await self._wait()

    async def stop(self) -> None:
        """Take nothing more and cancel what is under way; a handler ends what it began before it lets go."""
        self._stopping = True
        self._news.set()
        for task in list(self._busy.values()):
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _attend(self, conversation: str) -> None:
        try:
            with left_to_the_next_round("conversation"):
                while not self._stopping and (waiting := await self._inbox.take(conversation, self._owner)):
                    await self._one(conversation, waiting)
        finally:
            self._busy.pop(conversation, None)
            self._news.set()

    async def _one(self, conversation: str, waiting: Waiting) -> None:
        """A handler that is cancelled before it began lets go, and the message waits for another process."""
        try:
            async with asyncio.TaskGroup() as tasks:
                beating = tasks.create_task(self._beat(conversation))
                await self._handle(waiting)
                beating.cancel()
        except asyncio.CancelledError:
            await self._inbox.give_back(conversation, self._owner)
            raise
        await self._inbox.done(conversation, self._owner, waiting.message_id)

    async def _beat(self, conversation: str) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with left_to_the_next_round("heartbeat"):
                await self._inbox.beat(conversation, self._owner)


@contextmanager
def left_to_the_next_round(what: str) -> Generator[None]:
    """A part that is away for a moment ends nothing; what was left undone is found later."""
    try:
        yield
    except (Unavailable, SQLAlchemyError, OSError) as down:
        log.warning("%s postponed: %s", what, down)
    except CopilotError as error:
        log.warning("%s refused: %s", what, error.error_code)
