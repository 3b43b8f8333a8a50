"""What a worker does with the ledger: take the job whose turn it is, keep it, end it once, or put it back.

Each function is one transaction's work. A running job is leased: its worker renews the lease, and a job whose lease
ran out goes back into the queue. What a worker does with a job it has lost changes nothing: every step asks for the
worker's name and the number of the start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, insert, or_, select, text, update

from app.jobs.models import Job, JobState
from app.jobs.ports import Outcome
from app.jobs.rows import StoredArtifact, artifact_row, job_of
from app.jobs.tables import artifacts, deliveries, jobs
from knowledge.database import Moment, now

LEASE = timedelta(seconds=10)
_CRASHED = "The worker ended several times while it worked on this job; it was given up."

# The tenants with queued jobs, by jumping from one to the next in the index: as quick with a million jobs as with ten.
# Who was served longest ago comes first; who runs as many jobs as it may is left out.
_TURNS = text(
    """
    WITH RECURSIVE waiting(tenant) AS (
        SELECT min(tenant) FROM jobs WHERE queue = :queue AND state = 'queued'
        UNION ALL
        SELECT (SELECT min(tenant) FROM jobs WHERE queue = :queue AND state = 'queued' AND tenant > waiting.tenant)
        FROM waiting WHERE waiting.tenant IS NOT NULL
    ),
    allowed AS (
        SELECT waiting.tenant, coalesce(own.concurrency, CAST(:concurrency AS INTEGER)) AS most
        FROM waiting LEFT JOIN tenant_limits AS own ON own.tenant = waiting.tenant
        WHERE waiting.tenant IS NOT NULL
    )
    SELECT allowed.tenant, allowed.most FROM allowed
    LEFT JOIN tenant_turns ON tenant_turns.tenant = allowed.tenant AND tenant_turns.queue = :queue
    WHERE allowed.most IS NULL OR allowed.most > (
        SELECT count(*) FROM jobs WHERE queue = :queue AND state = 'running' AND tenant = allowed.tenant
    )
    ORDER BY tenant_turns.served_at IS NOT NULL, tenant_turns.served_at
    """
)
_NOTE_TURN = text(
    """
    INSERT INTO tenant_turns (tenant, queue, served_at) VALUES (:tenant, :queue, :at)
    ON CONFLICT (tenant, queue) DO UPDATE SET served_at = excluded.served_at
    """
).bindparams(bindparam("at", type_=Moment()))
_RUNNING = select(func.count()).where(
    jobs.c.queue == bindparam("queue"), jobs.c.state == JobState.RUNNING, jobs.c.tenant == bindparam("tenant")
)


def startable(table: Any, queue: Any, moment: Any) -> Any:
    """The condition on a job that could be started at a moment."""
    due = or_(table.c.not_before.is_(None), table.c.not_before <= moment)
    return and_(table.c.queue == queue, table.c.state == JobState.QUEUED, due)


_queued = jobs.alias("queued")
_FIRST = (
    select(_queued.c.id)
    .where(
        startable(_queued, bindparam("from_queue"), bindparam("moment", type_=Moment())),
        _queued.c.tenant == bindparam("of"),
    )
    .order_by(_queued.c.priority, _queued.c.created_at)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_TAKE = (
    update(jobs)
    .where(jobs.c.id == _FIRST, jobs.c.state == JobState.QUEUED)
    .values(
        state=JobState.RUNNING,
        owner=bindparam("by"),
        lease_until=bindparam("until", type_=Moment()),
        attempts=jobs.c.attempts + 1,
        started_at=bindparam("moment", type_=Moment()),
        not_before=None,
    )
    .returning(jobs)
)
# Written once, with parameters: building a statement for every job took longer than running it.
_mine = and_(
    jobs.c.id == bindparam("of"),
    jobs.c.state == JobState.RUNNING,
    jobs.c.owner == bindparam("by"),
    jobs.c.attempts == bindparam("attempt"),
)
_RESULTS = ("result", "cost", "error_code", "error_message", "error_params", "review", "finished_at")
_ENDED = ("state", "percent", "amount", *_RESULTS)
_END = (
    update(jobs)
    .where(_mine)
    .values({name: bindparam(f"new_{name}", type_=jobs.c[name].type) for name in _ENDED})
    .values(owner=None, lease_until=None)
)
_ADD_ARTIFACTS = insert(artifacts)
_ADD_DELIVERY = insert(deliveries)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job: of this worker, for this start of it."""

    job: Job
    owner: str
    attempt: int


