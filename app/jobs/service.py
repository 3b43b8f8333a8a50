"""Jobs as everybody uses them: asked for, priced, watched, cancelled, reviewed. The same calls for every channel."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError

from app.jobs.artifacts import Artifacts
from app.jobs.events import JobEvent, JobEvents
from app.jobs.ledger import Ledger, NewJob
from app.jobs.models import Channel, Job, JobState, Review
from app.jobs.ports import Handler, JobRequest
from app.jobs.pricing import estimate_json
from app.jobs.queue import DELIVERY, JobQueue
from app.settings import Prices
from knowledge.errors import InvalidInput, Unavailable

PRIORITIES = {"high": 2, "normal": 5, "low": 8}

log = logging.getLogger(__name__)


@runtime_checkable
class Abandonable(Protocol):
    """A handler that has something to put right when its job is cancelled."""

    async def abandon(self, request: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job that somebody asks for."""

    tenant: str
    kind: str
    request: Mapping[str, Any]
    priority: int = PRIORITIES["normal"]
    requester: str | None = None
    channel: Channel | None = None
    conversation_id: str | None = None
    idempotency_key: str | None = None
    retry_of: str | None = None
    subject: str | None = None
    max_attempts: int = 5


class JobService:
    """What can be made, and every job of this installation."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        events: JobEvents,
        artifacts: Artifacts,
        queue: JobQueue | None,
        prices: Prices,
        handlers: Iterable[Handler[Any]],
    ) -> None:
        self.ledger = ledger
        self.events = events
        self.artifacts = artifacts
        self.prices = prices
        self.handlers = {handler.kind: handler for handler in handlers}
        self._queue = queue

    @property
    def queued(self) -> bool:
        """Whether there is a queue, hence workers; without one the caller does the work itself."""
        return self._queue is not None

    def handler(self, kind: str) -> Handler[Any]:
        """Raises InvalidInput ``job_kind_unknown``."""
        if kind not in self.handlers:
            known = ", ".join(sorted(self.handlers))
            raise InvalidInput(f"There is no job “{kind}”. There are: {known}.", code="job_kind_unknown", kinds=known)
        return self.handlers[kind]

    def parsed(self, kind: str, request: Mapping[str, Any]) -> JobRequest:
        """A request as its kind's model. Raises InvalidInput ``job_request_invalid`` or ``job_argument_missing``."""
        try:
            return self.handler(kind).request.model_validate(request)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            if first["type"] == "missing":
                raise InvalidInput(f"“{where}” is missing.", code="job_argument_missing", field=where) from None
            raise InvalidInput(f"{where}: {first['msg']}.", code="job_request_invalid", field=where) from None

    async def estimate(self, tenant: str, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Quantities, money and time before anything runs; and whether it would wait for approval."""
        made = await self._priced(kind, self.parsed(kind, request))
        over = (await self.ledger.limits(tenant)).approval_over
        return {**made, "needs_approval": over is not None and made["amount"]["high"] > over}

    async def submit(self, wanted: Wanted) -> Job:
        """Write a job down and wake a worker. Raises as :meth:`estimate` does, and Conflict ``daily_limit_reached``."""
        parsed = self.parsed(wanted.kind, wanted.request)
        estimate = await self._priced(wanted.kind, parsed)
        new = NewJob(
            tenant=wanted.tenant,
            kind=wanted.kind,
            queue=self.handler(wanted.kind).queue,
            request=parsed.model_dump(mode="json"),
            estimate=estimate,
            amount=estimate["amount"]["high"],
            priority=wanted.priority,
            subject=wanted.subject,
            requester=wanted.requester,
            channel=wanted.channel,
            conversation_id=wanted.conversation_id,
            idempotency_key=wanted.idempotency_key,
            retry_of=wanted.retry_of,
            max_attempts=wanted.max_attempts,
        )
        job, fresh = await self.ledger.add(new)
        if fresh:
            log.info("job added id=%s kind=%s state=%s", job.id, job.kind, job.state)
            await self._tell(job)
        if fresh or job.state is JobState.QUEUED:
            await self.wake(job)
        return job

    async def cancel(self, tenant: str, job_id: str) -> Job:
        """Within one step. Raises Conflict ``job_ended``."""
        job = await self.ledger.cancel(tenant, job_id)
        handler = self.handlers.get(job.kind)
        if isinstance(handler, Abandonable):
            await handler.abandon(job.request)
        await self.events.announce_cancel(job.id)
        await self._tell(job)
        if job.state.ended:
            await self.wake_delivery(job)
        return job

    async def approve(self, tenant: str, job_id: str) -> Job:
        """Let a job run that waits because of its price. Raises Conflict ``job_not_waiting``."""
        job = await self.ledger.approve(tenant, job_id)
        await self._tell(job)
        await self.wake(job)
        return job

    async def retry(
        self,
        tenant: str,
        job_id: str,
        changes: Mapping[str, Any],
        *,
        requester: str | None,
        idempotency_key: str | None = None,
    ) -> Job:
        """A new job like an ended one, with changed fields; with the same key the one that was made then.

        Raises InvalidInput ``job_not_ended``.
        """
        old = await self.ledger.get(tenant, job_id)
        if old.queue == "ingest":  # its request names a document, which must not become somebody else's
            raise InvalidInput("Documents are taken in by uploading them.", code="job_kind_unknown", kinds="")
        if not old.state.ended:
            raise InvalidInput("This job has not ended. Cancel it first, or wait.", code="job_not_ended")
        return await self.submit(
            Wanted(
                tenant,
                old.kind,
                {**old.request, **changes},
                priority=old.priority,
                requester=requester,
                channel=old.channel,
                conversation_id=old.conversation_id,
                idempotency_key=idempotency_key,
                retry_of=old.id,
                subject=old.subject,
                max_attempts=old.max_attempts,
            )
        )

    async def review(
        self, tenant: str, job_id: str, review: Review, *, reason: str | None, by: str | None, once: bool = False
    ) -> Job:
        """As :meth:`Ledger.review`."""
        job = await self.ledger.review(tenant, job_id, review, reason=reason, by=by, once=once)
        await self._tell(job)
        return job

    async def pictures(self, tenant: str, conversation_id: str) -> list[str]:
        """Artifact ids of the pictures that jobs of a conversation made, newest first."""
        recent = await self.ledger.newest(tenant, conversation_id=conversation_id, limit=20)
        made = await self.artifacts.of_jobs([job.id for job in recent])
        return [file.id for job in recent for file in made[job.id] if file.media_type.startswith("image/")]

    async def follow(
        self, tenant: str, job_id: str, *, after: str | None
    ) -> AsyncGenerator[tuple[str, JobEvent], None]:
        """Events after an id until the job has ended, then ``done``. Raises NotFound ``job_not_found`` at once.

        The end is the ledger's: its state is told also where its event is not written yet, or never was.
        """
        job = await self.ledger.get(tenant, job_id)
        told = job.state.value
        if after is None:
            yield "0-0", _state_event(job)
        last = after or "0-0"
        while not job.state.ended:
            for number, event in await self.events.read(tenant, job_id, after=last):
                last, told = number, event.data.get("state", told)
                yield last, event
            job = await self.ledger.get(tenant, job_id)
        if told != job.state.value:
            yield last, _state_event(job)
        yield last, JobEvent("done", {"id": job.id, "state": job.state.value})

    async def wake(self, job: Job) -> None:
        """Say that there is work; if the queue is down the workers' sweep finds it."""
        if self._queue is None or job.state is not JobState.QUEUED:
            return
        try:
            await asyncio.to_thread(self._queue.wake, job.queue, job.id)
        except Unavailable as down:
            log.warning("job waits for the sweep id=%s code=%s", job.id, down.error_code)

    async def wake_delivery(self, job: Job) -> None:
        """Say that an ended job is to be brought somewhere. The row in ``deliveries`` is the truth, as ever."""
        if self._queue is None or job.channel is None or job.channel.fetched:
            return
        try:
            await asyncio.to_thread(self._queue.wake, DELIVERY, job.id)
        except Unavailable as down:
            log.warning("delivery waits for the sweep id=%s code=%s", job.id, down.error_code)

    async def _priced(self, kind: str, request: JobRequest) -> dict[str, Any]:
        used = await asyncio.to_thread(self.handler(kind).estimate, request)
        return {**estimate_json(used, self.prices, await self.ledger.durations(kind)), "kind": kind}

    async def _tell(self, job: Job) -> None:
        await self.events.append(job.tenant, job.id, _state_event(job))


def _state_event(job: Job) -> JobEvent:
    data: dict[str, Any] = {"id": job.id, "kind": job.kind, "state": job.state.value, "percent": job.percent}
    return JobEvent("state", {**data, "stage": job.stage, "review": job.review})
