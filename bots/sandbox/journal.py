"""What the sandbox saw: every call, what was against the rules, and a way to wait for the next thing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

_POLL = 0.05  # seconds: what is waited for may be outside the sandbox


@dataclass(slots=True, eq=False)
class Call:
    """One request. ``status`` is 0 while it runs, and for one that was cut off; ``code`` says why it was refused."""

    route: str
    time: float
    """By the sandbox's clock."""
    started: float = field(default_factory=monotonic)
    status: int = 0
    code: str = ""
    ms: float | None = None
    fault: str = ""

    @property
    def throttled(self) -> bool:
        return "QpsLimit" in self.code or self.code in {"90018", "410100"}


class Journal:
    """``violations`` are broken rules, ``warnings`` are what DingTalk would let pass and a person should know."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.warnings: list[str] = []
        self.listeners: list[Callable[[], None]] = []
        self._next = asyncio.Event()

    def violate(self, rule: str, what: str) -> None:
        self.violations.append(f"{rule}: {what}")
        self.changed()

    def warn(self, rule: str, what: str) -> None:
        self.warnings.append(f"{rule}: {what}")

    def changed(self) -> None:
        """Something happened: wake all who wait."""
        waited, self._next = self._next, asyncio.Event()
        waited.set()
        for listener in self.listeners:
            listener()

    async def wait(self, timeout: float | None = None) -> None:
        """Until something happens, or the time is up."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._next.wait(), timeout)

    async def wait_for(self, predicate: Callable[[], object], timeout: float) -> None:
        """Until it is true. Raises TimeoutError."""
        until = monotonic() + timeout
        while not predicate():
            left = until - monotonic()
            if left <= 0:
                raise TimeoutError(f"not within {timeout} s; violations: {self.violations[-3:]}")
            await self.wait(min(left, _POLL))

    def most_at_once(self, route: str) -> int:
        """How many calls of a route ran at the same time, at most."""
        edges = [(call.started, 1) for call in self.calls if call.route == route]
        edges += [(call.started + (call.ms or 0) / 1000, -1) for call in self.calls if call.route == route]
        most = running = 0
        for _, step in sorted(edges):
            running += step
            most = max(most, running)
        return most
