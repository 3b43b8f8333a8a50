"""The ledger: the truth about every job, in SQL. Each step is one transaction; one that comes twice is refused."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Any, Unpack

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.jobs import leases, listing
from app.jobs.leases import Lease, LeaseLost
from app.jobs.listing import Tally, Which
from app.jobs.models import Job, JobState, Limits, Review
from app.jobs.ports import Outcome
from app.jobs.rows import NewJob, StoredArtifact, job_of, job_row
from app.jobs.tables import jobs, tenant_limits
from app.jobs.transactions import Transactions
from knowledge.database import Database, now
from knowledge.errors import Conflict, NotFound
from knowledge.slices import slices

__all__ = ["Lease", "LeaseLost", "Ledger", "NewJob", "StoredArtifact"]

DURATIONS_SECONDS = 10  # how long what jobs took lately is remembered: every estimate asks for it
_LIMITS = tuple(Limits.__dataclass_fields__)
_ADD = insert(jobs)
_OWN_LIMITS = select(tenant_limits).where(tenant_limits.c.tenant == bindparam("tenant"))


class Ledger:
    """Jobs, what they made, and where it is to be brought. ``limits`` holds for tenants that have none of their own."""

    def __init__(self, database: Database, limits: Limits | None = None) -> None:
        self._database = database
        self._sql = Transactions(database)
        self._limits = limits or Limits()
        self._durations: dict[str, tuple[float, list[float]]] = {}

    # asking

    async def add(self, new: NewJob) -> tuple[Job, bool]:
        """Write a job down; → it, and whether it is new. The same idempotency key, or the same kind and subject still
        in the queue, is the same job. Raises Conflict ``daily_limit_reached`` or ``daily_budget_reached``.
        """
        work = partial(_add, new=new, general=self._limits)
        try:
            return await self._sql.write(work, of=new.tenant)
        except IntegrityError:  # another process was first with this key: now it is known
            return await self._sql.write(work, of=new.tenant)

    async def get(self, tenant: str, job_id: str) -> Job:
        """Raises NotFound ``job_not_found``."""
        return await self._sql.read(partial(_get, tenant=tenant, job_id=job_id))

    async def newest(self, tenant: str, *, limit: int = 50, offset: int = 0, **which: Unpack[Which]) -> list[Job]:
        """Jobs, newest first."""
        return await self._sql.read(partial(listing.newest, tenant=tenant, which=which, limit=limit, offset=offset))

    async def page(
        self, tenant: str, *, limit: int = 50, offset: int = 0, **which: Unpack[Which]
    ) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many there are in all; with many jobs, the number costs more than the list."""
        return await self._sql.read(partial(listing.page, tenant=tenant, which=which, limit=limit, offset=offset))

    async def tally(self, tenant: str, **which: Unpack[Which]) -> Tally:
        """How many jobs there are of each state and review; who is not judged yet is pending."""
        return await self._sql.read(partial(listing.tally, tenant=tenant, which=which))

    async def of_subjects(self, tenant: str, kind: str, subjects: Sequence[str]) -> dict[str, Job]:
        """Subject → the newest job of a kind about it."""
        return await self._sql.read(partial(listing.of_subjects, tenant=tenant, kind=kind, subjects=subjects))

    # working

    async def claim(self, queue: str, owner: str) -> Lease | None:
        """The next job of a queue: tenants in turn, in a tenant by priority and age. None when there is none now."""
        concurrency = self._limits.concurrency
        return await self._sql.write(lambda connection: leases.claim(connection, queue, owner, concurrency=concurrency))

    async def renew(self, owner: str, progress: Mapping[str, tuple[int, str]]) -> dict[str, bool]:
        """Keep these jobs; → those that are still this worker's, and whether each is to be cancelled.

        ``progress``: job id → percent and stage, ``""`` for a job that has not said yet.
        """
        if not progress:
            return {}
        return await self._sql.write(lambda connection: leases.renew(connection, owner, progress))

    async def succeed(
        self, lease: Lease, outcome: Outcome, stored: Sequence[StoredArtifact], cost: Mapping[str, Any], amount: float
    ) -> Job:
        """End a job well: result, files, cost and what is to be delivered, all at once. Raises LeaseLost."""
        work = partial(leases.succeed, lease=lease, outcome=outcome, stored=stored, cost=cost, amount=amount)
        return await self._sql.write(work)

    async def fail(self, lease: Lease, *, code: str, message: str, params: Mapping[str, Any]) -> Job:
        """End a job that can't be done. Raises LeaseLost."""
        work = partial(leases.fail, lease=lease, code=code, message=message, params=params)
        return await self._sql.write(work)

    async def end_cancelled(self, lease: Lease) -> Job:
        """End a job that somebody cancelled while it ran. Raises LeaseLost."""
        return await self._sql.write(partial(leases.end_cancelled, lease=lease))

    async def postpone(self, lease: Lease, *, until: datetime) -> Job:
        """Back into the queue, not before a time: a part it needs is down. Raises LeaseLost."""
        return await self._sql.write(partial(leases.put_back, lease=lease, not_before=until, attempt=lease.attempt))

    async def give_back(self, lease: Lease) -> Job:
        """Back into the queue as if it had not been started: this worker stops. Raises LeaseLost."""
        return await self._sql.write(partial(leases.put_back, lease=lease, attempt=lease.attempt - 1))

    async def sweep(self) -> list[Job]:
        """Back into the queue what dead workers held; → those jobs. One that killed its worker too often fails."""
        if not await self._sql.read(leases.abandoned):  # mostly: nobody has to wait for a write
            return []
        return await self._sql.write(leases.sweep)

    async def waiting(self, queue: str, *, at_most: int = 100) -> int:
        """How many jobs of a queue could be started now, counted no further than ``at_most``."""
        some = select(jobs.c.id).where(leases.startable(jobs, queue, now())).limit(at_most).subquery()
        query = select(func.count()).select_from(some)
        return await self._sql.read(lambda connection: connection.execute(query).scalar_one())

    async def under_way(self, queues: Sequence[str]) -> dict[tuple[str, str], int]:
        """How many jobs, of all tenants, wait for an approval, are queued and run: by queue and state, nought too."""
        states = (JobState.WAITING, JobState.QUEUED, JobState.RUNNING)
        query = (
            select(jobs.c.queue, jobs.c.state, func.count())
            .where(jobs.c.queue.in_(queues), jobs.c.state.in_(states))
            .group_by(jobs.c.queue, jobs.c.state)
        )
        rows = map(tuple, await self._database.all_rows(query))
        found = {(queue, JobState(state)): int(count) for queue, state, count in rows}
        return {(queue, state.value): found.get((queue, state), 0) for queue in queues for state in states}

    # deciding

    async def cancel(self, tenant: str, job_id: str) -> Job:
        """Not started: it ends now. Running: its worker is told. Raises Conflict ``job_ended``."""
        return await self._sql.write(partial(_cancel, tenant=tenant, job_id=job_id))

    async def cancel_queued(self, tenant: str, kind: str, subjects: Sequence[str]) -> None:
        """End the jobs of a kind about these that nobody has begun with. What they were to bring is brought to nobody:
        for kinds that nothing is delivered of."""
        await self._sql.write(partial(_cancel_queued, tenant=tenant, kind=kind, subjects=subjects))

    async def approve(self, tenant: str, job_id: str) -> Job:
        """Let a job run whose estimate is over the limit. Raises Conflict ``job_not_waiting``."""
        refused = Conflict("This job does not wait for approval.", code="job_not_waiting")
        values = {"state": JobState.QUEUED}
        return await self._sql.write(
            partial(_decide, tenant=tenant, job_id=job_id, only=JobState.WAITING, values=values, refused=refused)
        )

    async def review(
        self, tenant: str, job_id: str, review: Review, *, reason: str | None, by: str | None, once: bool = False
    ) -> Job:
        """Approve or reject what a job made; the last word counts, or with ``once`` the first: who comes later changes
        nothing. Raises Conflict ``job_not_done``.
        """
        values = {"review": review, "review_reason": reason, "reviewed_by": by, "reviewed_at": now()}
        return await self._sql.write(partial(_review, tenant=tenant, job_id=job_id, values=values, once=once))

    # limits and history

    async def limits(self, tenant: str) -> Limits:
        return await self._sql.read(partial(_limits_of, tenant=tenant, general=self._limits))

    async def set_limits(self, tenant: str, limits: Limits) -> None:
        """None is what holds for every tenant."""

        def write(connection: Connection) -> None:
            mine = update(tenant_limits).where(tenant_limits.c.tenant == tenant).values(**asdict(limits))
            if connection.execute(mine).rowcount == 0:
                connection.execute(insert(tenant_limits), {"tenant": tenant, **asdict(limits)})

        await self._sql.write(write, of=tenant)

    async def durations(self, kind: str, *, last: int = 50) -> list[float]:
        """Seconds that the last jobs of a kind took, of all tenants; newest first. May be some seconds old."""
        read_at, known = self._durations.get(kind, (-float(DURATIONS_SECONDS), []))
        if time.monotonic() - read_at < DURATIONS_SECONDS:
            return known
        query = (
            select(jobs.c.started_at, jobs.c.finished_at)
            .where(jobs.c.kind == kind, jobs.c.state == JobState.SUCCEEDED)
            .order_by(jobs.c.finished_at.desc())
            .limit(last)
        )
        rows = await self._sql.read(lambda connection: connection.execute(query).all())
        taken = [(row.finished_at - row.started_at).total_seconds() for row in rows]
        self._durations[kind] = (time.monotonic(), taken)
        return taken


