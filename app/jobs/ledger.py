"""The ledger: the truth about every job, in SQL. Each step is one transaction, and a step that comes twice is refused.

A running job is leased: its worker renews the lease, and a job whose lease ran out goes back into the queue. What a
worker does with a job it has lost changes nothing: every step asks for the worker's name and the number of the start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, and_, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.jobs.models import Artifact, Channel, Job, JobState, Limits, Review
from app.jobs.ports import Outcome
from app.jobs.tables import artifacts, deliveries, jobs, tenant_limits, tenant_turns
from knowledge.database import Database, now
from knowledge.errors import Conflict, NotFound

LEASE = timedelta(seconds=10)
_ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)

# The tenants with queued jobs, by jumping from one to the next in the index: as quick with a million jobs as with ten.
# Who was served longest ago comes first.
_TENANTS_WAITING = text(
    """
    WITH RECURSIVE waiting(tenant) AS (
        SELECT min(tenant) FROM jobs WHERE queue = :queue AND state = 'queued'
        UNION ALL
        SELECT (SELECT min(tenant) FROM jobs WHERE queue = :queue AND state = 'queued' AND tenant > waiting.tenant)
        FROM waiting WHERE waiting.tenant IS NOT NULL
    )
    SELECT waiting.tenant FROM waiting
    LEFT JOIN tenant_turns ON tenant_turns.tenant = waiting.tenant AND tenant_turns.queue = :queue
    WHERE waiting.tenant IS NOT NULL
    ORDER BY tenant_turns.served_at IS NOT NULL, tenant_turns.served_at
    """
)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What is written when a job is asked for. ``subject`` is what it works on: one queued job each is enough."""

    tenant: str
    kind: str
    queue: str
    request: Mapping[str, Any]
    estimate: Mapping[str, Any] | None = None
    amount: float = 0.0
    priority: int = 5
    subject: str | None = None
    requester: str | None = None
    channel: Channel | None = None
    conversation_id: str | None = None
    idempotency_key: str | None = None
    retry_of: str | None = None
    max_attempts: int = 5


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job: of this worker, for this start of it."""

    job: Job
    owner: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """A file that is safely stored, on its way into the ledger."""

    content_hash: str
    size: int
    media_type: str
    name: str
    about: Mapping[str, Any]


class LeaseLost(Exception):
    """Somebody else has the job now, or it has ended; stop quietly."""


class Ledger:
    """Jobs, what they made, and where it is to be brought. ``limits`` holds for tenants that have none of their own."""

    def __init__(self, database: Database, limits: Limits | None = None) -> None:
        self._database = database
        self._limits = limits or Limits()

    # asking

    async def add(self, new: NewJob) -> tuple[Job, bool]:
        """Write a job down; → it, and whether it is new. The same idempotency key, or the same kind and subject still
        in the queue, is the same job. Raises Conflict ``daily_limit_reached``.
        """
        async with self._database.write() as connection:
            known = await self._known(connection, new)
            if known is not None:
                return known, False
            limits = await self._limits_of(connection, new.tenant)
            if new.queue != "ingest":
                await self._within_the_day(connection, new, limits)
            waits = limits.approval_over is not None and new.amount > limits.approval_over
            row = {
                "id": uuid4().hex,
                "tenant": new.tenant,
                "kind": new.kind,
                "queue": new.queue,
                "state": JobState.WAITING if waits else JobState.QUEUED,
                "priority": new.priority,
                "subject": new.subject,
                "request": dict(new.request),
                "requester": new.requester,
                "channel": asdict(new.channel) if new.channel else None,
                "conversation_id": new.conversation_id,
                "idempotency_key": new.idempotency_key,
                "retry_of": new.retry_of,
                "estimate": dict(new.estimate) if new.estimate is not None else None,
                "amount": new.amount,
                "max_attempts": new.max_attempts,
                "created_at": now(),
            }
            inserted = (await connection.execute(insert(jobs).values(**row).returning(jobs))).one()
            return _job(inserted), True

    async def get(self, tenant: str, job_id: str) -> Job:
        """Raises NotFound ``job_not_found``."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id, jobs.c.tenant == tenant))).first()
        if row is None:
            raise NotFound("There is no such job.", code="job_not_found")
        return _job(row)

    async def page(
        self,
        tenant: str,
        *,
        kinds: Sequence[str] = (),
        states: Sequence[str] = (),
        conversation_id: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many there are in all. Ingestion is listed only by name."""
        mine = [jobs.c.tenant == tenant]
        mine.append(jobs.c.kind.in_(kinds) if kinds else jobs.c.queue != "ingest")
        mine += [jobs.c.state.in_(states)] if states else []
        mine += [jobs.c.conversation_id == conversation_id] if conversation_id else []
        async with self._database.read() as connection:
            total = (await connection.execute(select(func.count()).select_from(jobs).where(*mine))).scalar_one()
            query = select(jobs).where(*mine).order_by(jobs.c.created_at.desc()).limit(limit).offset(offset)
            return [_job(row) for row in await connection.execute(query)], total

    # working

    async def claim(self, queue: str, owner: str) -> Lease | None:
        """The next job of a queue: tenants in turn, in a tenant by priority and age. None when there is none now."""
        async with self._database.write() as connection:
            for tenant in (await connection.execute(_TENANTS_WAITING, {"queue": queue})).scalars().all():
                if not await self._has_room(connection, tenant, queue):
                    continue
                row = await _take(connection, tenant, queue, owner)
                if row is not None:
                    await _note_turn(connection, tenant, queue)
                    return Lease(_job(row), owner, row.attempts)
        return None

    async def renew(self, owner: str, progress: Mapping[str, tuple[int, str]]) -> dict[str, bool]:
        """Keep what a worker holds; → its running jobs, and whether each is to be cancelled.

        ``progress``: job id → percent and stage.
        """
        held = (jobs.c.owner == owner) & (jobs.c.state == JobState.RUNNING)
        async with self._database.write() as connection:
            await connection.execute(update(jobs).where(held).values(lease_until=now() + LEASE))
            for job_id, (percent, stage) in progress.items():
                await connection.execute(
                    update(jobs).where(held, jobs.c.id == job_id).values(percent=percent, stage=stage)
                )
            rows = await connection.execute(select(jobs.c.id, jobs.c.cancel_requested).where(held))
            return {row.id: row.cancel_requested for row in rows}

    async def succeed(
        self, lease: Lease, outcome: Outcome, stored: Sequence[StoredArtifact], cost: Mapping[str, Any], amount: float
    ) -> Job:
        """End a job well: result, files, cost and what is to be delivered, all at once. Raises LeaseLost."""
        values = {
            "state": JobState.SUCCEEDED,
            "result": dict(outcome.result),
            "cost": dict(cost),
            "amount": amount,
            "percent": 100,
            "review": "pending" if stored and lease.job.queue != "ingest" else None,
        }
        async with self._database.write() as connection:
            row = await _end(connection, lease, values)
            for ordinal, file in enumerate(stored):
                await connection.execute(insert(artifacts).values(_artifact_row(lease.job, ordinal, file)))
            await _note_delivery(connection, lease.job)
        return _job(row)

    async def fail(self, lease: Lease, *, code: str, message: str, params: Mapping[str, Any]) -> Job:
        """End a job that can't be done. Raises LeaseLost."""
        values = {
            "state": JobState.FAILED,
            "error_code": code,
            "error_message": message,
            "error_params": dict(params),
            "amount": 0.0,
        }
        async with self._database.write() as connection:
            row = await _end(connection, lease, values)
            await _note_delivery(connection, lease.job)
        return _job(row)

    async def end_cancelled(self, lease: Lease) -> Job:
        """End a job that somebody cancelled while it ran. Raises LeaseLost."""
        async with self._database.write() as connection:
            return _job(await _end(connection, lease, {"state": JobState.CANCELLED, "amount": 0.0}))

    async def postpone(self, lease: Lease, *, until: datetime) -> None:
        """Back into the queue, not before a time: a part it needs is down. Raises LeaseLost."""
        await self._put_back(lease, {"not_before": until})

    async def give_back(self, lease: Lease) -> None:
        """Back into the queue as if it had not been started: this worker stops. Raises LeaseLost."""
        await self._put_back(lease, {"attempts": jobs.c.attempts - 1})

    async def sweep(self) -> list[Job]:
        """Back into the queue what dead workers held; → those jobs. One that killed its worker too often fails."""
        dead = (jobs.c.state == JobState.RUNNING) & (jobs.c.lease_until < now())
        message = "The worker ended several times while it worked on this job; it was given up."
        async with self._database.write() as connection:
            ended: dict[str, Any] = {"owner": None, "lease_until": None, "finished_at": now(), "amount": 0.0}
            cancelled = dead & jobs.c.cancel_requested.is_(True)
            await connection.execute(update(jobs).where(cancelled).values(state=JobState.CANCELLED, **ended))
            hopeless = update(jobs).where(dead, jobs.c.attempts >= jobs.c.max_attempts)
            failure = {"state": JobState.FAILED, "error_code": "job_crashed", "error_message": message}
            failed = (await connection.execute(hopeless.values(**failure, **ended).returning(jobs))).all()
            for row in failed:
                await _note_delivery(connection, _job(row))
            again = update(jobs).where(dead).values(state=JobState.QUEUED, owner=None, lease_until=None)
            return [_job(row) for row in (await connection.execute(again.returning(jobs))).all()]

    async def waiting(self, queue: str) -> int:
        """How many jobs of a queue could be started now."""
        async with self._database.read() as connection:
            query = select(func.count()).select_from(jobs).where(_startable(queue))
            return (await connection.execute(query)).scalar_one()

    # deciding

    async def cancel(self, tenant: str, job_id: str) -> Job:
        """Not started: it ends now. Running: its worker is told. Raises Conflict ``job_ended``."""
        await self.get(tenant, job_id)
        mine = (jobs.c.id == job_id) & (jobs.c.tenant == tenant)
        idle = jobs.c.state.in_((JobState.WAITING, JobState.QUEUED))
        async with self._database.write() as connection:
            end = {"state": JobState.CANCELLED, "finished_at": now(), "amount": 0.0}
            row = (await connection.execute(update(jobs).where(mine, idle).values(**end).returning(jobs))).first()
            if row is None:
                ask = update(jobs).where(mine, jobs.c.state == JobState.RUNNING).values(cancel_requested=True)
                row = (await connection.execute(ask.returning(jobs))).first()
        if row is None:
            raise Conflict("This job has ended already.", code="job_ended")
        return _job(row)

    async def approve(self, tenant: str, job_id: str) -> Job:
        """Let a job run whose estimate is over the limit. Raises Conflict ``job_not_waiting``."""
        await self.get(tenant, job_id)
        mine = (jobs.c.id == job_id) & (jobs.c.tenant == tenant) & (jobs.c.state == JobState.WAITING)
        async with self._database.write() as connection:
            row = (await connection.execute(update(jobs).where(mine).values(state="queued").returning(jobs))).first()
        if row is None:
            raise Conflict("This job does not wait for approval.", code="job_not_waiting")
        return _job(row)

    async def review(self, tenant: str, job_id: str, review: Review, *, reason: str | None, by: str | None) -> Job:
        """Approve or reject what a job made; the last word counts. Raises Conflict ``job_not_done``."""
        await self.get(tenant, job_id)
        mine = (jobs.c.id == job_id) & (jobs.c.tenant == tenant) & (jobs.c.state == JobState.SUCCEEDED)
        values = {"review": review, "review_reason": reason, "reviewed_by": by, "reviewed_at": now()}
        async with self._database.write() as connection:
            row = (await connection.execute(update(jobs).where(mine).values(**values).returning(jobs))).first()
        if row is None:
            raise Conflict("Only a job that succeeded can be reviewed.", code="job_not_done")
        return _job(row)

    # limits and history

    async def limits(self, tenant: str) -> Limits:
        async with self._database.read() as connection:
            return await self._limits_of(connection, tenant)

    async def set_limits(self, tenant: str, limits: Limits) -> None:
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(tenant_limits).where(tenant_limits.c.tenant == tenant).values(**asdict(limits))
            )
            if changed.rowcount == 0:
                await connection.execute(insert(tenant_limits).values(tenant=tenant, **asdict(limits)))

    async def durations(self, kind: str, *, last: int = 50) -> list[float]:
        """Seconds that the last jobs of a kind took, of all tenants; newest first."""
        query = (
            select(jobs.c.started_at, jobs.c.finished_at)
            .where(jobs.c.kind == kind, jobs.c.state == JobState.SUCCEEDED)
            .order_by(jobs.c.finished_at.desc())
            .limit(last)
        )
        async with self._database.read() as connection:
            return [(row.finished_at - row.started_at).total_seconds() for row in await connection.execute(query)]

    async def _known(self, connection: AsyncConnection, new: NewJob) -> Job | None:
        same = []
        if new.idempotency_key:
            same.append(jobs.c.idempotency_key == new.idempotency_key)
        if new.subject:
            queued = jobs.c.state == JobState.QUEUED
            same.append(and_(jobs.c.kind == new.kind, jobs.c.subject == new.subject, queued))
        if not same:
            return None
        row = (await connection.execute(select(jobs).where(jobs.c.tenant == new.tenant, or_(*same)))).first()
        return None if row is None else _job(row)

    async def _limits_of(self, connection: AsyncConnection, tenant: str) -> Limits:
        row = (await connection.execute(select(tenant_limits).where(tenant_limits.c.tenant == tenant))).first()
        if row is None:
            return self._limits
        own = {name: getattr(row, name) for name in ("concurrency", "daily_jobs", "daily_amount", "approval_over")}
        return replace(self._limits, **{name: value for name, value in own.items() if value is not None})

    async def _within_the_day(self, connection: AsyncConnection, new: NewJob, limits: Limits) -> None:
        if limits.daily_jobs is None and limits.daily_amount is None:
            return
        midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
        today = (jobs.c.tenant == new.tenant) & (jobs.c.created_at >= midnight) & (jobs.c.queue != "ingest")
        query = select(func.count(), func.coalesce(func.sum(jobs.c.amount), 0.0)).select_from(jobs).where(today)
        count, amount = (await connection.execute(query)).one()
        if limits.daily_jobs is not None and count >= limits.daily_jobs:
            raise Conflict(
                f"Today's {limits.daily_jobs} jobs are used up. Try again tomorrow, or have the limit raised.",
                code="daily_limit_reached",
                limit=limits.daily_jobs,
            )
        if limits.daily_amount is not None and amount + new.amount > limits.daily_amount:
            raise Conflict(
                f"Today's budget of {limits.daily_amount:g} would be exceeded. Try again tomorrow, or have it raised.",
                code="daily_budget_reached",
                limit=f"{limits.daily_amount:g}",
            )

    async def _has_room(self, connection: AsyncConnection, tenant: str, queue: str) -> bool:
        limits = await self._limits_of(connection, tenant)
        if limits.concurrency is None:
            return True
        mine = (jobs.c.queue == queue) & (jobs.c.state == JobState.RUNNING) & (jobs.c.tenant == tenant)
        running = (await connection.execute(select(func.count()).select_from(jobs).where(mine))).scalar_one()
        return running < limits.concurrency

    async def _put_back(self, lease: Lease, values: Mapping[str, Any]) -> None:
        back = {"state": JobState.QUEUED, "owner": None, "lease_until": None, "percent": 0, **values}
        async with self._database.write() as connection:
            done = await connection.execute(update(jobs).where(_held(lease)).values(**back))
        if done.rowcount != 1:
            raise LeaseLost(lease.job.id)


