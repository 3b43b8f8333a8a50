"""200 mixed jobs, and everything is taken away from them: each ends, and each of its effects happens once.

Workers are killed (-9) at random, one is halted for longer than its lease and then goes on, and Redis is killed three
times, twice with its file lost: once in the middle, and once when there is nothing but jobs that nobody sent word of.
"""

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from app.jobs.events import RedisEvents
from app.jobs.models import Channel, Job, JobState
from app.jobs.queue import DramatiqQueue
from app.jobs.service import JobService, Wanted
from app.jobs.tables import artifacts, deliveries
from app.jobs.tables import jobs as jobs_table
from app.processes.runtime import is_marked_ready
from knowledge.database import now
from knowledge.errors import Conflict
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs.studio import small_studio
from tests.e2e.job_worker import POSTPONED, PRICES, kinds, starts_of
from tests.e2e.redis_server import RedisServer, redis_server

TENANTS = (DEFAULT_TENANT, "north", "south")
WORKERS = 2
KILLS = 4
HALT_SECONDS = 13  # longer than a lease; a worker that is halted while it writes keeps others waiting as long
RESTART_SECONDS = 30
END_SECONDS = 150
SEED = 7
# What the jobs are to come to, and how many of each; 20 of them are cancelled on the way.
MIX = {"": 150, "final": 20, "bug": 10, "down": 20}
CANCELLED = 20
CHANNELS = (None, Channel("web"), Channel("api"), Channel("dingtalk", {"conversation": "cid-1"}))


@dataclass(eq=False)
class Crew:
    """The worker processes, and what those that were killed held at the time."""

    data: Path
    redis_url: str
    alive: list[subprocess.Popen[bytes]] = field(default_factory=list)
    held: list[tuple[str, datetime]] = field(default_factory=list)

    def hire(self) -> None:
        with (self.data / "worker.log").open("ab") as log:
            argv = [sys.executable, "-m", "tests.e2e.job_worker", str(self.data), self.redis_url]
            self.alive.append(subprocess.Popen(argv, stdout=log, stderr=log))

    async def all_ready(self) -> None:
        for process in self.alive:
            while not is_marked_ready(self.data, process.pid):
                assert process.poll() is None, (self.data / "worker.log").read_text()[-3000:]
                await asyncio.sleep(0.1)

    async def kill(self, jobs: JobService, victim: subprocess.Popen[bytes]) -> None:
        self.alive.remove(victim)
        victim.kill()
        killed = now()
        victim.wait()
        mine = jobs_table.c.owner.contains(f":{victim.pid}:") & (jobs_table.c.state == JobState.RUNNING)
        async with jobs.ledger._database.read() as connection:
            rows = await connection.execute(select(jobs_table.c.id).where(mine))
            self.held += [(row.id, killed) for row in rows]


@contextmanager
def crew(data: Path, redis_url: str) -> Iterator[Crew]:
    people = Crew(data, redis_url)
    try:
        yield people
    finally:
        for process in people.alive:
            process.kill()
            process.wait()


@asynccontextmanager
async def office(data: Path, redis: RedisServer) -> AsyncIterator[JobService]:
    """Where jobs are asked for: another process than the workers', as the API is."""
    queue, events = DramatiqQueue(redis.url), RedisEvents(redis.url)
    async with small_studio(data, kinds(data), events=events, queue=queue, tenants=TENANTS) as jobs:
        yield jobs
    await events.close()
    queue.close()


def orders(chance: random.Random) -> list[Wanted]:
    """Text and pictures of three tenants, for every channel, one to four seconds each."""
    ways = [way for way, count in MIX.items() for _ in range(count)]
    chance.shuffle(ways)
    return [
        Wanted(
            chance.choice(TENANTS),
            chance.choice(("echo", "echo", "picture")),
            {"text": f"第 {number} 件", "steps": 20, "step_seconds": chance.uniform(0.05, 0.2), "fail": way},
            channel=chance.choice(CHANNELS),
            idempotency_key=f"order-{number}",
            max_attempts=20,  # kills and postponements count alike
        )
        for number, way in enumerate(ways)
    ]


