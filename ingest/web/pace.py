"""One request at a time to a host, and a pause after each."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LONGEST_PAUSE = 30.0  # what a host may ask for; one that wants more is asked again at another time


@dataclass(slots=True)
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    users: int = 0


class Pace:
    """``delay`` is in seconds, between the end of a request and the start of the next one to the same host."""

    def __init__(self, delay: float = 0.5) -> None:
        self._delay = delay
        self._hosts: dict[str, _Host] = defaultdict(_Host)

    @asynccontextmanager
    async def turn(self, host: str, *, delay: float = 0.0) -> AsyncIterator[None]:
        """Wait for one's turn. ``delay`` is what the host itself asks for, if that is more."""
        place = self._hosts[host]
        clock = asyncio.get_running_loop().time
        place.users += 1
        try:
            async with place.lock:
                await asyncio.sleep(max(0.0, place.free_at - clock()))
                try:
                    yield
                finally:
                    place.free_at = max(place.free_at, clock() + min(max(self._delay, delay), LONGEST_PAUSE))
        finally:
            place.users -= 1
            self._tidy(clock())

    def hold(self, host: str, seconds: float) -> None:
        """The host asks to be left alone for a while."""
        place = self._hosts[host]
        place.free_at = max(place.free_at, asyncio.get_running_loop().time() + min(seconds, LONGEST_PAUSE))

    def _tidy(self, moment: float) -> None:
        for host, place in list(self._hosts.items()):
            if not place.users and place.free_at < moment:
                del self._hosts[host]
