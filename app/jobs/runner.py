"""A worker's share of the ledger: claim, run the handler, renew the lease, end; whatever happens, exactly one end.

What a handler made is stored before the ledger says so, and the ledger says all of it in one transaction, asking for
this worker's lease. So a worker that was killed, stopped or overtaken at any moment leaves either the whole effect or
none.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from app import metrics
from app.jobs.events import JobEvent, progress_event
from app.jobs.ledger import Lease, LeaseLost
from app.jobs.models import Job
from app.jobs.ports import JobCancelled, Outcome, Preview
from app.jobs.pricing import cost_json
from app.jobs.service import JobService, Wanted
from knowledge.database import now
from knowledge.errors import CopilotError, Unavailable

HEARTBEAT_SECONDS = 2.5
PROGRESS_SECONDS = 0.1  # between two progress events of a job; the newest counts
DEADLINE_SECONDS = 3600  # a job that takes longer hangs
BACK_OFF = (1, 2, 5, 15, 30, 60)  # seconds before a job whose parts are down is tried again

log = logging.getLogger(__name__)


class JobRunner:
    """Runs jobs of this process. ``owner`` names it in the ledger, and nobody else."""

    def __init__(self, service: JobService, owner: str) -> None:
        self._service = service
        self._owner = owner
        self._running: dict[str, _Running] = {}
        self._stopping = False

    async def drain(self, queue: str) -> int:
        """Run what is there, one job after the other, until nothing is left; → how many."""
        count = 0
        while not self._stopping:
            lease = await self._service.ledger.claim(queue, self._owner)
            if lease is None:
                break
            if self._stopping:  # since we asked
                await self._service.ledger.give_back(lease)
                break
            await self._run(lease)
            count += 1
        return count

    async def beat(self) -> None:
        """Renew the leases; hear of cancelled jobs and of lost ones. Call it every few seconds."""
        progress = {job_id: (run.percent, run.stage) for job_id, run in self._running.items()}
        known = dict(self._running)  # what is claimed meanwhile is not in the answer, and not lost
        held = await self._service.ledger.renew(self._owner, progress)
        for job_id, run in known.items():
            if held.get(job_id, True):  # asked to be cancelled, or not ours any more
                run.stop()

    def cancel(self, job_id: str) -> None:
        """Stop a job of this process within a step, if it is one."""
        if job_id in self._running:
            self._running[job_id].stop()

    async def stop(self) -> None:
        """Give back what is under way."""
        self._stopping = True
        for run in self._running.values():
            run.give_back = True
            run.stop()
        tasks = [run.task for run in self._running.values() if run.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, lease: Lease) -> None:
        run = _Running(lease.job, asyncio.get_running_loop(), self._service)
        overtaken = self._running.get(lease.job.id)
        if overtaken is not None:  # this process slept, lost the job, and has taken it again
            overtaken.stop()
        self._running[lease.job.id] = run
        try:
            async with asyncio.TaskGroup() as tasks:
                run.task = tasks.create_task(self._attempt(lease, run))
                teller = tasks.create_task(run.tell())
                run.task.add_done_callback(lambda _: run.hush(teller))
        except* LeaseLost:
            log.info("job overtaken id=%s", lease.job.id)
        except* SQLAlchemyError:
            log.exception("job left to its lease id=%s", lease.job.id)
        finally:
            if self._running.get(lease.job.id) is run:
                del self._running[lease.job.id]

    async def _attempt(self, lease: Lease, run: "_Running") -> None:
        job = lease.job
        log.info("job started id=%s kind=%s attempt=%d", job.id, job.kind, lease.attempt)
        started = time.perf_counter()
        await self._service.events.append(job.tenant, job.id, _state(job, "running"))
        try:
            outcome = await self._made(job, run)
            took = time.perf_counter() - started
            await self._keep(lease, outcome, took)
        except (JobCancelled, asyncio.CancelledError):
            if run.wanted_to_stop:
                await asyncio.shield(self._stopped(lease, run))
            else:  # something in the handler was cancelled, and it let that out
                log.exception("job cancelled itself id=%s", job.id)
                await self._crashed(lease)
        except Unavailable as down:
            await self._later(lease, down)
        except CopilotError as error:
            await self._failed(lease, error.error_code, error.message, error.params)
        except (LeaseLost, OperationalError, InterfaceError):  # the ledger itself: what it says holds
            raise
        except Exception:  # the edge of a job: it always ends
            log.exception("job crashed id=%s", job.id)
            await self._crashed(lease)

    async def _made(self, job: Job, run: "_Running") -> Outcome:
        handler = self._service.handler(job.kind)
        try:
            request = handler.request.model_validate(job.request)
        except ValidationError as error:  # written by another version of ours
            message = f"This job was written by another version: {error.errors()[0]['msg']}."
            raise CopilotError(message, code="job_request_invalid") from None
        run.handling = asyncio.ensure_future(handler.run(request, run))
        if run.wanted_to_stop:
            run.handling.cancel()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await run.handling
        except TimeoutError:
            run.stop()
            raise CopilotError("This job took too long; it was given up.", code="job_timeout") from None

    async def _keep(self, lease: Lease, outcome: Outcome, took: float) -> None:
        job, service = lease.job, self._service
        for following in outcome.following:  # before the end is noted: rather asked for twice than never
            wanted = Wanted(
                job.tenant, job.kind, following.request, subject=following.subject, max_attempts=job.max_attempts
            )
            await service.submit(wanted)
        stored = [await service.artifacts.store(job.tenant, new) for new in outcome.artifacts]
        used = replace(outcome.used, seconds=round(took, 3))
        cost = cost_json(used, service.prices)
        ended = await service.ledger.succeed(lease, outcome, stored, cost, cost["amount"])
        log.info("job succeeded id=%s kind=%s seconds=%.2f", job.id, job.kind, took)
        _count(ended)
        await service.events.append(job.tenant, job.id, _state(ended, ended.state))
        await service.wake_delivery(ended)

    async def _stopped(self, lease: Lease, run: "_Running") -> None:
        """Somebody cancelled the job; or this worker ends, and the job is for another one."""
        given_back = run.give_back or not run.stopped.is_set()
        run.stop()
        if given_back:
            await self._service.ledger.give_back(lease)
            return
        ended = await self._service.ledger.end_cancelled(lease)
        log.info("job cancelled id=%s", lease.job.id)
        _count(ended)
        await self._service.events.append(lease.job.tenant, lease.job.id, _state(ended, ended.state))
        await self._service.wake_delivery(ended)

    async def _crashed(self, lease: Lease) -> None:
        await self._failed(lease, "internal", "Something went wrong here; the log has the details.", {})

    async def _later(self, lease: Lease, down: Unavailable) -> None:
        job = lease.job
        if lease.attempt >= job.max_attempts:
            await self._failed(lease, down.error_code, down.message, down.params)
            return
        wait = BACK_OFF[min(lease.attempt, len(BACK_OFF)) - 1]
        log.warning("job postponed id=%s code=%s seconds=%d", job.id, down.error_code, wait)
        back = await self._service.ledger.postpone(lease, until=now() + timedelta(seconds=wait))
        await self._service.events.append(job.tenant, job.id, _state(back, back.state, reason=down.error_code))

    async def _failed(self, lease: Lease, code: str, message: str, params: Mapping[str, Any]) -> None:
        ended = await self._service.ledger.fail(lease, code=code, message=message, params=params)
        log.info("job failed id=%s code=%s", lease.job.id, code)
        _count(ended)
        await self._service.events.append(lease.job.tenant, lease.job.id, _state(ended, ended.state))
        await self._service.wake_delivery(ended)


def _count(ended: Job) -> None:
    if ended.started_at and ended.finished_at:
        took = ended.finished_at - ended.started_at
        metrics.job_seconds.labels(ended.kind, ended.state.value).observe(took.total_seconds())


@dataclass(eq=False, slots=True)
class _Running:
    """:class:`app.jobs.ports.Work` for one job, and what its runner knows of it."""

    job: Job
    loop: asyncio.AbstractEventLoop
    service: JobService
    percent: int = 0
    stage: str = ""
    preview: Preview | None = None
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: Event = field(default_factory=Event)
    give_back: bool = False
    over: bool = False
    task: "asyncio.Task[None] | None" = None
    handling: "asyncio.Future[Outcome] | None" = None

    @property
    def job_id(self) -> str:
        return self.job.id

    @property
    def tenant(self) -> str:
        return self.job.tenant

    def report(self, percent: int, stage: str, preview: Preview | None = None) -> None:
        if self.stopped.is_set():
            raise JobCancelled
        self.percent, self.stage = percent, stage
        if preview is not None:
            self.preview = preview
        self.loop.call_soon_threadsafe(self.grown.set)

    async def read(self, artifact_id: str) -> bytes:
        artifacts = self.service.artifacts
        return await artifacts.read(await artifacts.get(self.job.tenant, artifact_id))

    @property
    def wanted_to_stop(self) -> bool:
        """Asked to by us, or its task is cancelled from outside: the process ends."""
        return self.stopped.is_set() or (self.task is not None and self.task.cancelling() > 0)

    def stop(self) -> None:
        """A thread of the handler stops at its next report, a coroutine now."""
        self.stopped.set()
        if self.handling is not None:
            self.handling.cancel()

    def hush(self, teller: "asyncio.Task[None]") -> None:
        """Tell no more. The flag counts: redis-py awaits with ``asyncio.wait_for``, which in Python 3.11 loses a
        cancellation that comes just when it is done (bpo-37658), and a teller that goes on would hold up its job."""
        self.over = True
        teller.cancel()

    async def tell(self) -> None:
        """Progress events, the newest state of things each, until hushed."""
        while not self.over:
            await self.grown.wait()
            self.grown.clear()
            preview, self.preview = self.preview, None
            event = progress_event(self.percent, self.stage, preview)
            await self.service.events.append(self.job.tenant, self.job.id, event)
            await asyncio.sleep(PROGRESS_SECONDS)


def _state(job: Job, state: str, **more: Any) -> JobEvent:
    return JobEvent("state", {"id": job.id, "kind": job.kind, "state": str(state), "percent": job.percent, **more})