class LeaseLost(Exception):
    """Somebody else has the job now, or it has ended; stop quietly."""


def claim(connection: Connection, queue: str, owner: str, *, concurrency: int | None) -> Lease | None:
    """The next job of a queue: tenants in turn, in a tenant by priority and age. None when there is none now.

    ``concurrency`` is what a tenant without a limit of its own may run at a time.
    """
    for tenant, most in connection.execute(_TURNS, {"queue": queue, "concurrency": concurrency}).all():
        moment = now()
        whose = {"tenant": tenant, "queue": queue}
        if most is not None and not _has_room_still(connection, whose, most):
            continue
        chosen = {"from_queue": queue, "of": tenant, "moment": moment, "by": owner, "until": moment + LEASE}
        row = connection.execute(_TAKE, chosen).first()
        if row is not None:
            connection.execute(_NOTE_TURN, {**whose, "at": moment})
            return Lease(job_of(row), owner, row.attempts)
    return None


def _has_room_still(connection: Connection, whose: Mapping[str, str], most: int) -> bool:
    """Where several write at a time, one of them at a time counts a tenant's running jobs and adds to them.

    Who comes second leaves the tenant out, instead of waiting with locks in hand: so nobody waits in a circle.
    """
    if connection.dialect.name == "postgresql":
        place = func.hashtext(f"{whose['tenant']}:{whose['queue']}")
        if not connection.execute(select(func.pg_try_advisory_xact_lock(place))).scalar_one():
            return False
    return bool(connection.execute(_RUNNING, whose).scalar_one() < most)


def renew(connection: Connection, owner: str, progress: Mapping[str, tuple[int, str]]) -> dict[str, bool]:
    """Keep these jobs; → those that are still this worker's, and whether each is to be cancelled.

    ``progress``: job id → percent and stage, ``""`` for a job that has not said yet.
    """
    held = (jobs.c.owner == owner) & (jobs.c.state == JobState.RUNNING) & jobs.c.id.in_(list(progress))
    connection.execute(update(jobs).where(held).values(lease_until=now() + LEASE))
    for job_id, (percent, stage) in progress.items():
        if stage:
            connection.execute(update(jobs).where(held, jobs.c.id == job_id).values(percent=percent, stage=stage))
    rows = connection.execute(select(jobs.c.id, jobs.c.cancel_requested).where(held))
    return {row.id: row.cancel_requested for row in rows}


def succeed(
    connection: Connection,
    lease: Lease,
    outcome: Outcome,
    stored: Sequence[StoredArtifact],
    *,
    cost: Mapping[str, Any],
    amount: float,
) -> Job:
    """End a job well: result, files, cost and what is to be delivered, all at once. Raises LeaseLost."""
    values = {
        "state": JobState.SUCCEEDED,
        "result": dict(outcome.result),
        "cost": dict(cost),
        "percent": 100,
        "review": "pending" if stored and lease.job.queue != "ingest" else None,
    }
    ended = _end(connection, lease, values, amount=amount)
    rows = [artifact_row(file, ended.tenant, job_id=ended.id, ordinal=at) for at, file in enumerate(stored)]
    if rows:
        connection.execute(_ADD_ARTIFACTS, rows)
    note_delivery(connection, ended)
    return ended


