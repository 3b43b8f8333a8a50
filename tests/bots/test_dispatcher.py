"""Messages from the inbox to whoever answers them, when that goes wrong."""

import asyncio

from sqlalchemy.exc import OperationalError

from bots.dingtalk.inbox import MemoryInbox, Waiting
from bots.dispatcher import Dispatcher


class Handler:
    """Fails as it is told to, then handles."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.handled: list[tuple[str, int]] = []
        self.more = asyncio.Event()

    async def __call__(self, waiting: Waiting) -> None:
        if waiting.message_id.startswith("bad") and self._failures:
            raise self._failures.pop(0)
        self.handled.append((waiting.message_id, waiting.attempt))
        self.more.set()


async def _handled(inbox: MemoryInbox, handler: Handler, messages: int) -> None:
    dispatcher = Dispatcher(inbox, handler, "here")
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(20):
        tasks.create_task(dispatcher.run())
        while len(handler.handled) < messages:
            await handler.more.wait()
            handler.more.clear()
        await dispatcher.stop(1)


async def test_a_message_that_a_handler_trips_over_stops_no_other_and_is_taken_once_more() -> None:
    inbox, handler = MemoryInbox(lease_seconds=0.5), Handler(KeyError("a defect"))
    await inbox.accept("bad", "a", b"")
    await inbox.accept("good", "b", b"")
    await _handled(inbox, handler, 2)
    assert handler.handled == [("good", 1), ("bad", 2)]


async def test_a_database_that_is_away_costs_a_message_no_try() -> None:
    away = OperationalError("SELECT", {}, Exception("away"))
    inbox, handler = MemoryInbox(), Handler(away, away)
    await inbox.accept("bad", "a", b"")
    await _handled(inbox, handler, 1)
    assert handler.handled == [("bad", 1)]
