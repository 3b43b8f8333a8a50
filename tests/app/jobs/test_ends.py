"""However an attempt comes to its end, the job is neither lost nor ended by anything but its own doing."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app.jobs.events import JobEvent, MemoryEvents
from app.jobs.ledger import Ledger
from app.jobs.models import Job, JobState
from app.jobs.ports import JobFailed, JobRequest, Outcome, Quantities, Work
from app.jobs.runner import JobRunner
from app.jobs.service import JobService, Wanted
from app.jobs.tables import jobs as jobs_table
from knowledge.database import now
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs.kinds import Echo
from tests.app.jobs.studio import small_studio


class OddRequest(JobRequest):
    how: Literal["cancels itself", "cannot be written down"]


class Odd:
    """Ends in ways that a handler should not."""

    kind = "odd"
    queue: Literal["text"] = "text"
    request = OddRequest

    def estimate(self, request: OddRequest) -> Quantities:
        return Quantities()

    async def run(self, request: OddRequest, work: Work) -> Outcome:
        if request.how == "cancels itself":
            raise asyncio.CancelledError  # a library's own task was cancelled, and it let that out
        error = JobFailed("The parameters of this error are no JSON.", code="odd")
        error.params["what"] = object()  # type: ignore[assignment]
        raise error


def echo(**fields: object) -> Wanted:
    return Wanted(DEFAULT_TENANT, "echo", {"text": "你好", **fields})


async def state_of(jobs: JobService, job: Job) -> Job:
    return await jobs.ledger.get(job.tenant, job.id)


async def silent_for_long(jobs: JobService, job: Job) -> None:
    """As if the worker had not been heard of for longer than its lease."""
    async with jobs.ledger._database.write() as connection:
        past = now() - timedelta(seconds=1)
        await connection.execute(update(jobs_table).where(jobs_table.c.id == job.id).values(lease_until=past))


async def test_a_worker_that_breaks_down_gives_its_jobs_back_and_cancels_none(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind]) as jobs:
        job = await jobs.submit(echo(steps=200, step_seconds=0.02))
        work = asyncio.ensure_future(JobRunner(jobs, "w").drain("text"))
        await kind.started.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        back = await state_of(jobs, job)
        assert (back.state, back.attempts) == (JobState.QUEUED, 0)
        await jobs.cancel(DEFAULT_TENANT, job.id)


async def test_a_handler_that_is_cancelled_from_within_fails_and_is_not_said_to_be_cancelled(tmp_path: Path) -> None:
    async with small_studio(tmp_path, [Odd()]) as jobs:
        job = await jobs.submit(Wanted(DEFAULT_TENANT, "odd", {"how": "cancels itself"}))
        await JobRunner(jobs, "w").drain("text")
        ended = await state_of(jobs, job)
        assert (ended.state, ended.error_code) == (JobState.FAILED, "internal")


async def test_an_end_that_cannot_be_written_down_leaves_the_job_to_its_lease_and_the_worker_at_work(
    tmp_path: Path,
) -> None:
    async with small_studio(tmp_path, [Odd(), Echo()]) as jobs:
        job = await jobs.submit(Wanted(DEFAULT_TENANT, "odd", {"how": "cannot be written down"}))
        next_one = await jobs.submit(echo())
        runner = JobRunner(jobs, "w")
        assert await runner.drain("text") == 2
        assert (await state_of(jobs, next_one)).state is JobState.SUCCEEDED
        assert (await state_of(jobs, job)).state is JobState.RUNNING
        await silent_for_long(jobs, job)
        await runner.beat()  # renews what it works on, and this it does not
        assert [swept.id for swept in await jobs.ledger.sweep()] == [job.id]


class Faltering(Ledger):
    """Its database goes away just when the first end is to be written."""

    away = True

    async def succeed(self, *how: Any) -> Job:
        if self.away:
            self.away = False
            raise OperationalError("UPDATE jobs", {}, Exception("connection lost"))
        return await super().succeed(*how)


async def test_work_whose_end_could_not_be_written_is_done_again_and_has_not_failed(tmp_path: Path) -> None:
    async with small_studio(tmp_path, [Echo()], ledger=Faltering) as jobs:
        job = await jobs.submit(echo())
        runner = JobRunner(jobs, "w")
        await runner.drain("text")
        assert (await state_of(jobs, job)).state is JobState.RUNNING
        await silent_for_long(jobs, job)
        await jobs.ledger.sweep()
        await runner.drain("text")
        done = await state_of(jobs, job)
        assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
        assert len((await jobs.artifacts.of_jobs([job.id]))[job.id]) == 1


async def test_a_job_that_one_process_lost_and_took_again_ends_once(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind]) as jobs:
        job = await jobs.submit(echo(steps=20, step_seconds=0.02))
        runner = JobRunner(jobs, "w")
        first = asyncio.ensure_future(runner.drain("text"))
        await kind.started.wait()
        await silent_for_long(jobs, job)  # the machine slept
        await jobs.ledger.sweep()
        second = asyncio.ensure_future(runner.drain("text"))
        assert await asyncio.gather(first, second) == [1, 1]
        ended = await state_of(jobs, job)
        assert (ended.state, ended.attempts) == (JobState.SUCCEEDED, 2)
        assert len((await jobs.artifacts.of_jobs([job.id]))[job.id]) == 1


async def test_what_is_claimed_while_the_worker_stops_is_given_back(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind]) as jobs:
        job = await jobs.submit(echo())
        runner = JobRunner(jobs, "w")
        await asyncio.gather(runner.drain("text"), runner.stop())
        back = await state_of(jobs, job)
        assert (back.state, back.attempts, kind.runs) == (JobState.QUEUED, 0, [])


async def test_a_job_that_was_cancelled_while_it_failed_for_now_is_not_started_again(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind]) as jobs:
        postponed, given_back = [await jobs.submit(echo()) for _ in range(2)]
        leases = [await jobs.ledger.claim("text", "w") for _ in range(2)]
        assert leases[0] is not None
        assert leases[1] is not None
        for job in (postponed, given_back):
            assert (await jobs.cancel(DEFAULT_TENANT, job.id)).state is JobState.RUNNING
        await jobs.ledger.postpone(leases[0], until=now())
        await jobs.ledger.give_back(leases[1])
        assert (await state_of(jobs, postponed)).state is JobState.CANCELLED
        assert (await state_of(jobs, given_back)).state is JobState.CANCELLED
        assert await JobRunner(jobs, "w").drain("text") == 0


async def test_nothing_is_told_after_the_end(tmp_path: Path) -> None:
    class Slow(MemoryEvents):
        """Progress takes its time to be written."""

        async def append(self, tenant: str, job_id: str, event: JobEvent) -> None:
            if event.name == "progress":
                await asyncio.sleep(0.05)
            await super().append(tenant, job_id, event)

    async with small_studio(tmp_path, [Echo()], events=Slow()) as jobs:
        job = await jobs.submit(echo())
        await JobRunner(jobs, "w").drain("text")
        told = [event for _, event in await jobs.events.read(DEFAULT_TENANT, job.id, after=None)]
        assert told[-1].data["state"] == "succeeded"


async def test_a_beat_that_hears_of_a_lost_lease_stops_the_work(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind]) as jobs:
        job = await jobs.submit(echo(steps=5000, step_seconds=0.02))
        runner = JobRunner(jobs, "overtaken")
        work = asyncio.ensure_future(runner.drain("text"))
        await kind.started.wait()
        await silent_for_long(jobs, job)
        await jobs.ledger.sweep()
        lease = await jobs.ledger.claim("text", "somebody else")
        assert lease is not None
        await runner.beat()
        async with asyncio.timeout(30):
            await work
        mine = await state_of(jobs, job)
        assert (mine.state, mine.attempts) == (JobState.RUNNING, 2)
        await jobs.ledger.fail(lease, code="x", message="x", params={})


async def test_the_same_key_sent_twice_at_once_is_one_job(tmp_path: Path) -> None:
    async with small_studio(tmp_path, [Echo()]) as jobs:
        wanted = Wanted(DEFAULT_TENANT, "echo", {"text": "x"}, idempotency_key="k")
        made = await asyncio.gather(*(jobs.submit(wanted) for _ in range(8)))
        assert len({job.id for job in made}) == 1
        async with jobs.ledger._database.read() as connection:
            assert len((await connection.execute(select(jobs_table.c.id))).all()) == 1


class Deaf(MemoryEvents):
    """Loses a cancellation that comes while it writes, as ``asyncio.wait_for`` of Python 3.11 (hence redis-py) may."""

    async def append(self, tenant: str, job_id: str, event: JobEvent) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.3 if event.name == "progress" else 0.05)
        await super().append(tenant, job_id, event)


async def test_a_lost_cancellation_holds_up_no_job(tmp_path: Path) -> None:
    async with small_studio(tmp_path, [Echo()], events=Deaf()) as jobs:
        made = [await jobs.submit(echo(fail=how)) for how in ("", "final")]
        async with asyncio.timeout(60):
            await JobRunner(jobs, "w").drain("text")
        assert [(await state_of(jobs, job)).state for job in made] == [JobState.SUCCEEDED, JobState.FAILED]


async def test_a_worker_that_ends_is_heard_though_a_cancellation_was_lost(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind], events=Deaf()) as jobs:
        job = await jobs.submit(echo(steps=5000, step_seconds=0.02))
        work = asyncio.ensure_future(JobRunner(jobs, "w").drain("text"))
        while (await state_of(jobs, job)).state is not JobState.RUNNING:  # noqa: ASYNC110 (the ledger is asked)
            await asyncio.sleep(0.005)
        work.cancel()  # just when it says that it runs
        async with asyncio.timeout(30):
            await asyncio.gather(work, return_exceptions=True)
        assert (await state_of(jobs, job)).state is JobState.QUEUED
        await jobs.cancel(DEFAULT_TENANT, job.id)
