"""Jobs through their service and a runner: every end, and every effect once."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.jobs.ledger import LeaseLost, Ledger
from app.jobs.models import Channel, Job, JobState, Limits
from app.jobs.ports import Outcome
from app.jobs.queue import MemoryQueue
from app.jobs.runner import JobRunner
from app.jobs.service import JobService, Wanted
from app.jobs.tables import deliveries
from app.jobs.tables import jobs as jobs_table
from knowledge.database import now
from knowledge.errors import Conflict, InvalidInput, NotFound
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs.kinds import Echo, Picture
from tests.products import product


@asynccontextmanager
async def studio(data: Path, **overrides: object) -> AsyncIterator[tuple[JobService, JobRunner, Echo]]:
    echo = Echo()
    async with product(data, handlers=[echo, Picture()], **overrides) as services:
        for tenant in ("north", "south"):
            await services.parts.catalog.ensure_tenant(tenant, tenant)
        yield services.jobs, JobRunner(services.jobs, "worker-1"), echo


def wanted(text: str = "你好", tenant: str = DEFAULT_TENANT, **fields: object) -> Wanted:
    job = {name: fields.pop(name) for name in list(fields) if name in Wanted.__dataclass_fields__}
    return Wanted(tenant, "echo", {"text": text, **fields}, **job)  # type: ignore[arg-type]


async def ended(jobs: JobService, job: Job) -> Job:
    return await jobs.ledger.get(job.tenant, job.id)


async def test_a_job_is_written_down_before_it_runs_and_its_result_is_kept(tmp_path: Path) -> None:
    async with studio(tmp_path, prices={"currency": "CNY", "image": 0.5}) as (jobs, runner, _):
        job = await jobs.submit(wanted("杯子", channel=Channel("web"), requester="张三"))
        assert (job.state, job.estimate and job.estimate["amount"]["high"]) == (JobState.QUEUED, 0.5)
        assert await runner.drain("text") == 1
        done = await ended(jobs, job)
        assert (done.state, done.percent, done.attempts, done.review) == (JobState.SUCCEEDED, 100, 1, "pending")
        assert done.result == {"engine": "echo", "text": "杯子"}
        assert done.cost is not None
        assert (done.cost["amount"], done.cost["currency"]) == (0.5, "CNY")
        made = (await jobs.artifacts.of_jobs([job.id]))[job.id]
        assert [(a.name, a.media_type) for a in made] == [("回声.txt", "text/plain")]
        assert (await jobs.artifacts.read(made[0])).decode() == "杯子"


async def test_the_same_idempotency_key_is_the_same_job(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, echo):
        first, second = [await jobs.submit(wanted(idempotency_key="order-7")) for _ in range(2)]
        assert first.id == second.id
        other_tenant = await jobs.submit(wanted(tenant="north", idempotency_key="order-7"))
        assert other_tenant.id != first.id
        await runner.drain("text")
        assert len(echo.runs) == 2
        assert (await jobs.submit(wanted(idempotency_key="order-7"))).state is JobState.SUCCEEDED


async def test_tenants_take_turns_and_priority_counts_within_one(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, echo):
        north = [await jobs.submit(wanted(f"n{i}", tenant="north")) for i in range(4)]
        south = [await jobs.submit(wanted(f"s{i}", tenant="south", priority=p)) for i, p in enumerate((5, 2))]
        await runner.drain("text")
        assert echo.runs == [north[0].id, south[1].id, north[1].id, south[0].id, north[2].id, north[3].id]


async def test_a_tenant_runs_no_more_at_a_time_than_it_may(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, _, _):
        await jobs.ledger.set_limits("north", Limits(concurrency=1))
        for tenant in ("north", "north", "south"):
            await jobs.submit(wanted(tenant=tenant))
        claimed = [await jobs.ledger.claim("text", f"worker-{n}") for n in range(3)]
        assert [lease.job.tenant if lease else None for lease in claimed] == ["north", "south", None]


async def test_limits_of_a_day_refuse_further_jobs(tmp_path: Path) -> None:
    async with studio(tmp_path, job_daily_limit=2, prices={"image": 1}) as (jobs, _, _):
        await jobs.submit(wanted())
        await jobs.submit(wanted())
        with pytest.raises(Conflict) as refused:
            await jobs.submit(wanted())
        assert refused.value.error_code == "daily_limit_reached"
        await jobs.ledger.set_limits(DEFAULT_TENANT, Limits(daily_jobs=10, daily_amount=2.5))
        with pytest.raises(Conflict) as refused:
            await jobs.submit(wanted())
        assert refused.value.error_code == "daily_budget_reached"


async def test_a_job_over_the_limit_waits_for_approval(tmp_path: Path) -> None:
    async with studio(tmp_path, job_approval_over=3.0, prices={"image": 1}) as (jobs, runner, echo):
        assert (await jobs.estimate(DEFAULT_TENANT, "echo", {"text": "x", "amount_images": 4}))["needs_approval"]
        job = await jobs.submit(wanted(amount_images=4))
        assert job.state is JobState.WAITING
        assert await runner.drain("text") == 0
        await jobs.approve(DEFAULT_TENANT, job.id)
        assert await runner.drain("text") == 1
        assert echo.runs == [job.id]
        with pytest.raises(Conflict) as refused:
            await jobs.approve(DEFAULT_TENANT, job.id)
        assert refused.value.error_code == "job_not_waiting"


async def test_final_errors_end_the_job_with_their_reason(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, echo):
        final, bug = await jobs.submit(wanted(fail="final")), await jobs.submit(wanted(fail="bug"))
        await runner.drain("text")
        failed = await ended(jobs, final)
        assert (failed.state, failed.error_code, failed.error_params) == ("failed", "echo_impossible", {"why": "test"})
        assert (await ended(jobs, bug)).error_code == "internal"
        assert echo.runs == [final.id, bug.id]


async def test_a_part_that_is_down_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.runner.BACK_OFF", (0,))
    async with studio(tmp_path) as (jobs, runner, echo):
        echo.down_for = 2
        job = await jobs.submit(wanted(fail="down"))
        await runner.drain("text")
        done = await ended(jobs, job)
        assert (done.state, done.attempts) == (JobState.SUCCEEDED, 3)
        echo.down_for = 100
        hopeless = await jobs.submit(wanted(fail="down", max_attempts=2))
        await runner.drain("text")
        assert (await ended(jobs, hopeless)).error_code == "echo_unavailable"


async def test_a_postponed_job_does_not_hold_up_others(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, echo):
        echo.down_for = 1
        late, next_one = await jobs.submit(wanted(fail="down")), await jobs.submit(wanted())
        await runner.drain("text")
        assert (await ended(jobs, late)).state is JobState.QUEUED
        assert (await ended(jobs, next_one)).state is JobState.SUCCEEDED


async def test_cancelling_ends_a_queued_job_at_once_and_a_running_one_within_a_step(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, echo):
        running = await jobs.submit(wanted(steps=5000, step_seconds=0.02))
        queued = await jobs.submit(wanted())
        assert (await jobs.cancel(DEFAULT_TENANT, queued.id)).state is JobState.CANCELLED
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(runner.drain("text"))
            await echo.started.wait()
            await jobs.cancel(DEFAULT_TENANT, running.id)
            await runner.beat()
            async with asyncio.timeout(30):
                await work
        stopped = await ended(jobs, running)
        assert (stopped.state, stopped.cost) == (JobState.CANCELLED, None)
        assert echo.runs == [running.id]
        with pytest.raises(Conflict) as refused:
            await jobs.cancel(DEFAULT_TENANT, running.id)
        assert refused.value.error_code == "job_ended"


async def test_a_stopping_worker_gives_its_job_back_as_if_it_had_not_begun(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, echo):
        job = await jobs.submit(wanted(steps=200, step_seconds=0.02))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(runner.drain("text"))
            await echo.started.wait()
            await runner.stop()
        back = await ended(jobs, job)
        assert (back.state, back.attempts) == (JobState.QUEUED, 0)
        await jobs.cancel(DEFAULT_TENANT, job.id)


async def test_what_a_worker_does_with_a_job_it_lost_changes_nothing(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, _):
        ledger: Ledger = jobs.ledger
        job = await jobs.submit(wanted("一次"))
        dead = await ledger.claim("text", "dead-worker")
        assert dead is not None
        assert await ledger.sweep() == []
        await _expire(jobs, job)
        assert [swept.id for swept in await ledger.sweep()] == [job.id]
        assert await runner.drain("text") == 1
        with pytest.raises(LeaseLost):
            await ledger.succeed(dead, Outcome({"engine": "ghost"}), [], {}, 9.0)
        with pytest.raises(LeaseLost):
            await ledger.fail(dead, code="x", message="x", params={})
        done = await ended(jobs, job)
        assert (done.state, done.attempts, done.result) == ("succeeded", 2, {"engine": "echo", "text": "一次"})
        assert len((await jobs.artifacts.of_jobs([job.id]))[job.id]) == 1


async def test_a_job_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, _, _):
        job = await jobs.submit(wanted(max_attempts=2))
        for _ in range(2):
            assert await jobs.ledger.claim("text", "dying") is not None
            await _expire(jobs, job)
            await jobs.ledger.sweep()
        assert (await ended(jobs, job)).error_code == "job_crashed"


async def test_a_finished_job_notes_its_delivery_once(tmp_path: Path) -> None:
    async with product(tmp_path, handlers=[Echo()]) as services:
        jobs = services.jobs
        channel = Channel("dingtalk", {"conversation": "cid"})
        job = await jobs.submit(wanted(channel=channel))
        await JobRunner(jobs, "w").drain("text")
        async with services.parts.database.read() as connection:
            rows = (await connection.execute(select(deliveries))).all()
        assert [(row.job_id, row.channel, row.target, row.state) for row in rows] == [
            (job.id, "dingtalk", {"conversation": "cid"}, "waiting")
        ]
        assert isinstance(jobs._queue, MemoryQueue)
        assert jobs._queue.sent == [("text", job.id), ("delivery", job.id)]


async def test_events_tell_the_way_and_end_in_done(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, _):
        job = await jobs.submit(wanted("看看", steps=4, step_seconds=0.12))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(runner.drain("text"))
            events = [item async for item in jobs.follow(DEFAULT_TENANT, job.id, after=None)]
        names = [event.name for _, event in events]
        assert names[0] == "state"
        assert names[-1] == "done"
        assert [e.data["state"] for _, e in events if e.name == "state"][-3:] == ["queued", "running", "succeeded"]
        previews = [e.data["preview"]["text"] for _, e in events if "preview" in e.data]
        assert previews[0] == "看"
        percents = [e.data["percent"] for _, e in events if e.name == "progress"]
        assert percents == sorted(percents)
        middle = events[3][0]
        rest = [item async for item in jobs.follow(DEFAULT_TENANT, job.id, after=middle)]
        assert rest[-1][1].name == "done"
        with pytest.raises(NotFound):
            await anext(jobs.follow("north", job.id, after=None))


async def test_a_review_can_change_and_needs_a_result(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, _):
        job = await jobs.submit(wanted())
        with pytest.raises(Conflict):
            await jobs.review(DEFAULT_TENANT, job.id, "approved", reason=None, by="me")
        await runner.drain("text")
        await jobs.review(DEFAULT_TENANT, job.id, "rejected", reason="太暗", by="me")
        seen = await ended(jobs, job)
        assert (seen.review, seen.review_reason) == ("rejected", "太暗")
        again = await jobs.retry(DEFAULT_TENANT, job.id, {"text": "亮一点"}, requester="me")
        assert (again.retry_of, again.request["text"]) == (job.id, "亮一点")


@pytest.mark.parametrize(
    ("kind", "request_", "code"),
    [
        ("nonsense", {}, "job_kind_unknown"),
        ("echo", {}, "job_argument_missing"),
        ("echo", {"text": "x", "colour": "red"}, "job_request_invalid"),
        ("echo", {"text": "x", "steps": "many"}, "job_request_invalid"),
    ],
)
async def test_bad_requests_are_refused_before_anything_is_written(
    tmp_path: Path, kind: str, request_: dict[str, object], code: str
) -> None:
    async with studio(tmp_path) as (jobs, _, _):
        with pytest.raises(InvalidInput) as refused:
            await jobs.submit(Wanted(DEFAULT_TENANT, kind, request_))
        assert refused.value.error_code == code
        assert (await jobs.ledger.page(DEFAULT_TENANT))[1] == 0


async def test_files_that_no_job_needs_are_swept_and_others_stay(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, _):
        await jobs.submit(wanted("bleibt"))
        await runner.drain("text")
        orphan = tmp_path / "artifacts" / DEFAULT_TENANT / "ab" / "ab-orphan"
        orphan.parent.mkdir(parents=True)
        orphan.write_bytes(b"left by a killed worker")
        assert await jobs.artifacts.sweep() == 0
        old = time.time() - 7200
        os.utime(orphan, (old, old))
        assert await jobs.artifacts.sweep() == 1
        assert not orphan.exists()


async def _expire(jobs: JobService, job: Job) -> None:
    """As if the worker had been silent for longer than its lease."""
    async with jobs.ledger._database.write() as connection:
        past = now() - timedelta(seconds=1)
        await connection.execute(update(jobs_table).where(jobs_table.c.id == job.id).values(lease_until=past))


async def test_a_job_that_waits_before_it_tries_again_starts_at_once_when_it_is_asked_for(tmp_path: Path) -> None:
    async with studio(tmp_path) as (jobs, runner, _):
        job = await jobs.submit(wanted("杯子", subject="cup"))
        lease = await jobs.ledger.claim("text", "worker-0")
        assert lease is not None
        await jobs.ledger.postpone(lease, until=now() + timedelta(hours=1))
        assert await runner.drain("text") == 0
        assert (await jobs.submit(wanted("杯子", subject="cup"))).id == job.id
        assert await runner.drain("text") == 1
        assert (await ended(jobs, job)).state is JobState.SUCCEEDED
