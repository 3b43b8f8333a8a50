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

from app.jobs.events import JobEvent, progress_event
from app.jobs.ledger import Lease, LeaseLost
from app.jobs.models import Job
from app.jobs.ports import JobCancelled, Outcome, Preview
from app.jobs.pricing import cost_json
from app.jobs.service import JobService
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
            await self._run(lease)
            count += 1
        return count

    async def beat(self) -> None:
        """Renew the leases; hear of cancelled jobs and of lost ones. Call it every few seconds."""
        progress = {job_id: (run.percent, run.stage) for job_id, run in self._running.items() if run.stage}
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
        self._running[lease.job.id] = run
        try:
            async with asyncio.TaskGroup() as tasks:
                run.task = tasks.create_task(self._attempt(lease, run))
                teller = tasks.create_task(run.tell())
                run.task.add_done_callback(lambda _: teller.cancel())
        except* LeaseLost:
            log.info("job overtaken id=%s", lease.job.id)
        finally:
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
            await asyncio.shield(self._cancelled(lease, run))
        except Unavailable as down:
            await self._later(lease, down)
        except CopilotError as error:
            await self._failed(lease, error.error_code, error.message, error.params)
        except LeaseLost:
            raise
        except Exception:  # the edge of a job: it always ends
            log.exception("job crashed id=%s", job.id)
            await self._failed(lease, "internal", "Something went wrong here; the log has the details.", {})

    async def _made(self, job: Job, run: "_Running") -> Outcome:
        handler = self._service.handler(job.kind)
        try:
            request = handler.request.model_validate(job.request)
        except ValidationError as error:  # written by another version of ours
            message = f"This job was written by another version: {error.errors()[0]['msg']}."
            raise CopilotError(message, code="job_request_invalid") from None
        run.handling = asyncio.ensure_future(handler.run(request, run))
        if run.stopped.is_set():
            run.handling.cancel()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await run.handling
        except TimeoutError:
            run.stop()
            raise CopilotError("This job took too long; it was given up.", code="job_timeout") from None

    async def _keep(self, lease: Lease, outcome: Outcome, took: float) -> None:
        job, service = lease.job, self._service
        stored = [await service.artifacts.store(job.tenant, new) for new in outcome.artifacts]
        used = replace(outcome.used, seconds=round(took, 3))
        cost = cost_json(used, service.prices)
        ended = await service.ledger.succeed(lease, outcome, stored, cost, cost["amount"])
        log.info("job succeeded id=%s kind=%s seconds=%.2f", job.id, job.kind, took)
        await service.events.append(job.tenant, job.id, _state(ended, ended.state))

    async def _cancelled(self, lease: Lease, run: "_Running") -> None:
        if run.give_back:
            await self._service.ledger.give_back(lease)
            return
        ended = await self._service.ledger.end_cancelled(lease)
        log.info("job cancelled id=%s", lease.job.id)
        await self._service.events.append(lease.job.tenant, lease.job.id, _state(ended, ended.state))

    async def _later(self, lease: Lease, down: Unavailable) -> None:
        job = lease.job
        if lease.attempt >= job.max_attempts:
            await self._failed(lease, down.error_code, down.message, down.params)
            return
        wait = BACK_OFF[min(lease.attempt, len(BACK_OFF)) - 1]
        log.warning("job postponed id=%s code=%s seconds=%d", job.id, down.error_code, wait)
        await self._service.ledger.postpone(lease, until=now() + timedelta(seconds=wait))
        await self._service.events.append(job.tenant, job.id, _state(job, "queued", reason=down.error_code))

    async def _failed(self, lease: Lease, code: str, message: str, params: Mapping[str, Any]) -> None:
        ended = await self._service.ledger.fail(lease, code=code, message=message, params=params)
        log.info("job failed id=%s code=%s", lease.job.id, code)
        await self._service.events.append(lease.job.tenant, lease.job.id, _state(ended, ended.state))


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

    def stop(self) -> None:
        """A thread of the handler stops at its next report, a coroutine now."""
        self.stopped.set()
        if self.handling is not None:
            self.handling.cancel()

    async def tell(self) -> None:
        """Progress events, the newest state of things each, until cancelled."""
        while True:
            await self.grown.wait()
            self.grown.clear()
            preview, self.preview = self.preview, None
            event = progress_event(self.percent, self.stage, preview)
            await self.service.events.append(self.job.tenant, self.job.id, event)
            await asyncio.sleep(PROGRESS_SECONDS)


def _state(job: Job, state: str, **more: Any) -> JobEvent:
    return JobEvent("state", {"id": job.id, "kind": job.kind, "state": str(state), "percent": job.percent, **more})
