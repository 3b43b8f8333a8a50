"""Remembers that an endpoint fails, so that nobody waits for it: a circuit breaker, of this process alone."""

import time
from collections import deque
from collections.abc import Callable

FAILURES = 3
WINDOW_S = 60.0
PAUSE_S = 30.0


class Breaker:
    """``failures`` within ``window_s`` open it for ``pause_s``; then one call in each pause may try (half open).

    A try that succeeds closes it; one that fails, or is left, changes nothing, and the next pause runs already.
    """

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        window_s: float = WINDOW_S,
        pause_s: float = PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = failures
        self._window = window_s
        self._pause = pause_s
        self._clock = clock
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._again_at: float | None = None  # None: closed

    def admits(self) -> bool:
        """Whether a call may go there now. Where it was open, this is the one try of the pause: ask only to call."""
        if self._again_at is None:
            return True
        if self._clock() < self._again_at:
            return False
        self._again_at = self._clock() + self._pause
        return True

    def succeeded(self) -> None:
        """It answers: an open one closes and forgets."""
        if self._again_at is not None:
            self._again_at = None
            self._failed_at.clear()

    def failed(self) -> bool:
        """→ whether it opened just now."""
        now = self._clock()
        if self._again_at is not None:
            self._again_at = now + self._pause
            return False
        self._failed_at.append(now)
        if len(self._failed_at) < self._allowed or now - self._failed_at[0] > self._window:
            return False
        self._again_at = now + self._pause
        return True
