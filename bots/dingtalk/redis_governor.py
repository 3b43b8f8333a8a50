"""The budget in Redis: one for all processes. What is counted there is written to SQL and comes back from it.

While Redis is away each process has a share of the rate for itself and counts on from what it knew; what it counted
is added when Redis is back.
"""

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from typing import TypeVar
from uuid import uuid4

from app.channels.calls import Calls, Counted, china_today, quota_of
from bots.dingtalk import budget_scripts as lua
from bots.dingtalk.governor import (
    BACK_OFF_SECONDS,
    LEFT_SECONDS,
    PROMISE_SECONDS,
    MemoryGovernor,
    in_turn,
    promised_to_others,
    rate_of,
    reserve_of,
    spent,
)
from bots.dingtalk.scripts import Scripts
from bots.dingtalk.shared_month import SharedMonth, counted_of, field_of
from bots.dingtalk.standing import Promises, Standing, Terms, standing
from bots.ports import Purpose
from knowledge.errors import Unavailable

T = TypeVar("T")
SHARE = 0.25  # of the rate, while a process is on its own
AWAY_SECONDS = 2.0  # before Redis is asked again

log = logging.getLogger(__name__)


class RedisGovernor:
    """Counters of ``app`` (its client id) in Redis; without ``calls`` they are not written to SQL."""

    def __init__(
        self,
        url: str,
        app: str,
        *,
        terms: Terms | None = None,
        calls: Calls | None = None,
        today: Callable[[], date] = china_today,
    ) -> None:
        names = f"copilot:dingtalk:{{{app}}}"
        self._scripts = Scripts(url)
        self._month = SharedMonth(self._scripts, names, app, calls)
        self._promises = [f"{names}:promises", f"{names}:promised"]
        self._names = names
        self._terms = terms or Terms()
        self._today = today
        self._process = uuid4().hex[:8]
        self._tickets = count()
        self._refused: Counter[str] = Counter()  # API → how often, since Redis was last told
        self._owed: Counter[tuple[date, str]] = Counter()  # counted by this process alone
        self._known: list[Counted] = []  # as last read
        self._alone: MemoryGovernor | None = None
        self._ask_at = 0.0

    async def take(self, api: str, purpose: Purpose, *, weight: int = 1) -> None:
        ticket = f"{weight}:{self._process}:{next(self._tickets):012d}"
        try:
            await in_turn(lambda: self._ask(api, purpose, weight, ticket), purpose)
        except _Away as away:
            await away.alone.take(api, purpose, weight=weight)
            self._owed[self._today(), api] += weight

    def throttled(self, api: str) -> None:
        """The others hear of it with this process' next call, which is soon: what was refused is tried again."""
        self._refused[api] += 1
        if self._alone is not None:
            self._alone.throttled(api)

    async def count(self, api: str, *, calls: int = 1) -> None:
        """Redis hears of it with this process' next call: whoever counts a message that came in has to be quick."""
        self._owed[self._today(), api] += calls
        if self._alone is not None:
            await self._alone.count(api, calls=calls)

    async def standing(self) -> Standing:
        today = self._today()
        try:
            counted, promises = await self._shared(lambda: self._read(today))
        except _Away as away:
            return await away.alone.standing()
        before = await self._month.before(today)
        return standing(self._terms, [*before, *counted], promises, today=today)

    async def promise(self, reply_id: str, calls: int, *, frames_per_second: float = 0.0) -> None:
        args = (self._terms.monthly_calls, reply_id, calls, frames_per_second, int(PROMISE_SECONDS * 1e6))
        try:
            kept = await self._shared(lambda: self._month.run(lua.PROMISE, self._today(), args, more=self._promises))
        except _Away as away:
            await away.alone.promise(reply_id, calls, frames_per_second=frames_per_second)
        else:
            if not kept:
                raise spent()

    async def release(self, reply_id: str) -> None:
        if self._alone is not None:
            await self._alone.release(reply_id)
        with suppress(_Away):  # it ends by itself
            await self._shared(lambda: self._scripts.run(lua.RELEASE, keys=self._promises, args=[reply_id]))

    async def write_down(self) -> None:
        """Bring the counters to SQL. Call it every few seconds; one of the processes does, or all of them do.

        Nothing is raised when Redis or SQL is away: it is made up for later.
        """
        today = self._today()
        last_month = today.replace(day=1) - timedelta(days=1)
        with suppress(_Away):
            if today.day == 1:  # its last seconds are written in the next
                await self._shared(lambda: self._write_down(last_month))
            await self._shared(lambda: self._write_down(today))

    async def close(self) -> None:
        await self.write_down()
        if self._alone is not None:  # nobody else knows what it counted
            with suppress(Unavailable):
                await self._month.write_down(self._today(), self._alone.counted())
        await self._scripts.close()

    async def _ask(self, api: str, purpose: Purpose, weight: int, ticket: str) -> float:
        """→ 0 when it is our turn, else seconds to wait. Raises BudgetSpent, Skipped, _Away."""
        today, quota, rate = self._today(), quota_of(api), rate_of(api, self._terms)
        args = (
            *(ticket, weight, min(weight, rate.calls), purpose),
            *(rate.calls, int(rate.seconds * 1e6), reserve_of(purpose, self._terms), int(LEFT_SECONDS * 1e6)),
            *(quota or "", self._terms.limit(quota) if quota else 0, field_of(today, api)),
        )
        keys = [*self._promises, *(f"{self._names}:{part}:{api}" for part in ("given", "line", "asked", "closed"))]
        said, wait = await self._shared(lambda: self._month.run(lua.TAKE, today, args, more=keys))
        if said == lua.SPENT:
            raise spent()
        if said == lua.PROMISED:
            raise promised_to_others()
        return float(wait) / 1e6

    async def _read(self, day: date) -> tuple[list[Counted], Promises]:
        pairs, answers, calls, frames = await self._month.run(lua.READ, day, more=self._promises)
        counted = counted_of(pairs)
        if day == self._today():
            self._known = counted
        return counted, Promises(answers, calls, float(frames))

    async def _write_down(self, day: date) -> None:
        counted, _ = await self._read(day)
        await self._month.write_down(day, counted)

    # with Redis, and without

    async def _shared(self, work: Callable[[], Awaitable[T]]) -> T:
        """Raises _Away, at once as long as Redis is known to be: then one call every two seconds finds out."""
        if self._alone is not None:
            if time.monotonic() < self._ask_at:
                raise _Away(self._alone)
            self._ask_at = time.monotonic() + AWAY_SECONDS
        try:
            await self._tell()
            result = await work()
        except Unavailable as away:
            raise _Away(await self._leave(away)) from None
        if self._alone is not None:
            self._alone = None
            log.warning("the budget is shared again")
        return result

    async def _leave(self, away: Unavailable) -> MemoryGovernor:
        if self._alone is None:
            log.warning("each process keeps to its share of the budget: %s", away.params.get("reason"))
            known = self._known or await self._month.written(self._today()) or []
            alone = MemoryGovernor(replace(self._terms, qps=max(1, int(self._terms.qps * SHARE))), today=self._today)
            alone.load(known)
            self._alone = self._alone or alone
        self._ask_at = time.monotonic() + AWAY_SECONDS
        return self._alone

    async def _tell(self) -> None:
        """What Redis has not heard yet."""
        while self._refused:
            api, times = self._refused.popitem()
            args = (int(BACK_OFF_SECONDS * 1e6), f"{field_of(self._today(), api)}|throttled", times)
            with _kept_unless_told(self._refused, api, times):
                await self._month.run(lua.THROTTLED, self._today(), args, more=[f"{self._names}:closed:{api}"])
        while self._owed:
            (day, api), calls = self._owed.popitem()
            with _kept_unless_told(self._owed, (day, api), calls):
                await self._month.add(Counted(day, api, calls))


class _Away(Exception):
    """Redis is; ``alone`` is what this process goes by meanwhile."""

    def __init__(self, alone: MemoryGovernor) -> None:
        super().__init__()
        self.alone = alone


@contextmanager
def _kept_unless_told(counter: Counter[T], key: T, number: int) -> Generator[None]:
    try:
        yield
    except BaseException:
        counter[key] += number
        raise
