"""Blocking reading beside the event loop: heard while it goes on, and stopped when nobody waits for it any more."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

from ingest.loaders.source import Progress

HEARTBEAT_SECONDS = 2

Read = TypeVar("Read")


class Unwanted(Exception):
    """Raised into a reader whose document nobody wants any more."""


class Heard:
    """A reader's progress, for another thread to look at. ``stop`` ends the reading at its next report."""

    def __init__(self) -> None:
        self.done = self.total = 0
        self._stopped = False

    def __call__(self, done: int, total: int) -> None:
        if self._stopped:
            raise Unwanted
        self.done, self.total = done, total

    def stop(self) -> None:
        self._stopped = True


async def read_beside(
    read: Callable[[Progress], Read],
    beat: Callable[[Heard], Awaitable[None]],
    turn: AbstractAsyncContextManager[object] | None = None,
) -> Read:
    """Run ``read`` in a thread, when its ``turn`` has come; ``beat`` is awaited every two seconds, and what it raises
    ends the reading."""
    heard = Heard()

    async def reading() -> Read:
        async with turn or nullcontext():
            return await asyncio.to_thread(read, heard)

    try:
        return await beside(reading(), lambda: beat(heard))
    finally:
        heard.stop()


async def beside(work: Coroutine[Any, Any, Read], beat: Callable[[], Awaitable[None]]) -> Read:
    """What ``work`` comes to; ``beat`` is awaited every two seconds meanwhile, and what it raises ends it."""
    working = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({working}, timeout=HEARTBEAT_SECONDS))[0]:
            await beat()
        return working.result()
    finally:
        working.cancel()
        working.add_done_callback(_ended)  # nobody asks what it came to


def _ended(working: "asyncio.Future[Read]") -> None:
    if not working.cancelled():
        working.exception()
