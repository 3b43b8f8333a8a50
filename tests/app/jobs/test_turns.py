"""Whose job is next, when many workers of several processes ask at once."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from app.jobs.ledger import Ledger
from app.jobs.models import Job, JobState, Limits
from app.jobs.ports import Outcome
from app.jobs.rows import NewJob
from app.jobs.tables import jobs as jobs_table
from knowledge.database import Database, now
from tests.app.jobs.kinds import Echo
from tests.app.jobs.studio import small_studio
from tests.products import database_of

TENANTS = ("east", "north", "south")
JOBS = 60


class Hands:
    """Workers of one process; what they hold at a time is counted by tenant, over all processes."""

    def __init__(self, ledger: Ledger, begun: Counter[str], held: Counter[str], most: Counter[str]) -> None:
        self._ledger, self._begun, self._held, self._most = ledger, begun, held, most

    async def work(self, owner: str) -> None:
        while True:
            lease = await self._ledger.claim("text", owner)
            if lease is None:
                if await self._ledger.waiting("text") == 0:
                    return
                await asyncio.sleep(0.01)
                continue
            tenant = lease.job.tenant
            self._begun[lease.job.id] += 1
            self._held[tenant] += 1
            self._most[tenant] = max(self._most[tenant], self._held[tenant])
            await asyncio.sleep(0.03)
            self._held[tenant] -= 1
            if self._begun[lease.job.id] == 1 and lease.job.request["n"] % 7 == 0:
                await self._ledger.give_back(lease)
            else:
                await self._ledger.succeed(lease, Outcome({}), [], {}, 0.0)


async def test_every_job_is_begun_by_one_worker_and_no_tenant_runs_more_than_it_may(tmp_path: Path) -> None:
    begun, held, most = Counter[str](), Counter[str](), Counter[str]()
    async with small_studio(tmp_path, [Echo()], tenants=TENANTS) as jobs:
        databases = [Database(database_of(tmp_path)) for _ in range(3)]
        for number in range(JOBS):
            await jobs.ledger.add(NewJob(TENANTS[number % 3], "echo", "text", {"n": number}))
        await jobs.ledger.set_limits("north", Limits(concurrency=1))
        hands = [Hands(Ledger(database), begun, held, most) for database in databases for _ in range(3)]
        async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
            for number, each in enumerate(hands):
                tasks.create_task(each.work(f"worker-{number}"))
        for database in databases:
            await database.close()
        ended = [job for tenant in TENANTS for job in (await jobs.ledger.page(tenant, limit=JOBS))[0]]
        assert Counter(job.state for job in ended) == {JobState.SUCCEEDED: JOBS}
        assert begun == {job.id: 2 if job.request["n"] % 7 == 0 else 1 for job in ended}
        assert most["north"] == 1
        assert most["east"] > 1


async def test_a_tenant_with_a_thousand_jobs_keeps_nobody_with_one_waiting(tmp_path: Path) -> None:
    async with small_studio(tmp_path, [Echo()], tenants=TENANTS) as jobs:
        for number in range(300):
            await jobs.ledger.add(NewJob("east", "echo", "text", {"n": number}))
        assert await claimed(jobs.ledger) == "east"
        for tenant in ("north", "south"):
            await jobs.ledger.add(NewJob(tenant, "echo", "text", {"n": 0}))
        assert [await claimed(jobs.ledger) for _ in range(4)] == ["north", "south", "east", "east"]


async def test_what_is_not_due_yet_is_passed_over(tmp_path: Path) -> None:
    async with small_studio(tmp_path, [Echo()], tenants=TENANTS) as jobs:
        made: list[Job] = [(await jobs.ledger.add(NewJob("east", "echo", "text", {"n": n})))[0] for n in range(2)]
        first = await jobs.ledger.claim("text", "w")
        assert first is not None
        await jobs.ledger.postpone(first, until=now() + timedelta(hours=1))
        second = await jobs.ledger.claim("text", "w")
        assert second is not None
        assert (first.job.id, second.job.id) == (made[0].id, made[1].id)
        assert await jobs.ledger.claim("text", "w") is None
        assert await jobs.ledger.waiting("text") == 0
        await an_hour_passes(jobs.ledger)
        again = await jobs.ledger.claim("text", "w")
        assert again is not None
        assert (again.job.id, again.attempt) == (made[0].id, 2)


async def an_hour_passes(ledger: Ledger) -> None:
    async with ledger._database.write() as connection:
        await connection.execute(update(jobs_table).values(not_before=now()))


async def claimed(ledger: Ledger) -> str | None:
    lease = await ledger.claim("text", "w")
    return lease.job.tenant if lease else None
