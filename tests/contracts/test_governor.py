"""What every governor does: the twin, and one on a real Redis, also one that is away or has forgotten."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest
import redis

from app.channels.calls import Calls, Counted, china_today
from bots.dingtalk.governor import Governor, MemoryGovernor, Skipped, Terms
from bots.dingtalk.redis_governor import RedisGovernor
from bots.ports import BudgetSpent
from knowledge.database import Database
from tests.e2e.redis_server import RedisServer, redis_server
from tests.products import database_of

APP = "app-1"
SECONDS = 30  # a busy machine may take that long for what takes one


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[Calls]:
    database = Database(database_of(tmp_path))
    yield Calls(database)
    await database.close()


class Pair:
    """Two processes' governors of one app; the twin is one for both."""

    def __init__(self, terms: Terms, server: RedisServer | None) -> None:
        self.server = server
        if server is None:
            self.one: Governor = MemoryGovernor(terms)
            self.other = self.one
        else:
            self.one, self.other = (RedisGovernor(server.url, APP, terms=terms) for _ in range(2))

    async def in_line(self, api: str, number: int) -> None:
        """Until so many wait."""
        deadline = time.monotonic() + SECONDS
        while self._in_line(api) != number:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)

    def _in_line(self, api: str) -> int:
        if self.server is None:
            return len(self.one._windows[api].line)
        with redis.Redis.from_url(self.server.url) as client:
            return client.zcard(f"copilot:dingtalk:{{{APP}}}:line:{api}")

    async def close(self) -> None:
        await self.one.close()
        await self.other.close()


@pytest.fixture(params=["memory", "redis"])
async def pairs(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[Terms], Pair]]:
    server = request.getfixturevalue("server") if request.param == "redis" else None
    made: list[Pair] = []

    def make(terms: Terms) -> Pair:
        made.append(Pair(terms, server))
        return made[-1]

    yield make
    for pair in made:
        await pair.close()


@asynccontextmanager
async def given_to(server: RedisServer, api: str) -> AsyncIterator[dict[bytes, float]]:
    """When calls were given out, in seconds of Redis' clock: looked at often enough to see each of them."""
    seen: dict[bytes, float] = {}
    over = asyncio.Event()

    def look() -> None:
        with redis.Redis.from_url(server.url) as client:
            found = client.zrange(f"copilot:dingtalk:{{{APP}}}:given:{api}", 0, -1, withscores=True)
            seen.update({member: score / 1e6 for member, score in found})

    async def watch() -> None:
        while not over.is_set():
            look()
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        try:
            yield seen
        finally:
            look()
            over.set()


def most_in(seconds: float, moments: list[float]) -> int:
    """The most that lie in any window."""
    return max(sum(start <= moment < start + seconds for moment in moments) for start in moments)


async def test_calls_wait_until_fewer_than_allowed_lie_in_the_last_second(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=10))
    began = time.monotonic()
    await asyncio.gather(*(governor.take("a", "send") for governor in [pair.one, pair.other] * 15))
    assert 2.2 <= time.monotonic() - began < SECONDS
    assert (await pair.other.standing()).calls_used == 30


async def test_each_api_has_a_rate_of_its_own(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=10))
    began = time.monotonic()
    await asyncio.gather(*(pair.one.take(api, "send") for api in "abcdef" for _ in range(10)))
    assert time.monotonic() - began < 5  # with one rate for all it would be six


async def test_frames_leave_a_reserve_that_opens_and_ends_take_at_once(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=20))
    api = "robot"  # its window is a minute, so it does not matter how busy this machine is
    await asyncio.gather(*(pair.one.take(api, "frame") for _ in range(15)))
    with pytest.raises(Skipped):
        await pair.other.take(api, "frame")
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(
            *(pair.other.take(api, purpose) for purpose in ("final", "open", "send", "other", "final"))
        )
    assert (await pair.one.standing()).messages_used == 20


