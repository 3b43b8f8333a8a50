"""The bot's process brings what is due: when it is told, when it looks for itself, and until it has to end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.jobs.deliveries import Delivery
from app.jobs.models import Channel, Job
from app.jobs.queue import DELIVERY, DramatiqQueue
from app.jobs.runner import JobRunner
from app.jobs.service import Wanted
from bots.worker import Brings, DeliveryWorker
from knowledge.errors import Unavailable
from knowledge.models import DEFAULT_TENANT
from tests.bots.delivering import Chat, chat
from tests.e2e.redis_server import RedisServer, redis_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


class Slow:
    """Brings nothing until it is let; remembers whom it was given."""

    channels = ("dingtalk",)

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.free = asyncio.Event()

    async def deliver(self, delivery: Delivery) -> None:
        self.begun.append(delivery.job_id)
        await self.free.wait()


@asynccontextmanager
async def working(
    c: Chat, courier: Brings | None = None, *, redis_url: str | None = None
) -> AsyncIterator[DeliveryWorker]:
    worker = DeliveryWorker(courier or c.courier, c.deliveries, owner="bot-1", redis_url=redis_url)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(worker.run())
        yield worker
        worker.stop()
        async with asyncio.timeout(10):
            await running


async def delivered(c: Chat, *jobs: Job) -> None:
    async with asyncio.timeout(20):
        for job in jobs:
            while (await c.row(job)).state != "delivered":  # noqa: ASYNC110 (the table is asked)
                await asyncio.sleep(0.02)


async def test_what_is_due_is_found_without_being_told(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        before = [await c.made() for _ in range(6)]
        async with working(c):
            await delivered(c, *before)
            await delivered(c, await c.made())
        assert len(c.messenger.cards) == 7


async def test_work_in_hand_comes_to_its_end_before_the_process_does(tmp_path: Path) -> None:
    class Finishes(Slow):
        async def deliver(self, delivery: Delivery) -> None:
            await super().deliver(delivery)
            await c.courier.deliver(delivery)

    async with chat(tmp_path) as c:
        job, slow = await c.made(), Finishes()
        async with working(c, slow) as worker:
            await _begun(slow)
            worker.stop()
            slow.free.set()
        assert (await c.row(job)).state == "delivered"


async def test_work_that_takes_longer_is_given_back(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job, slow = await c.made(), Slow()
        async with working(c, slow):
            await _begun(slow)
        row = await c.row(job)
        assert (row.state, row.attempts, row.owner) == ("waiting", 0, None)


async def test_a_worker_that_is_cancelled_gives_back_at_once(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job, slow = await c.made(), Slow()
        running = asyncio.ensure_future(DeliveryWorker(slow, c.deliveries, owner="bot-1").run())
        await _begun(slow)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await c.row(job)).attempts == 0


async def test_parts_that_are_away_stop_nothing(tmp_path: Path) -> None:
    class Trips(Slow):
        async def deliver(self, delivery: Delivery) -> None:
            self.begun.append(delivery.job_id)
            if len(self.begun) == 1:
                raise Unavailable("Away.")
            await c.courier.deliver(delivery)

    async with chat(tmp_path) as c:
        first, trips = await c.made(), Trips()
        async with working(c, trips):
            await _begun(trips)
            await delivered(c, await c.made())
            await c.process_gone()  # its lease runs out
            await delivered(c, first)


@pytest.mark.processes
async def test_the_queue_wakes_it_and_an_absent_redis_does_not_stop_it(tmp_path: Path, server: RedisServer) -> None:
    async with chat(tmp_path) as c:
        queue = DramatiqQueue(server.url)
        async with working(c, redis_url=server.url):
            job = await c.asked()
            await JobRunner(c.jobs, "w").drain("image")
            queue.wake(DELIVERY, job.id)
            await delivered(c, job)
            queue.close()
            server.kill()
            await delivered(c, await c.made())


async def test_two_processes_share_the_work(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        asked = Wanted(
            DEFAULT_TENANT, "white_background", {}, channel=Channel("dingtalk-robot", {"robot": "warehouse"})
        )
        made = [await c.jobs.submit(asked) for _ in range(10)]
        await JobRunner(c.jobs, "w").drain("image")
        other = DeliveryWorker(c.courier, c.deliveries, owner="bot-2")
        async with working(c), asyncio.TaskGroup() as tasks:
            tasks.create_task(other.run())
            await delivered(c, *made)
            other.stop()
        assert len(c.robots.said) == 10


async def _begun(slow: Slow) -> None:
    async with asyncio.timeout(20):
        while not slow.begun:  # noqa: ASYNC110 (polled: the worker begins when it likes)
            await asyncio.sleep(0.01)