def fail(connection: Connection, lease: Lease, *, code: str, message: str, params: Mapping[str, Any]) -> Job:
    """End a job that can't be done. Raises LeaseLost."""
    values = {"error_code": code, "error_message": message, "error_params": dict(params)}
    ended = _end(connection, lease, {"state": JobState.FAILED, **values})
    note_delivery(connection, ended)
    return ended


def end_cancelled(connection: Connection, lease: Lease) -> Job:
    """End a job that somebody cancelled while it ran. Raises LeaseLost."""
    ended = _end(connection, lease, {"state": JobState.CANCELLED})
    note_delivery(connection, ended)
    return ended


def put_back(connection: Connection, lease: Lease, *, not_before: datetime | None = None, attempt: int) -> Job:
    """Back into the queue; or to its end, if somebody cancelled it meanwhile. Raises LeaseLost.

    ``attempt``: how many starts count from now on.
    """
    cancelled = jobs.c.cancel_requested.is_(True)
    back = {
        "state": case((cancelled, JobState.CANCELLED.value), else_=JobState.QUEUED.value),
        "finished_at": case((cancelled, now())),
        "amount": case((cancelled, 0.0), else_=jobs.c.amount),
        "owner": None,
        "lease_until": None,
        "percent": 0,
        "not_before": not_before,
        "attempts": attempt,
    }
    row = connection.execute(update(jobs).where(_mine).values(**back).returning(jobs), _held(lease)).first()
    if row is None:
        raise LeaseLost(lease.job.id)
    job = job_of(row)
    if job.state.ended:
        note_delivery(connection, job)
    return job


def abandoned(connection: Connection) -> bool:
    """Whether a worker has been silent for longer than its lease."""
    return connection.execute(select(jobs.c.id).where(_dead()).limit(1)).first() is not None


def sweep(connection: Connection) -> list[Job]:
    """Back into the queue what dead workers held; → those jobs. One that killed its worker too often fails."""
    dead = _dead()
    ended: dict[str, Any] = {"owner": None, "lease_until": None, "finished_at": now(), "amount": 0.0}
    cancelled = update(jobs).where(dead, jobs.c.cancel_requested.is_(True)).values(state=JobState.CANCELLED, **ended)
    failure = {"state": JobState.FAILED, "error_code": "job_crashed", "error_message": _CRASHED}
    hopeless = update(jobs).where(dead, jobs.c.attempts >= jobs.c.max_attempts).values(**failure, **ended)
    for end in (cancelled, hopeless):
        for row in connection.execute(end.returning(jobs)).all():
            note_delivery(connection, job_of(row))
    again = update(jobs).where(dead).values(state=JobState.QUEUED, owner=None, lease_until=None, percent=0)
    return [job_of(row) for row in connection.execute(again.returning(jobs)).all()]


def _dead() -> Any:
    return and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until < now())


def _held(lease: Lease) -> dict[str, Any]:
    return {"of": lease.job.id, "by": lease.owner, "attempt": lease.attempt}


def _end(connection: Connection, lease: Lease, values: Mapping[str, Any], *, amount: float = 0.0) -> Job:
    ended = {**dict.fromkeys(_RESULTS), "percent": lease.job.percent, **values, "finished_at": now()}
    new = {f"new_{name}": value for name, value in ended.items()}
    if connection.execute(_END, {**_held(lease), **new, "new_amount": amount}).rowcount != 1:
        raise LeaseLost(lease.job.id)
    return replace(lease.job, **ended)


def note_delivery(connection: Connection, job: Job) -> None:
    """Web and API callers fetch the result themselves; what has to be brought waits for its channel's process."""
    if job.channel is None:
        return
    fetched = job.channel.fetched
    row = {
        "job_id": job.id,
        "channel": job.channel.name,
        "tenant": job.tenant,
        "target": dict(job.channel.target),
        "state": "delivered" if fetched else "waiting",
        "created_at": now(),
        "delivered_at": now() if fetched else None,
    }
    connection.execute(_ADD_DELIVERY, row)