async def test_who_waits_is_served_in_order_and_before_any_frame(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=2))
    served: list[int] = []

    async def wait(number: int) -> None:
        await (pair.one if number % 2 else pair.other).take("card_stream", "final")
        served.append(number)

    await asyncio.gather(pair.one.take("card_stream", "open"), pair.one.take("card_stream", "open"))
    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(wait(number))
            await pair.in_line("card_stream", number + 1)
        while len(served) < 4:
            with pytest.raises(Skipped):
                await pair.one.take("card_stream", "frame")
    assert [set(served[:2]), set(served[2:4]), set(served[4:])] == [{0, 1}, {2, 3}, {4, 5}]


async def test_who_gives_up_waiting_does_not_hold_up_the_others(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=2))
    await asyncio.gather(pair.one.take("a", "send"), pair.one.take("a", "send"))
    waiting = [asyncio.ensure_future(pair.one.take("a", "send")) for _ in range(10)]
    await pair.in_line("a", 10)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert all(each.cancelled() for each in waiting)
    began = time.monotonic()
    await pair.other.take("a", "final")
    assert time.monotonic() - began < SECONDS / 3
    assert (await pair.one.standing()).calls_used == 3


async def test_no_more_than_the_month_has_are_given_out(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=100, monthly_calls=50, monthly_messages=3))
    takes = [governor.take("a", "send") for governor in [pair.one, pair.other] * 40]
    outcomes = await asyncio.gather(*takes, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, BudgetSpent)] == []
    assert outcomes.count(None) == 50
    for purpose in ("open", "frame", "final"):
        with pytest.raises(BudgetSpent):
            await pair.one.take("b", purpose)
    await pair.one.take("token", "other")
    await pair.one.count("stream")  # the other hears of it with the next call
    await pair.one.take("webhook", "send", weight=2)
    with pytest.raises(BudgetSpent):
        await pair.other.take("robot", "send")
    now = await pair.one.standing()
    assert (now.calls_used, now.calls_left, now.messages_used, now.messages_left) == (50, 0, 3, 0)
    assert now.ends_on == now.messages_end_on == china_today()


async def test_calls_that_are_promised_to_an_end_are_there_for_it(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(monthly_calls=4))
    await pair.one.promise("reply-1", 2, frames_per_second=1.25)
    await pair.other.promise("reply-2", 1, frames_per_second=0.25)
    with pytest.raises(BudgetSpent):
        await pair.other.promise("reply-3", 2)
    await pair.one.promise("reply-1", 2, frames_per_second=1.0)  # again: nothing is added up
    now = await pair.other.standing()
    assert (now.promised, now.answers, now.frames_per_second, now.calls_left) == (3, 2, 1.25, 1)
    await pair.one.take("card_stream", "frame")
    with pytest.raises(Skipped):
        await pair.other.take("card_stream", "frame")
    with pytest.raises(BudgetSpent):
        await pair.other.take("send", "send")
    await pair.one.take("card_stream", "final")
    await pair.one.release("reply-1")
    await pair.other.take("send", "send")
    await pair.other.take("card_stream", "final")
    await pair.other.release("reply-2")
    await pair.other.release("reply-2")
    now = await pair.one.standing()
    assert (now.calls_used, now.promised, now.answers) == (4, 0, 0)


async def test_an_api_that_dingtalk_refused_is_left_alone_for_a_second_by_everybody(
    pairs: Callable[[Terms], Pair],
) -> None:
    pair = pairs(Terms(qps=20))
    await pair.one.take("card_stream", "open")
    pair.one.throttled("card_stream")
    began = time.monotonic()
    assert (await pair.one.standing()).throttled == 1  # what one process was told reaches Redis with its next step
    with pytest.raises(Skipped):
        await pair.other.take("card_stream", "frame")
    await pair.other.take("upload", "send")
    await pair.other.take("card_stream", "final")
    assert time.monotonic() - began >= 1
    assert (await pair.other.standing()).calls_used == 3


