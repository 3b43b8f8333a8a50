"""Messages from the inbox to whoever answers them: in order within a conversation, conversations side by side."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from bots.dingtalk.inbox import BEAT_SECONDS, Inbox, Waiting
from knowledge.errors import CopilotError, Unavailable

AT_ONCE = 64  # conversations
GATHER_S = 0.03  # what comes at once is acknowledged before any of it is answered
_AWAY = (Unavailable, SQLAlchemyError, OSError)

log = logging.getLogger(__name__)


class Dispatcher:
    """One process's share of the conversations. ``handle`` may be given a message again after a crash."""

    def __init__(self, inbox: Inbox, handle: Callable[[Waiting], Awaitable[None]], owner: str) -> None:
        self._inbox = inbox
        self._handle = handle
        self._owner = owner
        self._stopping = False
        self._looking: asyncio.Task[None] | None = None
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until :meth:`stop`."""
        async with asyncio.TaskGroup() as tasks:
            self._looking = tasks.create_task(self._look(tasks))

    async def stop(self, grace: float) -> None:
        """Take nothing more; what is under way has ``grace`` seconds to end, else another process begins it anew."""
        self._stopping = True
        if self._looking is not None:
            self._looking.cancel()
        if self._busy:
            _, late = await asyncio.wait(set(self._busy.values()), timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        while not self._stopping:
            with left_to_the_next_round("inbox"):
                for conversation in await self._inbox.unattended():
                    if conversation not in self._busy and len(self._busy) < AT_ONCE:
                        self._busy[conversation] = tasks.create_task(self._attend(conversation))
            await self._inbox.woken()
            await asyncio.sleep(GATHER_S)

    async def _attend(self, conversation: str) -> None:
        try:
            with left_to_the_next_round("conversation"):
                while not self._stopping and (waiting := await self._inbox.take(conversation, self._owner)):
                    await self._one(conversation, waiting)
                await self._inbox.give_back(conversation, self._owner)
        except Exception:  # the edge of a conversation: the others go on, and this one's message is taken once more
            log.exception("conversation failed")
        finally:
            self._busy.pop(conversation, None)

    async def _one(self, conversation: str, waiting: Waiting) -> None:
        """A handler that is cancelled lets go, and the message waits for another process."""
        try:
            async with asyncio.TaskGroup() as tasks:
                beating = tasks.create_task(self._beat(conversation, waiting.message_id))
                await self._handle(waiting)
                beating.cancel()
        except BaseExceptionGroup as group:
            failed = group.split(_Overtaken)[1]
            if failed is None:
                log.warning("message overtaken id=%s", waiting.message_id)
                return
            if isinstance(failed.exceptions[0], _AWAY):  # it did not get its turn
                await self._inbox.give_back(conversation, self._owner)
            raise failed.exceptions[0] from None
        except asyncio.CancelledError:
            await self._inbox.give_back(conversation, self._owner)
            raise
        await self._inbox.done(conversation, self._owner, waiting.message_id)

    async def _beat(self, conversation: str, message_id: str) -> None:
        """Raises _Overtaken when another process has the conversation."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with left_to_the_next_round("heartbeat"):
                if not await self._inbox.beat(conversation, self._owner, message_id):
                    raise _Overtaken


class _Overtaken(Exception):
    """Another process took this message: it thought that we were dead."""


@contextmanager
def left_to_the_next_round(what: str) -> Generator[None]:
    """A part that is away for a moment ends nothing; what was left undone is found later."""
    try:
        yield
    except _AWAY as down:
        log.warning("%s postponed: %s", what, down)
    except CopilotError as error:
        log.warning("%s refused: %s", what, error.error_code)
