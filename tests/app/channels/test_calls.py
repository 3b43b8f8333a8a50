"""The ledger of what is called of DingTalk, and the day on which its quota will end."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from app.channels.calls import Calls, Counted, china_day, forecast, level, next_month, quota_of, used_by_day
from knowledge.database import Database

APP = "app-1"


@pytest.fixture
def calls(database: Database) -> Calls:
    return Calls(database)


def days(first: date, *counts: int) -> dict[date, int]:
    return {first + timedelta(days=number): count for number, count in enumerate(counts)}


async def test_counters_only_grow_and_who_is_behind_is_told(calls: Calls) -> None:
    day = date(2026, 8, 19)
    assert await calls.merge(APP, [Counted(day, "card_stream", 10, 1), Counted(day, "webhook", 2)]) == []
    assert await calls.merge(APP, [Counted(day, "card_stream", 12)]) == [Counted(day, "card_stream", 12, 1)]
    assert await calls.merge(APP, [Counted(day, "card_stream", 9, 3)]) == [Counted(day, "card_stream", 12, 3)]
    assert await calls.merge(APP, [Counted(day, "card_stream", 12, 3)]) == []
    month = await calls.month(APP, day)
    assert month.counted == (Counted(day, "card_stream", 12, 3), Counted(day, "webhook", 2))
    assert (month.used("calls"), month.used("messages"), month.throttled) == (12, 2, 3)
    assert month.by_api() == {"card_stream": 12, "webhook": 2}
    assert month.by_day("calls") == {day: 12}


async def test_writers_at_the_same_time_lose_nothing(calls: Calls) -> None:
    day = date(2026, 8, 19)
    await asyncio.gather(*(calls.merge(APP, [Counted(day, "a", number)]) for number in range(1, 21)))
    assert (await calls.month(APP, day)).used("calls") == 20


async def test_a_month_an_app_and_a_channel_each_have_their_own(calls: Calls, database: Database) -> None:
    for day in (date(2026, 7, 31), date(2026, 8, 1), date(2026, 8, 31), date(2026, 9, 1)):
        await calls.merge(APP, [Counted(day, "a", day.month)])
    await calls.merge("app-2", [Counted(date(2026, 8, 1), "a", 100)])
    assert (await calls.month(APP, date(2026, 8, 31))).used("calls") == 16
    assert [each.day.month for each in await calls.since(APP, date(2026, 8, 2))] == [8, 9]
    assert (await calls.month(APP, date(2026, 12, 1))).counted == ()
    assert await calls.apps() == [APP, "app-2"]
    assert (await Calls(database, channel="other").month(APP, date(2026, 8, 1))).counted == ()


def test_days_and_months_are_chinas() -> None:
    assert china_day(datetime(2026, 8, 31, 15, 59, tzinfo=UTC)) == date(2026, 8, 31)
    assert china_day(datetime(2026, 8, 31, 16, 0, tzinfo=UTC)) == date(2026, 9, 1)
    assert next_month(date(2026, 12, 31)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 31)) == date(2026, 2, 1)


def test_tokens_are_free_and_messages_are_no_calls() -> None:
    apis = ("token", "webhook", "robot", "stream", "card_stream")
    assert [quota_of(api) for api in apis] == [None, "messages", "messages", "messages", "calls"]
    counted = [Counted(date(2026, 8, 1), api, 1) for api in (*apis, "upload")]
    assert used_by_day(counted, "calls") == {date(2026, 8, 1): 2}
    assert used_by_day(counted, "messages") == {date(2026, 8, 1): 3}


@pytest.mark.parametrize(("used", "expected"), [(0, "free"), (79, "free"), (80, "soft"), (99, "soft"), (100, "spent")])
def test_a_limit_is_felt_before_it_is_reached(used: int, expected: str) -> None:
    assert level(used, 100, soft=0.8) == expected


FIRST = date(2026, 8, 1)


@pytest.mark.parametrize(
    ("by_day", "quota", "today", "ends"),
    [
        ({}, 5000, date(2026, 8, 10), None),
        # 250 a day, 1000 by the 4th: 5000 are reached on the 20th
        (days(FIRST, 250, 250, 250, 250), 5000, date(2026, 8, 4), date(2026, 8, 20)),
        (days(FIRST, *[160] * 10), 5000, date(2026, 8, 10), None),
        # this morning is no day yet: what is missing of it is expected
        (days(FIRST, 250, 250, 250, 10), 5000, date(2026, 8, 4), date(2026, 8, 20)),
        # more than usual today counts as it is, and is not expected of tomorrow
        (days(FIRST, 100, 100, 100, 2000), 2500, date(2026, 8, 4), date(2026, 8, 6)),
        # the week counts: busy days at the beginning of the month are over
        (days(FIRST, *[400] * 5, *[10] * 10), 5000, date(2026, 8, 15), None),
        # a quiet Sunday is part of the week's pace
        (days(FIRST, 200, 200, 200, 200, 200, 0, 0), 5000, date(2026, 8, 8), None),
        # a service that was started yesterday is not slowed by the days before
        (days(date(2026, 8, 14), 0, 0, 500, 0), 2000, date(2026, 8, 17), date(2026, 8, 19)),
        # the first of a month has the last month's pace, and none of its calls
        (days(date(2026, 7, 25), *[300] * 7, 0), 5000, date(2026, 8, 1), date(2026, 8, 17)),
        # only today is known: it is taken for a day
        ({date(2026, 8, 3): 500}, 5000, date(2026, 8, 3), date(2026, 8, 12)),
        # used up already: the day on which it happened
        (days(FIRST, 3000, 1999, 1, 5), 5000, date(2026, 8, 4), date(2026, 8, 3)),
        ({}, 0, date(2026, 8, 4), date(2026, 8, 4)),
        # reached on the last day still counts, a day later does not
        (days(date(2026, 8, 28), 100, 100, 100), 400, date(2026, 8, 30), date(2026, 8, 31)),
        (days(date(2026, 8, 28), 100, 100, 100), 401, date(2026, 8, 30), None),
        # so large that it would last until after the last day of the calendar
        (days(FIRST, 1), 10_000_000, date(2026, 8, 3), None),
    ],
)
def test_the_day_on_which_a_quota_ends(by_day: dict[date, int], quota: int, today: date, ends: date | None) -> None:
    assert forecast(by_day, quota, today) == ends