def _add(connection: Connection, new: NewJob, general: Limits) -> tuple[Job, bool]:
    known = _known(connection, new)
    if known is not None:
        if known.state is JobState.QUEUED:  # it may wait before it tries again: now it is asked for
            connection.execute(update(jobs).where(jobs.c.id == known.id).values(not_before=None))
        return known, False
    limits = _limits_of(connection, new.tenant, general)
    if new.queue != "ingest":
        _require_room_today(connection, new, limits)
    row = job_row(new, waits=limits.approval_over is not None and new.amount > limits.approval_over)
    connection.execute(_ADD, row)
    fields = {name: row[name] for name in row if name in Job.__dataclass_fields__}
    return Job(**{**fields, "channel": new.channel}), True


def _known(connection: Connection, new: NewJob) -> Job | None:
    same = []
    if new.idempotency_key:
        same.append(jobs.c.idempotency_key == new.idempotency_key)
    if new.subject:
        queued = jobs.c.state == JobState.QUEUED
        same.append(and_(jobs.c.kind == new.kind, jobs.c.subject == new.subject, queued))
    if not same:
        return None
    row = connection.execute(select(jobs).where(jobs.c.tenant == new.tenant, or_(*same))).first()
    return None if row is None else job_of(row)


def _get(connection: Connection, tenant: str, job_id: str, *, locked: bool = False) -> Job:
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.tenant == tenant)
    row = connection.execute(query.with_for_update() if locked else query).first()
    if row is None:
        raise NotFound("There is no such job.", code="job_not_found")
    return job_of(row)