async def test_a_custom_robot_is_not_written_to_more_than_twenty_times_a_minute(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=100))
    await asyncio.gather(*(pair.one.take("robot", "send") for _ in range(20)))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await pair.other.take("robot", "send")
    assert (await pair.one.standing()).messages_used == 20


async def test_a_call_that_weighs_more_than_a_second_has_is_given_all_of_it(pairs: Callable[[Terms], Pair]) -> None:
    pair = pairs(Terms(qps=4))
    began = time.monotonic()
    await pair.one.take("a", "send")
    await pair.one.take("a", "send", weight=9)
    assert time.monotonic() - began >= 1.1
    assert (await pair.one.standing()).calls_used == 10


async def test_by_the_clock_no_window_holds_more_than_allowed_and_none_is_wasted() -> None:
    clock = [1000.0]

    async def sleep(seconds: float) -> None:
        clock[0] += seconds

    governor = MemoryGovernor(Terms(qps=20), clock=lambda: clock[0], sleep=sleep)
    moments = []
    for _ in range(200):
        await governor.take("a", "send")
        moments.append(clock[0])
    assert most_in(1.0, moments) == 20
    assert 9.9 <= moments[-1] - moments[0] < 10.1


async def test_promises_end_by_themselves() -> None:
    clock = [0.0]
    governor = MemoryGovernor(Terms(monthly_calls=2), clock=lambda: clock[0])
    await governor.promise("reply", 2)
    clock[0] = 599
    assert (await governor.standing()).promised == 2
    clock[0] = 601
    assert (await governor.standing()).promised == 0


async def test_on_redis_clock_no_window_of_any_process_mix_holds_more_than_allowed(server: RedisServer) -> None:
    governors = [RedisGovernor(server.url, APP, terms=Terms(qps=20)) for _ in range(3)]
    skipped = 0

    async def answer(governor: RedisGovernor) -> None:
        """A card that grows faster than it may."""
        nonlocal skipped
        for _ in range(25):
            try:
                await governor.take("card_stream", "frame")
            except Skipped:
                skipped += 1
            await asyncio.sleep(0.1)
        await governor.take("card_stream", "final")

    async with given_to(server, "card_stream") as seen:
        await asyncio.gather(*(answer(governor) for governor in governors * 5))
        used = (await governors[0].standing()).calls_used
    assert skipped
    assert used == 15 * 25 - skipped + 15
    assert most_in(1.0, list(seen.values())) <= 20
    for governor in governors:
        await governor.close()


async def test_a_month_begins_anew_and_the_last_one_is_still_written_down(server: RedisServer, calls: Calls) -> None:
    days = [date(2026, 8, 31)]
    governor = RedisGovernor(server.url, APP, calls=calls, terms=Terms(monthly_calls=1), today=lambda: days[0])
    await governor.take("a", "send")
    with pytest.raises(BudgetSpent):
        await governor.take("a", "send")
    days[0] = date(2026, 9, 1)
    await governor.take("b", "send")
    await governor.write_down()
    assert (await calls.month(APP, date(2026, 8, 5))).counted == (Counted(date(2026, 8, 31), "a", 1),)
    assert (await calls.month(APP, date(2026, 9, 5))).counted == (Counted(date(2026, 9, 1), "b", 1),)
    await governor.close()


async def test_what_redis_forgot_comes_back_from_sql_before_anything_is_given_out(
    server: RedisServer, calls: Calls
) -> None:
    terms = Terms(qps=100, monthly_calls=12, monthly_messages=5)
    one, other = (RedisGovernor(server.url, APP, terms=terms, calls=calls) for _ in range(2))
    await asyncio.gather(*(one.take("a", "send") for _ in range(8)))
    await other.count("stream", calls=5)
    one.throttled("a")
    await one.write_down()
    await other.take("b", "send")
    await one.write_down()
    server.kill()
    server.forget()
    server.start()
    outcomes = await asyncio.gather(*(each.take("b", "send") for each in [one, other] * 5), return_exceptions=True)
    assert outcomes.count(None) == 3
    assert sum(isinstance(outcome, BudgetSpent) for outcome in outcomes) == 7
    now = await other.standing()
    assert (now.calls_used, now.messages_used, now.throttled) == (12, 5, 1)
    await one.close()
    await other.close()
    assert (await calls.month(APP)).by_api() == {"a": 8, "stream": 5, "b": 4}


