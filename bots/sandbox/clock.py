"""The sandbox's clock: real time plus an offset. Timers look at it, so that 90 minutes pass in one call."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

_CHINA = timezone(timedelta(hours=8))


class Timer:
    """Something that will be done; :meth:`cancel` it and it will not."""

    __slots__ = ("cancelled", "run")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """Seconds since 1970, as the sandbox has them. Belongs to the event loop it is used on."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []
        self._armed: asyncio.TimerHandle | None = None

    def now(self) -> float:
        return time.time() + self._offset

    def ms(self) -> int:
        return round(self.now() * 1000)

    def month(self) -> str:
        """``2026-08``: the month that quotas are counted in, by China's calendar."""
        return datetime.fromtimestamp(self.now(), UTC).astimezone(_CHINA).strftime("%Y-%m")

    def advance(self, seconds: float) -> None:
        """Let time pass. What was due by then is done before this returns."""
        self._offset += seconds
        self._fire()

    def after(self, seconds: float, run: Callable[[], None]) -> Timer:
        """Do something later, by this clock."""
        timer = Timer(run)
        heapq.heappush(self._timers, (self.now() + seconds, next(self._numbers), timer))
        self._arm()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait, by this clock."""
        woken = asyncio.Event()
        timer = self.after(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    def stop(self) -> None:
        """Forget all timers."""
        self._timers.clear()
        self._arm()

    def _fire(self) -> None:
        while self._timers and self._timers[0][0] <= self.now():
            _, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                timer.run()
        self._arm()

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        if self._timers:
            wait = max(0.0, self._timers[0][0] - self.now())
            self._armed = asyncio.get_running_loop().call_later(wait, self._fire)
