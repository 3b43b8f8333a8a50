"""Blocking reading beside the event loop: heard while it goes on, and stopped when nobody waits for it any more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

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


async def read_beside(read: Callable[[Progress], Read], beat: Callable[[Heard], Awaitable[None]]) -> Read:
    """Run ``read`` in a thread; ``beat`` is awaited every two seconds, and what it raises ends the reading."""
    heard = Heard()
    reading = asyncio.ensure_future(asyncio.to_thread(read, heard))
    try:
        while not (await asyncio.wait({reading}, timeout=HEARTBEAT_SECONDS))[0]:
            await beat(heard)
        return reading.result()
    finally:
        heard.stop()
        reading.add_done_callback(_ended)  # nobody asks what it came to


def _ended(reading: "asyncio.Future[Read]") -> None:
    if not reading.cancelled():
        reading.exception()
