"""What an app calls of DingTalk, by day and API: the ledger behind the counters in Redis, and what it foretells.

DingTalk counts an organisation's month in Chinese time. There are two quotas: API calls, and messages (those by
webhook, and those that come in over the stream). Fetching a token is free.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, Literal, TypeAlias

from sqlalchemy import case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.tables import channel_calls
from knowledge.database import Database, now

Quota: TypeAlias = Literal["calls", "messages"]
Level: TypeAlias = Literal["free", "soft", "spent"]

MESSAGES = frozenset({"webhook", "robot", "stream"})
FREE = frozenset({"token"})
CHINA = timezone(timedelta(hours=8))  # no summer time since 1991
PACE_DAYS = 7  # shops have a week's rhythm


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls of an API on a day; ``throttled`` is how often DingTalk refused one for its rate."""

    day: date
    api: str
    calls: int
    throttled: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of an app, as written down."""

    first: date
    counted: tuple[Counted, ...]

    def used(self, quota: Quota) -> int:
        return sum(self.by_day(quota).values())

    def by_day(self, quota: Quota) -> dict[date, int]:
        return used_by_day(self.counted, quota)

    def by_api(self) -> dict[str, int]:
        """Most used first."""
        return dict(_added((counted.api, counted.calls) for counted in self.counted).most_common())

    @property
    def throttled(self) -> int:
        return sum(counted.throttled for counted in self.counted)


class Calls:
    """The table ``channel_calls`` of one channel. What is written only ever grows."""

    def __init__(self, database: Database, *, channel: str = "dingtalk") -> None:
        self._database = database
        self._channel = channel

    async def merge(self, app: str, counted: Sequence[Counted]) -> list[Counted]:
        """Write counters down where they are higher than what is known; → those that are known higher than given.

        Two processes that count in the same place, and a counter that lost its memory, never lower what was written.
        """
        try:
            return await self._merge(app, counted)
        except IntegrityError:  # another process wrote the day's first: now it is known
            return await self._merge(app, counted)

    async def month(self, app: str, day: date | None = None) -> Month:
        """The month that a day is in; today's, if none is given."""
        first = (day or china_today()).replace(day=1)
        return Month(first, tuple(await self.since(app, first, before=next_month(first))))

    async def since(self, app: str, day: date, *, before: date = date.max) -> list[Counted]:
        """From a day on, in order."""
        rows = channel_calls.c
        query = (
            select(rows.day, rows.api, rows.calls, rows.throttled)
            .where(*self._mine(app), rows.day >= day.isoformat(), rows.day < before.isoformat())
            .order_by(rows.day, rows.api)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
        return [Counted(date.fromisoformat(row.day), row.api, row.calls, row.throttled) for row in found]

    async def apps(self) -> list[str]:
        """Those that ever called."""
        query = select(channel_calls.c.app).where(channel_calls.c.channel == self._channel).distinct()
        async with self._database.read() as connection:
            return sorted((await connection.execute(query)).scalars())

    async def _merge(self, app: str, counted: Sequence[Counted]) -> list[Counted]:
        higher = []
        async with self._database.write() as connection:
            for given in counted:
                known = await self._raise_to(connection, app, given)
                if known.calls > given.calls or known.throttled > given.throttled:
                    higher.append(known)
        return higher

    async def _raise_to(self, connection: AsyncConnection, app: str, given: Counted) -> Counted:
        rows = channel_calls.c
        mine = (*self._mine(app), rows.day == given.day.isoformat(), rows.api == given.api)
        raised = update(channel_calls).where(*mine)
        raised = raised.values(
            calls=_higher(rows.calls, given.calls), throttled=_higher(rows.throttled, given.throttled)
        )
        row = (await connection.execute(raised.returning(rows.calls, rows.throttled))).first()
        if row is not None:
            return Counted(given.day, given.api, row.calls, row.throttled)
        key = {"channel": self._channel, "app": app, "day": given.day.isoformat(), "api": given.api}
        await connection.execute(insert(channel_calls), {**key, "calls": given.calls, "throttled": given.throttled})
        return given

    def _mine(self, app: str) -> tuple[Any, Any]:
        return channel_calls.c.channel == self._channel, channel_calls.c.app == app


def quota_of(api: str) -> Quota | None:
    """What a call of an API is counted against; None: nothing."""
    if api in FREE:
        return None
    return "messages" if api in MESSAGES else "calls"


def used_by_day(counted: Iterable[Counted], quota: Quota) -> dict[date, int]:
    return dict(_added((each.day, each.calls) for each in counted if quota_of(each.api) == quota))


def level(used: int, limit: int, *, soft: float) -> Level:
    """``soft`` is the share of the limit from which on one saves."""
    if used >= limit:
        return "spent"
    return "soft" if used >= limit * soft else "free"


def forecast(by_day: Mapping[date, int], quota: int, today: date) -> date | None:
    """The day of this month on which the quota ends at the pace of the last week; None if it lasts.

    ``by_day`` may go back into the month before: its last days count for the pace, not against the quota. Days before
    the first call ever do not slow the pace; today does only where there is no other day.
    """
    used = 0
    for day in sorted(day for day in by_day if day.replace(day=1) == today.replace(day=1) and day <= today):
        used += by_day[day]
        if used >= quota:
            return day
    if used >= quota:
        return today
    pace = _pace(by_day, today)
    if pace <= 0:
        return None
    rest_of_today = max(0.0, pace - by_day.get(today, 0))
    days = max(0, _whole_days((quota - used - rest_of_today) / pace))
    lasts = days >= (next_month(today) - today).days  # of a large quota the day would be in no calendar
    return None if lasts else today + timedelta(days=days)


def china_today() -> date:
    return china_day(now())


def china_day(moment: datetime) -> date:
    """The day in which DingTalk counts a moment."""
    return moment.astimezone(CHINA).date()


def next_month(day: date) -> date:
    """Its first day."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _pace(by_day: Mapping[date, int], today: date) -> float:
    """Calls a day."""
    before = {day: count for day, count in by_day.items() if timedelta(0) < today - day <= timedelta(days=PACE_DAYS)}
    first = min((day for day, count in before.items() if count), default=None)
    if first is None:
        return float(by_day.get(today, 0))
    return sum(before.values()) / (today - first).days


def _whole_days(days: float) -> int:
    """Rounded up: a quota that ends within a day ends on that day."""
    return -int(-days // 1) if days > 0 else 0


def _higher(column: Any, value: int) -> Any:
    return case((column < value, value), else_=column)


def _added(pairs: Iterable[tuple[Any, int]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for key, count in pairs:
        total[key] += count
    return total