async def submitted(jobs: JobService, wanted: list[Wanted]) -> list[Job]:
    made = []
    for each in wanted:
        made.append(await jobs.submit(each))
        again = await jobs.submit(each)  # the network was slow, and the client asks once more
        assert again.id == made[-1].id
    return made


async def kill_workers(jobs: JobService, people: Crew, chance: random.Random) -> None:
    for number in range(KILLS):
        await people.all_ready()
        await asyncio.sleep(chance.uniform(0.5, 3))
        if number == 1:
            await halt(chance.choice(people.alive))
        await people.kill(jobs, chance.choice(people.alive))
        people.hire()


async def halt(worker: subprocess.Popen[bytes]) -> None:
    """As a virtual machine that is moved, or a laptop that is closed: it goes on, and knows nothing of it."""
    worker.send_signal(signal.SIGSTOP)
    await asyncio.sleep(HALT_SECONDS)
    worker.send_signal(signal.SIGCONT)
    await asyncio.sleep(1)  # to do what it would do with jobs that are another's now


async def cancel_some(jobs: JobService, made: list[Job], chance: random.Random) -> set[str]:
    """→ those that were still to be stopped."""
    stopped = set()
    for job in chance.sample(made, CANCELLED):
        await asyncio.sleep(chance.uniform(0.1, 1))
        try:
            await jobs.cancel(job.tenant, job.id)
            stopped.add(job.id)
        except Conflict:
            assert (await jobs.ledger.get(job.tenant, job.id)).state.ended
    return stopped


async def restart_redis(redis: RedisServer, *, with_its_file: bool) -> None:
    redis.kill()
    if not with_its_file:
        redis.forget()
    await asyncio.sleep(1)
    await asyncio.to_thread(redis.start)


async def rows_of(jobs: JobService, table: Any) -> list[Row[Any]]:
    async with jobs.ledger._database.read() as connection:
        return list((await connection.execute(select(table))).all())


async def all_ended(jobs: JobService) -> dict[str, Row[Any]]:
    while True:
        rows = await rows_of(jobs, jobs_table)
        if all(JobState(row.state).ended for row in rows):
            return {row.id: row for row in rows}
        await asyncio.sleep(0.3)


async def note_restarts(jobs: JobService, people: Crew, seen: dict[tuple[str, datetime], float]) -> None:
    """How long after a kill each job that was held ran again; those that somebody cancelled do not."""
    while True:
        rows = {row.id: row for row in await rows_of(jobs, jobs_table)}
        for job_id, killed in people.held:
            if rows[job_id].started_at > killed:
                seen.setdefault((job_id, killed), (rows[job_id].started_at - killed).total_seconds())
        await asyncio.sleep(0.3)


