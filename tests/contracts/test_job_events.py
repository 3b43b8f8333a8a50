"""What every stream of job events does: the twin, and a real Redis, also one that is away for a while."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from app.jobs.events import SECONDS, JobEvent, JobEvents, MemoryEvents, RedisEvents, progress_event
from app.jobs.ports import Preview
from tests.e2e.redis_server import RedisServer, redis_server

TENANT, JOB = "shop", "job-1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


@pytest.fixture(params=["memory", "redis"])
async def events(request: pytest.FixtureRequest) -> AsyncIterator[JobEvents]:
    if request.param == "memory":
        yield MemoryEvents()
        return
    made = RedisEvents(request.getfixturevalue("server").url)
    yield made
    await made.close()


def step(percent: int) -> JobEvent:
    return progress_event(percent, "drawing", None)


def number_of(event_id: str) -> tuple[int, int]:
    high, _, low = event_id.partition("-")
    return int(high), int(low)


async def test_events_are_read_whole_in_order_and_on_from_any_of_them(events: JobEvents) -> None:
    preview = Preview(image=b"\xff\xd8\x00\x01")
    told = [JobEvent("state", {"state": "queued", "message": "排队"}), step(1), progress_event(2, "描边", preview)]
    for event in told:
        await events.append(TENANT, JOB, event)
    read = await events.read(TENANT, JOB, after=None)
    assert [event for _, event in read] == told
    ids = [number_of(event_id) for event_id, _ in read]
    assert ids == sorted(set(ids))
    assert await events.read(TENANT, JOB, after=read[0][0]) == read[1:]
    assert await events.read(TENANT, JOB, after="0-0") == read


async def test_another_job_and_another_tenant_have_their_own(events: JobEvents) -> None:
    for tenant, job, percent in ((TENANT, "job-2", 1), ("other", JOB, 2), (TENANT, JOB, 3)):
        await events.append(tenant, job, step(percent))
    assert [event for _, event in await events.read(TENANT, JOB, after=None)] == [step(3)]


async def test_a_read_waits_for_the_next_event_and_is_woken_by_it(events: JobEvents) -> None:
    await events.append(TENANT, JOB, step(0))
    last = (await events.read(TENANT, JOB, after=None))[-1][0]
    took = []
    for percent in range(1, 4):
        waiting = asyncio.ensure_future(events.read(TENANT, JOB, after=last))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        began = time.perf_counter()
        await events.append(TENANT, JOB, step(percent))
        ((last, event),) = await waiting
        took.append(time.perf_counter() - began)
        assert event == step(percent)
    assert min(took) < 1, took  # the fastest of several, because tests share the machine; by itself it ends after 2 s


async def test_a_read_that_nothing_comes_to_ends_by_itself(events: JobEvents) -> None:
    began = time.perf_counter()
    assert await events.read(TENANT, JOB, after=None) == []
    assert 1 < time.perf_counter() - began < 20


async def test_cancellations_are_heard_by_everybody_who_listens(events: JobEvents) -> None:
    listening = [asyncio.ensure_future(anext(events.cancellations())) for _ in range(2)]
    for _ in range(200):  # who listens says to nobody when it has begun
        await events.announce_cancel(JOB)
        done, _ = await asyncio.wait(listening, timeout=0.1)
        if len(done) == len(listening):
            break
    assert [each.result() for each in listening] == [JOB, JOB]


async def test_a_stream_is_kept_for_a_day_and_no_longer_than_it_is_of_use(server: RedisServer) -> None:
    events = RedisEvents(server.url)
    for percent in range(1000):
        await events.append(TENANT, JOB, step(percent % 100))
    with redis.Redis.from_url(server.url) as client:
        (name,) = client.keys("*job*")
        assert 0 < client.ttl(name) <= SECONDS
        assert 300 <= client.xlen(name) < 500
    await events.close()


async def test_hundreds_may_watch_and_events_are_still_written(server: RedisServer) -> None:
    events = RedisEvents(server.url)

    async def watched(job: str) -> list[JobEvent]:
        while True:
            read = await events.read(TENANT, job, after=None)
            if read:  # it ends by itself, too, after 2 s
                return [event for _, event in read]

    watching = [asyncio.ensure_future(watched(f"job-{n}")) for n in range(150)]
    await asyncio.sleep(0.5)
    for n in range(150):
        await events.append(TENANT, f"job-{n}", step(n % 100))
    assert await asyncio.gather(*watching) == [[step(n % 100)] for n in range(150)]
    await events.close()


async def test_a_redis_that_is_away_is_logged_raises_nothing_and_keeps_nobody_waiting(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    events = RedisEvents(server.url)
    await events.append(TENANT, JOB, step(1))
    server.kill()
    began = time.perf_counter()
    with caplog.at_level(logging.WARNING):
        await events.append(TENANT, JOB, step(2))
        await events.announce_cancel(JOB)
        assert time.perf_counter() - began < 5
        assert await events.read(TENANT, JOB, after=None) == []
    assert time.perf_counter() - began < 15  # a reader that asks again at once must not turn in circles
    assert len([record for record in caplog.records if record.name == "app.jobs.events"]) == 3
    await events.close()


@pytest.mark.parametrize("with_its_file", [True, False])
async def test_reading_and_listening_go_on_when_redis_is_back(server: RedisServer, with_its_file: bool) -> None:
    events = RedisEvents(server.url)
    heard: list[str] = []

    async def listen() -> None:
        async for job_id in events.cancellations():
            heard.append(job_id)  # noqa: PERF401 (it is looked at meanwhile)

    listening = asyncio.ensure_future(listen())
    await events.append(TENANT, JOB, step(1))
    last = (await events.read(TENANT, JOB, after=None))[-1][0]
    reading = asyncio.ensure_future(events.read(TENANT, JOB, after=last))
    await asyncio.sleep(0.2)
    server.kill()
    if not with_its_file:
        server.forget()
    assert await reading == []
    server.start()
    await events.append(TENANT, JOB, step(2))
    assert [event for _, event in await events.read(TENANT, JOB, after=last)] == [step(2)]
    for _ in range(100):
        await events.announce_cancel(JOB)
        await asyncio.sleep(0.1)
        if heard:
            break
    assert heard[:1] == [JOB]
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await events.close()