async def test_counters_that_redis_lost_some_of_are_raised_again(server: RedisServer, calls: Calls) -> None:
    governor = RedisGovernor(server.url, APP, terms=Terms(qps=100), calls=calls)
    for _ in range(9):
        await governor.take("a", "send")
        await governor.write_down()
    with redis.Redis.from_url(server.url) as client:
        (name,) = client.keys("*month*")
        client.hset(name, mapping={f"{china_today()}|a": 4, "calls": 4})
    await governor.write_down()
    assert (await governor.standing()).calls_used == 9
    assert (await calls.month(APP)).used("calls") == 9
    await governor.close()


async def test_without_redis_a_process_keeps_to_its_share_and_counts_on(
    server: RedisServer, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    governor = RedisGovernor(server.url, APP, terms=Terms(qps=20, monthly_calls=20), calls=calls)
    await asyncio.gather(*(governor.take("a", "send") for _ in range(6)))
    await governor.write_down()
    server.kill()
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="bots.dingtalk"):
        await asyncio.gather(*(governor.take("a", "final") for _ in range(11)))  # five a second
        assert 2.2 <= time.monotonic() - began < SECONDS
        assert (await governor.standing()).calls_used == 17
        await governor.promise("reply", 2)
        await governor.take("a", "send")
        with pytest.raises(BudgetSpent):
            await governor.take("a", "send")
        await governor.write_down()
    assert len([record for record in caplog.records if "share" in record.message]) == 1
    server.start()
    deadline = time.monotonic() + SECONDS
    other = RedisGovernor(server.url, APP, terms=Terms(qps=20, monthly_calls=20), calls=calls)
    while (await other.standing()).calls_used < 18:
        assert time.monotonic() < deadline
        await governor.release("reply")
        await asyncio.sleep(0.1)
    assert (await governor.standing()).calls_used == 18
    await governor.close()
    await other.close()
    assert (await calls.month(APP)).used("calls") == 18


async def test_what_a_process_counted_alone_is_written_down_when_it_ends_without_redis(
    server: RedisServer, calls: Calls
) -> None:
    governor = RedisGovernor(server.url, APP, calls=calls)
    await governor.take("a", "send")
    await governor.write_down()
    server.kill()
    await governor.take("a", "send")
    await governor.take("webhook", "send")
    await governor.close()
    assert (await calls.month(APP)).by_api() == {"a": 2, "webhook": 1}
    server.start()
    later = RedisGovernor(server.url, APP, calls=calls)
    await later.write_down()
    now = await later.standing()
    assert (now.calls_used, now.messages_used) == (2, 1)
    await later.close()


async def test_a_process_that_starts_without_redis_knows_the_month_from_sql(server: RedisServer, calls: Calls) -> None:
    await calls.merge(APP, [Counted(china_today(), "a", 19)])
    server.kill()
    governor = RedisGovernor(server.url, APP, terms=Terms(qps=20, monthly_calls=20), calls=calls)
    await governor.take("a", "send")
    with pytest.raises(BudgetSpent):
        await governor.take("a", "send")
    await governor.close()


async def test_a_cancellation_is_never_lost_in_a_call_to_redis(server: RedisServer) -> None:
    governor = RedisGovernor(server.url, APP, terms=Terms(qps=1000))
    lost = 0
    for step in range(300):
        task = asyncio.ensure_future(governor.standing())
        await asyncio.sleep(step % 30 / 10_000)
        if not task.cancel():
            continue
        try:
            await task
            lost += 1
        except asyncio.CancelledError:
            pass
    assert lost == 0
    await governor.close()
