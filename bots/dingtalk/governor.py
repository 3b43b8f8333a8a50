"""The budget of an app: who may call now, and what is left of the month. One for all processes that call.

A call waits until fewer than the allowed number lie in the last second, exactly: no window of a second has more. The
window is a tenth longer than DingTalk's, because calls arrive less evenly than they leave. Frames leave a reserve to
the calls that open and end answers, and do not stand in line: a newer frame holds the text of a skipped one.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Protocol

from app.channels.calls import Counted, Quota, china_today, quota_of, used_by_day
from bots.dingtalk import ports
from bots.dingtalk.ports import Skipped
from bots.dingtalk.standing import Promises, Standing, Terms, standing
from bots.ports import BudgetSpent, Purpose

__all__ = ["Governor", "MemoryGovernor", "Skipped", "Standing", "Terms"]

MARGIN = 1.1
BACK_OFF_SECONDS = 1.1  # after DingTalk refused a call for its rate
FRAME_WAIT_SECONDS = 0.25
ASK_AGAIN_SECONDS = 0.5
LEFT_SECONDS = 3.0  # who has not asked for so long has left the line
PROMISE_SECONDS = 600.0


class Governor(ports.Governor, Protocol):
    """What answers need beside their turns. Nothing here hangs because a store is away."""

    async def count(self, api: str, *, calls: int = 1) -> None:
        """Count what was not ours to delay: a message that came in (API ``stream``). Returns at once; other processes
        hear of it with the next call of this one."""

    async def standing(self) -> Standing: ...

    async def promise(self, reply_id: str, calls: int, *, frames_per_second: float = 0.0) -> None:
        """Keep calls of this month for the end of an answer: only the purpose ``final`` may use them. The same reply
        again replaces what it was promised. Ends by itself after ten minutes.

        Raises BudgetSpent when there are not so many left that nobody was promised.
        """

    async def release(self, reply_id: str) -> None:
        """The answer has ended; what was kept for it and not used is free."""

    async def write_down(self) -> None:
        """Bring what was counted to where it lasts. Call it every few seconds; it raises nothing and may be late."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls lie in any window of so many seconds."""

    calls: int
    seconds: float


def rate_of(api: str, terms: Terms) -> Rate:
    """A custom robot that sends more than 20 messages a minute is shut out for ten minutes."""
    return Rate(20, 60 * MARGIN) if api == "robot" else Rate(terms.qps, MARGIN)


def reserve_of(purpose: Purpose, terms: Terms) -> int:
    """Free calls that this purpose leaves to others."""
    return terms.reserve if purpose == "frame" else 0


