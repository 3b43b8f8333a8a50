"""Jobs on the command line without a service: this very process works, and keeps what it works on."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update

from app.cli.studio import LocalStudio
from app.jobs.models import JobState, Limits
from app.jobs.service import JobService
from app.jobs.tables import jobs as jobs_table
from knowledge.database import now
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs.kinds import Echo
from tests.app.jobs.studio import small_studio

PATIENCE_SECONDS = 60  # of a busy machine


async def followed(studio: LocalStudio, job_id: str) -> str:
    """The state that a job ended in."""
    async with aclosing(studio.follow(job_id)) as events:
        async for name, data in events:
            if name == "done":
                return str(data["job"]["state"])
    raise AssertionError("the job did not end")


async def slept_through_its_lease(jobs: JobService) -> None:
    async with jobs.ledger._database.write() as connection:
        await connection.execute(update(jobs_table).values(lease_until=now() - timedelta(seconds=1)))


async def is_kept(jobs: JobService) -> bool:
    async with jobs.ledger._database.read() as connection:
        until = (await connection.execute(select(jobs_table.c.lease_until))).scalar_one()
    return until is not None and until > now()


async def test_a_job_that_takes_longer_than_its_lease_is_not_taken_over_by_another_call(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind]) as jobs, asyncio.timeout(PATIENCE_SECONDS):
        studio = LocalStudio(jobs, heartbeat_seconds=0.05)
        job = await studio.submit("echo", {"text": "慢", "steps": 2000, "step_seconds": 0.02})
        following = asyncio.ensure_future(followed(studio, job["id"]))
        await kind.started.wait()
        await slept_through_its_lease(jobs)
        while not await is_kept(jobs):  # noqa: ASYNC110 (the ledger is asked)
            await asyncio.sleep(0.02)
        assert await jobs.ledger.sweep() == []
        await LocalStudio(jobs).act(job["id"], "cancel")  # which the first call hears of
        assert await following == "cancelled"
    assert len(kind.runs) == 1


async def test_a_job_whose_parts_are_down_for_a_moment_is_tried_again(tmp_path: Path) -> None:
    kind = Echo()
    kind.down_for = 1
    async with small_studio(tmp_path, [kind]) as jobs, asyncio.timeout(PATIENCE_SECONDS):
        studio = LocalStudio(jobs)
        job = await studio.submit("echo", {"text": "x", "fail": "down"})
        assert await followed(studio, job["id"]) == "succeeded"
    assert len(kind.runs) == 2


async def test_who_follows_may_leave_a_job_that_waits_for_approval(tmp_path: Path) -> None:
    async with small_studio(tmp_path, [Echo()]) as jobs, asyncio.timeout(PATIENCE_SECONDS):
        await jobs.ledger.set_limits(DEFAULT_TENANT, Limits(approval_over=0.1))
        studio = LocalStudio(jobs)
        job = await studio.submit("echo", {"text": "x"})
        async with aclosing(studio.follow(job["id"])) as events:
            async for _, data in events:
                assert data["state"] == "waiting"
                break
        assert (await jobs.ledger.get(DEFAULT_TENANT, job["id"])).state is JobState.WAITING


async def test_who_leaves_a_job_that_runs_leaves_it_for_others(tmp_path: Path) -> None:
    kind = Echo()
    async with small_studio(tmp_path, [kind]) as jobs, asyncio.timeout(PATIENCE_SECONDS):
        studio = LocalStudio(jobs)
        job = await studio.submit("echo", {"text": "x", "steps": 2000, "step_seconds": 0.02})
        async with aclosing(studio.follow(job["id"])) as events:
            async for _ in events:
                await kind.started.wait()
                break
        assert (await jobs.ledger.get(DEFAULT_TENANT, job["id"])).state is JobState.QUEUED