@pytest.mark.processes
@pytest.mark.timeout(300)
async def test_every_job_ends_and_every_effect_happens_once(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 (what is killed when is no secret)
    data = tmp_path / "data"
    data.mkdir()
    wanted = orders(chance)
    restarts: dict[tuple[str, datetime], float] = {}
    began = time.monotonic()
    with redis_server(data) as redis, crew(data, redis.url) as people:
        async with office(data, redis) as jobs, asyncio.timeout(END_SECONDS):
            for _ in range(WORKERS):
                people.hire()
            made = await submitted(jobs, wanted[:120])
            watching = asyncio.ensure_future(note_restarts(jobs, people, restarts))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(kill_workers(jobs, people, chance))
                cancelling = tasks.create_task(cancel_some(jobs, list(made), chance))
                await people.all_ready()
                await asyncio.sleep(2)
                await restart_redis(redis, with_its_file=True)
                made += await submitted(jobs, wanted[120:160])
                await asyncio.sleep(5)
                outage = tasks.create_task(restart_redis(redis, with_its_file=False))
                made += await submitted(jobs, wanted[160:180])  # while Redis is away
                await outage
            await all_ended(jobs)
            outage = asyncio.ensure_future(restart_redis(redis, with_its_file=False))
            made += await submitted(jobs, wanted[180:])  # the workers are idle, and get no message
            await outage
            ended = await all_ended(jobs)
            await asyncio.sleep(0.5)
            watching.cancel()
            took = time.monotonic() - began

            ends = Counter(row.state for row in ended.values())
            print(f"{took:.0f} s, ends {dict(ends)}, {len(people.held)} jobs held by killed workers, running again")
            print("after", sorted(round(seconds, 1) for seconds in restarts.values()), "s")
            check_ends(ended, made, wanted, cancelling.result())
            check_restarts(people, ended, restarts)
            await check_files(jobs, data, ended, wanted, made)
            await check_deliveries(jobs, made, wanted)
            check_starts(data, ended)
            assert "job overtaken" in (data / "worker.log").read_text()
            some = next(job for job in made if ended[job.id].state == JobState.SUCCEEDED)
            told = [event.name async for _, event in jobs.follow(some.tenant, some.id, after=None)]
            assert told[-1] == "done"


def check_ends(ended: dict[str, Row[Any]], made: list[Job], wanted: list[Wanted], cancelled: set[str]) -> None:
    assert len(ended) == len(made) == sum(MIX.values())
    codes = {"final": "echo_impossible", "bug": "internal"}
    for job, asked in zip(made, wanted, strict=True):
        row = ended[job.id]
        way = asked.request["fail"]
        if row.state == JobState.CANCELLED:
            assert job.id in cancelled
        elif row.state == JobState.FAILED:
            assert row.error_code == codes[way]
        else:
            assert way in ("", "down")
            assert row.result["text"] == asked.request["text"]
        assert (row.owner, row.lease_until) == (None, None)
        # the cost is written with the end, and only with a good one
        assert (row.cost is None) == (row.state != JobState.SUCCEEDED)
        assert row.amount == (PRICES["image"] if row.state == JobState.SUCCEEDED else 0)


def check_restarts(people: Crew, ended: dict[str, Row[Any]], restarts: dict[tuple[str, datetime], float]) -> None:
    stopped = {job_id for job_id, row in ended.items() if row.state == JobState.CANCELLED}
    expected = {(job_id, killed) for job_id, killed in people.held if job_id not in stopped}
    assert len(expected) >= KILLS, "the kills must come in the middle"
    assert expected <= restarts.keys()
    assert max(restarts.values()) < RESTART_SECONDS


async def check_files(
    jobs: JobService, data: Path, ended: dict[str, Row[Any]], wanted: list[Wanted], made: list[Job]
) -> None:
    texts = {job.id: asked.request["text"] for job, asked in zip(made, wanted, strict=True)}
    rows = await rows_of(jobs, artifacts)
    good = {job_id for job_id, row in ended.items() if row.state == JobState.SUCCEEDED}
    assert Counter(row.job_id for row in rows) == Counter(good)
    for row in rows:
        content = texts[row.job_id].encode()
        assert row.content_hash == hashlib.sha256(content).hexdigest()
        path = data / "artifacts" / row.tenant / row.content_hash[:2] / row.content_hash
        assert path.read_bytes() == content
    files = [path for path in (data / "artifacts").rglob("*") if path.is_file()]
    needless = len(files) - len({(row.tenant, row.content_hash) for row in rows})
    for path in files:
        os.utime(path, (time.time() - 7200,) * 2)
    assert await jobs.artifacts.sweep() == needless
    assert len([path for path in (data / "artifacts").rglob("*") if path.is_file()]) == len(rows)


async def check_deliveries(jobs: JobService, made: list[Job], wanted: list[Wanted]) -> None:
    rows = await rows_of(jobs, deliveries)
    due = {
        (job.id, asked.channel.name): "waiting" if asked.channel.name == "dingtalk" else "delivered"
        for job, asked in zip(made, wanted, strict=True)
        if asked.channel is not None
    }
    assert {(row.job_id, row.channel): row.state for row in rows} == due
    assert len(rows) == len(due)


def check_starts(data: Path, ended: dict[str, Row[Any]]) -> None:
    """The ledger counts starts; a handler may have been killed before it wrote its own down."""
    for job_id, row in ended.items():
        begun = len(starts_of(data / "starts", job_id))
        assert begun <= row.attempts
        if row.state == JobState.SUCCEEDED:
            assert begun >= (POSTPONED + 1 if row.request["fail"] == "down" else 1)
    assert sum(row.attempts > 1 for row in ended.values()) > MIX["down"]
