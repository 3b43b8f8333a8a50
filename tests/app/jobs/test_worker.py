"""A worker's loops in this process, on a real Redis."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from app.jobs.events import RedisEvents
from app.jobs.ledger import Lease, Ledger
from app.jobs.models import Job, JobState
from app.jobs.queue import DramatiqQueue
from app.jobs.service import JobService, Wanted
from app.processes.runtime import is_marked_ready
from app.worker import Worker
from knowledge.database import Database
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs.kinds import Echo, Picture
from tests.app.jobs.studio import small_studio
from tests.e2e.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.processes


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


async def nothing() -> None:
    """Nothing more is swept."""


@asynccontextmanager
async def working(
    data: Path, server: RedisServer, *, ledger: type[Ledger] = Ledger, queues: tuple[str, ...] = ("text", "image")
) -> AsyncIterator[tuple[JobService, Echo]]:
    """A worker that is ended by SIGTERM, as any process is."""
    echo = Echo()
    queue, events = DramatiqQueue(server.url), RedisEvents(server.url)
    async with small_studio(data, [echo, Picture()], events=events, queue=queue, ledger=ledger) as jobs:
        worker = Worker(jobs, server.url, queues, sweep=nothing, data=data)
        running = asyncio.ensure_future(worker.run())
        while not is_marked_ready(data, os.getpid()):
            assert not running.done(), running.exception()
            await asyncio.sleep(0.01)
        try:
            yield jobs, echo
        finally:
            if not running.done():
                os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(30):
                await running
            await events.close()
            queue.close()


async def ended(jobs: JobService, job: Job, seconds: float = 60) -> Job:
    async with asyncio.timeout(seconds):
        while True:
            now = await jobs.ledger.get(job.tenant, job.id)
            if now.state.ended:
                return now
            await asyncio.sleep(0.02)


def echo(kind: str = "echo", **fields: object) -> Wanted:
    return Wanted(DEFAULT_TENANT, kind, {"text": "你好", **fields})


class OnlyByMessage(Ledger):
    """The sweep finds nothing to start."""

    async def waiting(self, queue: str, *, at_most: int = 100) -> int:
        return 0


async def test_jobs_of_every_queue_are_begun_soon_after_they_are_asked_for(tmp_path: Path, server: RedisServer) -> None:
    async with working(tmp_path, server, ledger=OnlyByMessage) as (jobs, _):
        waits = []
        for kind in ("echo", "picture") * 3:
            await asyncio.sleep(0.3)  # the worker is idle
            job = await ended(jobs, await jobs.submit(echo(kind)))
            assert job.state is JobState.SUCCEEDED
            assert job.started_at is not None
            waits.append((job.started_at - job.created_at).total_seconds())
        assert sorted(waits)[len(waits) // 2] < 2, waits  # 0.1 s on a machine of one's own


class SaysNothingOfCancelling(Ledger):
    """A heartbeat does not hear that a job is to be cancelled."""

    async def renew(self, owner: str, progress: Mapping[str, tuple[int, str]]) -> dict[str, bool]:
        return dict.fromkeys(await super().renew(owner, progress), False)


async def test_a_cancelled_job_stops_in_the_middle_of_its_work_by_word_of_mouth(
    tmp_path: Path, server: RedisServer
) -> None:
    async with working(tmp_path, server, ledger=SaysNothingOfCancelling) as (jobs, kind):
        job = await jobs.submit(echo(steps=5000, step_seconds=0.05))
        await asyncio.wait_for(kind.started.wait(), 30)
        await jobs.cancel(DEFAULT_TENANT, job.id)
        assert (await ended(jobs, job)).state is JobState.CANCELLED


async def test_sigterm_gives_the_work_in_hand_back(tmp_path: Path, server: RedisServer) -> None:
    async with working(tmp_path, server) as (jobs, kind):
        job = await jobs.submit(echo(steps=5000, step_seconds=0.02))
        await asyncio.wait_for(kind.started.wait(), 30)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            while True:
                back = await jobs.ledger.get(job.tenant, job.id)
                if back.state is JobState.QUEUED:
                    break
                await asyncio.sleep(0.02)
        assert back.attempts == 0
        await jobs.cancel(DEFAULT_TENANT, job.id)


class Shaky(Ledger):
    """Its database is away the first two times that something is asked of it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._asked: Counter[str] = Counter()

    def _falter(self, what: str) -> None:
        self._asked[what] += 1
        if self._asked[what] <= 2:
            raise OperationalError("SELECT 1", {}, Exception("connection lost"))

    async def claim(self, queue: str, owner: str) -> Lease | None:
        self._falter("claim")
        return await super().claim(queue, owner)

    async def renew(self, owner: str, progress: Mapping[str, tuple[int, str]]) -> dict[str, bool]:
        self._falter("renew")
        return await super().renew(owner, progress)

    async def sweep(self) -> list[Job]:
        self._falter("sweep")
        return await super().sweep()


async def test_a_database_that_is_away_for_a_moment_does_not_end_the_worker(
    tmp_path: Path, server: RedisServer
) -> None:
    async with working(tmp_path, server, ledger=Shaky) as (jobs, _):
        for made in [await jobs.submit(echo()) for _ in range(6)]:
            assert (await ended(jobs, made)).state is JobState.SUCCEEDED


async def test_a_job_without_a_message_is_found(tmp_path: Path, server: RedisServer) -> None:
    async with working(tmp_path, server) as (jobs, _):
        jobs._queue = None  # whoever wrote it down was killed before it could send word
        job = await jobs.submit(echo())
        assert (await ended(jobs, job)).state is JobState.SUCCEEDED