def _cancel(connection: Connection, tenant: str, job_id: str) -> Job:
    _get(connection, tenant, job_id, locked=True)
    idle = jobs.c.state.in_((JobState.WAITING, JobState.QUEUED))
    end = {"state": JobState.CANCELLED, "finished_at": now(), "amount": 0.0}
    row = connection.execute(update(jobs).where(jobs.c.id == job_id, idle).values(**end).returning(jobs)).first()
    if row is not None:
        leases.note_delivery(connection, job_of(row))
    else:
        ask = update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING).values(cancel_requested=True)
        row = connection.execute(ask.returning(jobs)).first()
    if row is None:
        raise Conflict("This job has ended already.", code="job_ended")
    return job_of(row)


def _cancel_queued(connection: Connection, tenant: str, kind: str, subjects: Sequence[str]) -> None:
    mine = (jobs.c.tenant == tenant) & (jobs.c.kind == kind) & (jobs.c.state == JobState.QUEUED)
    end = {"state": JobState.CANCELLED, "finished_at": now(), "amount": 0.0}
    for some in slices(subjects, 5_000):
        connection.execute(update(jobs).where(mine, jobs.c.subject.in_(some)).values(**end))


def _review(connection: Connection, *, tenant: str, job_id: str, values: Mapping[str, Any], once: bool) -> Job:
    judged = select(jobs.c.review).where(jobs.c.id == job_id, jobs.c.tenant == tenant).with_for_update()
    if once and connection.execute(judged).scalar_one_or_none() in ("approved", "rejected"):
        return _get(connection, tenant, job_id)
    refused = Conflict("Only a job that succeeded can be reviewed.", code="job_not_done")
    return _decide(connection, tenant=tenant, job_id=job_id, only=JobState.SUCCEEDED, values=values, refused=refused)


def _decide(
    connection: Connection,
    *,
    tenant: str,
    job_id: str,
    only: JobState,
    values: Mapping[str, Any],
    refused: Conflict,
) -> Job:
    """Change a job that is in a state. Raises NotFound, or ``refused`` for another state."""
    _get(connection, tenant, job_id)
    mine = (jobs.c.id == job_id) & (jobs.c.state == only)
    row = connection.execute(update(jobs).where(mine).values(**values).returning(jobs)).first()
    if row is None:
        raise refused
    return job_of(row)


def _limits_of(connection: Connection, tenant: str, general: Limits) -> Limits:
    row = connection.execute(_OWN_LIMITS, {"tenant": tenant}).first()
    if row is None:
        return general
    own = {name: getattr(row, name) for name in _LIMITS if getattr(row, name) is not None}
    return replace(general, **own)


def _require_room_today(connection: Connection, new: NewJob, limits: Limits) -> None:
    if limits.daily_jobs is None and limits.daily_amount is None:
        return
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    today = (jobs.c.tenant == new.tenant) & (jobs.c.created_at >= midnight) & (jobs.c.queue != "ingest")
    query = select(func.count(), func.coalesce(func.sum(jobs.c.amount), 0.0)).select_from(jobs).where(today)
    count, amount = connection.execute(query).one()
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
