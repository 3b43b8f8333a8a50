"""What the month's calls look like: two quotas with their ends, and a bar a day with a piece for each API."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.channels.calls import (
    PACE_DAYS,
    Calls,
    Counted,
    Level,
    Month,
    Quota,
    china_today,
    forecast,
    level,
    quota_of,
    used_by_day,
)
from app.settings import Settings

# From the bottom of a bar upwards; kinds of calls that belong together are beside each other, in shades of one colour.
APIS = (
    "card_stream", "card_create", "card_update", "group_send", "person_send", "upload", "download",
    "webhook", "robot", "stream",
)  # fmt: skip
STEP, BAR = 10, 7  # a day's share of the drawing's width, and its bar's; the height is 100


@dataclass(frozen=True, slots=True)
class Meter:
    """A quota of the month. ``ends_on`` is when it ends at today's pace; None: it lasts."""

    quota: Quota
    used: int
    limit: int
    level: Level
    ends_on: date | None

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.used / self.limit) if self.limit else 1.0

    @property
    def outlook(self) -> str:
        """Which sentence holds."""
        if self.level == "spent":
            return "spent"
        if not self.used:
            return "unused"
        return "ends" if self.ends_on else "lasts"


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle of a bar, in the drawing's units."""

    api: str
    calls: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    day: date
    total: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """``top`` is the number of calls that a bar of full height stands for."""

    bars: tuple[Bar, ...]
    top: int
    last: int
    totals: dict[str, int]

    @property
    def width(self) -> int:
        return self.last * STEP

    @property
    def middle(self) -> int:
        return (self.last + 1) // 2


@dataclass(frozen=True, slots=True)
class Usage:
    app: str
    month: Month
    meters: tuple[Meter, Meter]
    chart: Chart
    today: date


async def usage_of(settings: Settings, calls: Calls) -> Usage | None:
    """This month's, of the app that is configured, or else of the one that calls; None where none ever did."""
    app = settings.dingtalk_client_id or next(iter(await calls.apps()), None)
    if app is None:
        return None
    today = china_today()
    first = today.replace(day=1)
    counted = await calls.since(app, first - timedelta(days=PACE_DAYS))
    month = Month(first, tuple(each for each in counted if each.day >= first))
    limits: tuple[tuple[Quota, int], ...] = (
        ("calls", settings.dingtalk_monthly_calls),
        ("messages", settings.dingtalk_monthly_messages),
    )
    of_calls, of_messages = (
        _meter(quota, limit, month, counted, today, soft=settings.dingtalk_soft_limit) for quota, limit in limits
    )
    return Usage(app, month, (of_calls, of_messages), chart_of(month), today)


def chart_of(month: Month) -> Chart:
    """A bar for each day of the month on which something was counted against a quota."""
    by_day: dict[date, dict[str, int]] = {}
    for each in month.counted:
        if each.calls and quota_of(each.api) is not None:
            by_day.setdefault(each.day, {})[each.api] = each.calls
    top = _round_up(max((sum(calls.values()) for calls in by_day.values()), default=1))
    bars = tuple(
        Bar(day, sum(calls.values()), tuple(_pieces(day, calls, top))) for day, calls in sorted(by_day.items())
    )
    totals = {api: sum(calls.get(api, 0) for calls in by_day.values()) for api in _ordered(month.by_api())}
    last = monthrange(month.first.year, month.first.month)[1]
    return Chart(bars, top, last, {api: total for api, total in totals.items() if total})


def _meter(quota: Quota, limit: int, month: Month, counted: Sequence[Counted], today: date, *, soft: float) -> Meter:
    used = month.used(quota)
    ends = forecast(used_by_day(counted, quota), limit, today)
    return Meter(quota, used, limit, level(used, limit, soft=soft), ends)


def _pieces(day: date, calls: dict[str, int], top: int) -> Iterator[Piece]:
    x = (day.day - 1) * STEP + (STEP - BAR) / 2
    bottom = 100.0
    for api in _ordered(calls):
        height = calls[api] / top * 100
        bottom -= height
        yield Piece(api, calls[api], x, bottom, height)


def _ordered(calls: dict[str, int]) -> list[str]:
    return sorted(calls, key=lambda api: (APIS.index(api) if api in APIS else len(APIS), api))


def _round_up(number: int) -> int:
    """To a figure and zeros, one that has a middle: what an axis may end with."""
    size = 1
    while True:
        for step in (1, 2, 3, 4, 6, 8):
            if number <= step * size:
                return step * size
        size *= 10