def _startable(queue: str) -> Any:
    due = or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now())
    return and_(jobs.c.queue == queue, jobs.c.state == JobState.QUEUED, due)


async def _take(connection: AsyncConnection, tenant: str, queue: str, owner: str) -> Row[Any] | None:
    first = (
        select(jobs.c.id)
        .where(_startable(queue), jobs.c.tenant == tenant)
        .order_by(jobs.c.priority, jobs.c.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    job_id = (await connection.execute(first)).scalar()
    if job_id is None:
        return None
    values = {
        "state": JobState.RUNNING,
        "owner": owner,
        "lease_until": now() + LEASE,
        "attempts": jobs.c.attempts + 1,
        "started_at": now(),
        "not_before": None,
    }
    taken = update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.QUEUED).values(**values).returning(jobs)
    row: Row[Any] | None = (await connection.execute(taken)).first()
    return row


async def _note_turn(connection: AsyncConnection, tenant: str, queue: str) -> None:
    mine = (tenant_turns.c.tenant == tenant) & (tenant_turns.c.queue == queue)
    done = await connection.execute(update(tenant_turns).where(mine).values(served_at=now()))
    if done.rowcount == 0:
        await connection.execute(insert(tenant_turns).values(tenant=tenant, queue=queue, served_at=now()))


def _held(lease: Lease) -> Any:
    return and_(
        jobs.c.id == lease.job.id,
        jobs.c.state == JobState.RUNNING,
        jobs.c.owner == lease.owner,
        jobs.c.attempts == lease.attempt,
    )


async def _end(connection: AsyncConnection, lease: Lease, values: Mapping[str, Any]) -> Row[Any]:
    ended = {"owner": None, "lease_until": None, "finished_at": now(), **values}
    done = await connection.execute(update(jobs).where(_held(lease)).values(**ended).returning(jobs))
    row: Row[Any] | None = done.first()
    if row is None:
        raise LeaseLost(lease.job.id)
    return row


async def _note_delivery(connection: AsyncConnection, job: Job) -> None:
    """Web and API callers fetch the result themselves; what has to be brought waits for its channel's process."""
    if job.channel is None:
        return
    fetched = job.channel.name in ("web", "api")
    await connection.execute(
        insert(deliveries).values(
            job_id=job.id,
            channel=job.channel.name,
            tenant=job.tenant,
            target=dict(job.channel.target),
            state="delivered" if fetched else "waiting",
            created_at=now(),
            delivered_at=now() if fetched else None,
        )
    )


def _artifact_row(job: Job, ordinal: int, file: StoredArtifact) -> dict[str, Any]:
    return {
        "id": uuid4().hex,
        "tenant": job.tenant,
        "job_id": job.id,
        "ordinal": ordinal,
        "content_hash": file.content_hash,
        "size": file.size,
        "media_type": file.media_type,
        "name": file.name,
        "about": dict(file.about),
        "created_at": now(),
    }


def _job(row: Row[Any]) -> Job:
    fields = {name: getattr(row, name) for name in Job.__dataclass_fields__ if name not in ("state", "channel")}
    return Job(**fields, state=JobState(row.state), channel=Channel(**row.channel) if row.channel else None)


def artifact_of(row: Row[Any]) -> Artifact:
    """A row of ``artifacts`` as a value."""
    return Artifact(**{name: getattr(row, name) for name in Artifact.__dataclass_fields__})