async def in_turn(
    ask: Callable[[], Awaitable[float]], purpose: Purpose, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Ask until it is our turn; ``ask`` → how long to wait before asking again, 0 for yes. Raises Skipped."""
    waited = 0.0
    while (wait := await ask()) > 0:
        if purpose == "frame" and waited + wait > FRAME_WAIT_SECONDS:
            raise Skipped("No call is free for this frame.")
        wait = min(wait, ASK_AGAIN_SECONDS)
        await sleep(wait)
        waited += wait


def spent() -> BudgetSpent:
    return BudgetSpent("The organisation's calls of this month are used up.")


def promised_to_others() -> Skipped:
    return Skipped("The calls that are left are kept for the ends of answers.")


class MemoryGovernor:
    """The twin, for one process. ``clock`` is in seconds, ``today`` the day as DingTalk counts it."""

    def __init__(
        self,
        terms: Terms | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = china_today,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._terms = terms or Terms()
        self._clock = clock
        self._today = today
        self._sleep = sleep
        self._tickets = count()
        self._windows: dict[str, _Window] = {}
        self._calls: Counter[tuple[date, str]] = Counter()
        self._throttled: Counter[tuple[date, str]] = Counter()
        self._promised: dict[str, _Promise] = {}

    async def take(self, api: str, purpose: Purpose, *, weight: int = 1) -> None:
        window = self._windows.setdefault(api, _Window(rate_of(api, self._terms)))
        ticket = next(self._tickets)

        async def ask() -> float:
            self._require(api, purpose, weight)
            wait = window.ask(ticket, weight, reserve=reserve_of(purpose, self._terms), now=self._clock())
            if wait <= 0:
                self._calls[self._today(), api] += weight
            return wait

        try:
            await in_turn(ask, purpose, sleep=self._sleep)
        finally:
            window.line.pop(ticket, None)

    def throttled(self, api: str) -> None:
        window = self._windows.setdefault(api, _Window(rate_of(api, self._terms)))
        window.closed_until = self._clock() + BACK_OFF_SECONDS
        self._throttled[self._today(), api] += 1

    async def count(self, api: str, *, calls: int = 1) -> None:
        self._calls[self._today(), api] += calls

    async def standing(self) -> Standing:
        return standing(self._terms, self.counted(), self._promises(), today=self._today())

    async def promise(self, reply_id: str, calls: int, *, frames_per_second: float = 0.0) -> None:
        others = self._promises(but=reply_id).calls
        if self._used("calls") + others + calls > self._terms.monthly_calls:
            raise spent()
        self._promised[reply_id] = _Promise(calls, frames_per_second, self._clock() + PROMISE_SECONDS)

    async def release(self, reply_id: str) -> None:
        self._promised.pop(reply_id, None)

    async def write_down(self) -> None:
        """It lasts as long as the process."""

    async def close(self) -> None:
        """Nothing to close."""

    def counted(self) -> list[Counted]:
        """Everything that was counted, as it is written to SQL."""
        keys = sorted({*self._calls, *self._throttled})
        return [Counted(day, api, self._calls[day, api], self._throttled[day, api]) for day, api in keys]

    def load(self, counted: Iterable[Counted]) -> None:
        """Go on from what was counted elsewhere."""
        for each in counted:
            self._calls[each.day, each.api] = max(self._calls[each.day, each.api], each.calls)
            self._throttled[each.day, each.api] = max(self._throttled[each.day, each.api], each.throttled)

    def _require(self, api: str, purpose: Purpose, weight: int) -> None:
        """Raises BudgetSpent; Skipped for a frame whose call was promised to somebody's end."""
        quota = quota_of(api)
        if quota is None:
            return
        left = self._terms.limit(quota) - self._used(quota)
        kept = self._promises().calls if quota == "calls" and purpose != "final" else 0
        if left >= weight + kept:
            return
        if purpose == "frame" and left >= weight:
            raise promised_to_others()
        raise spent()

    def _used(self, quota: Quota) -> int:
        first = self._today().replace(day=1)
        return sum(used_by_day((each for each in self.counted() if each.day >= first), quota).values())

    def _promises(self, *, but: str | None = None) -> Promises:
        now = self._clock()
        self._promised = {reply: each for reply, each in self._promised.items() if each.until > now}
        mine = [each for reply, each in self._promised.items() if reply != but]
        return Promises(len(mine), sum(each.calls for each in mine), sum(each.frames_per_second for each in mine))


@dataclass(frozen=True, slots=True)
class _Promise:
    calls: int
    frames_per_second: float
    until: float


@dataclass(slots=True)
class _Window:
    """Calls of one API in the last second, and who waits for a turn: ticket → how many calls."""

    rate: Rate
    given: deque[float] = field(default_factory=deque)
    line: dict[int, int] = field(default_factory=dict)
    closed_until: float = 0.0

    def ask(self, ticket: int, weight: int, *, reserve: int, now: float) -> float:
        """→ 0 when it is this ticket's turn, else after how many seconds it may be."""
        while self.given and self.given[0] <= now - self.rate.seconds:
            self.given.popleft()
        calls = min(weight, self.rate.calls)
        missing = self._ahead(ticket) + calls + reserve - (self.rate.calls - len(self.given))
        wait = max(self.closed_until - now, self._until_free(missing, now))
        if wait <= 0:
            self.given.extend([now] * calls)
            self.line.pop(ticket, None)
        elif not reserve:
            self.line.setdefault(ticket, calls)
        return wait

    def _ahead(self, ticket: int) -> int:
        """Calls of those who came before; for one that does not stand in line, of all."""
        total = 0
        for other, calls in self.line.items():
            if other == ticket:
                break
            total += calls
        return total

    def _until_free(self, missing: int, now: float) -> float:
        if missing <= 0:
            return 0.0
        if not self.given:  # free, but others are before us and have only to ask
            return 0.02
        return max(self.given[min(missing, len(self.given)) - 1] + self.rate.seconds - now, 0.001)
