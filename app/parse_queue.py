"""The queue of documents that are taken in, across a tenant's knowledge bases: how far it is, cancelled and retried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from app.jobs.ingestion import KIND
from app.jobs.ledger import Ledger
from app.jobs.models import Job, JobState
from app.jobs.service import JobService
from app.services import KnowledgeService
from knowledge.backlog import Backlog, Which
from knowledge.database import now
from knowledge.errors import Conflict
from knowledge.models import Document, DocumentStatus
from knowledge.versions import Versions

Group: TypeAlias = Literal["active", "failed", "done"]

GROUPS: Mapping[Group, tuple[DocumentStatus, ...]] = {
    "active": (DocumentStatus.PROCESSING, DocumentStatus.RECEIVED),
    "failed": (DocumentStatus.FAILED,),
    "done": (DocumentStatus.LIVE,),
}
MOST_RETRIED = 500  # at once: each is a job of its own, written before this is answered
LEAST_MEASURED = 3  # runs, or there is no telling how long one takes
MOST_RUNNING = 100
NO_WORKER = timedelta(seconds=30)  # a document is taken within seconds; where it waits so long, nobody works
FAR = 10  # percent from which on a run's own pace says when it ends


@dataclass(frozen=True, slots=True)
class Queued:
    """A document in the queue, and the newest job about it."""

    document: Document
    kb: str
    job: Job | None = None

    @property
    def since(self) -> datetime | None:
        """When its run began, or it began to wait; when it ended."""
        if self.document.status is DocumentStatus.PROCESSING:
            return self._began or self.document.updated_at
        if self.document.status is DocumentStatus.RECEIVED and self.job is not None:
            return self.job.created_at
        return self.document.updated_at

    @property
    def attempts(self) -> int:
        """How often it was begun with and put back: a part that it needs did not answer."""
        waits = self.job is not None and self.job.state is JobState.QUEUED
        return self.job.attempts if self.job is not None and waits else 0

    @property
    def seconds(self) -> float | None:
        """What taking it in took."""
        if self.job is None or self.job.started_at is None or self.job.finished_at is None:
            return None
        return (self.job.finished_at - self.job.started_at).total_seconds()

    @property
    def _began(self) -> datetime | None:
        return self.job.started_at if self.job is not None and self.job.state is JobState.RUNNING else None


@dataclass(frozen=True, slots=True)
class QueueState:
    """``done`` counts the last day. ``seconds_left`` is an estimate by what the last runs took, on as many at a time
    as run now; None where nothing tells. ``stalled``: documents wait, and nobody takes them."""

    running: int
    waiting: int
    failed: int
    done: int
    reasons: Mapping[str, int]
    seconds_left: float | None
    stalled: bool

    @property
    def active(self) -> int:
        return self.running + self.waiting


class ParseQueue:
    """Of all tenants. ``kb`` is the name or id of a knowledge base, or None for all."""

    def __init__(self, backlog: Backlog, versions: Versions, knowledge: KnowledgeService, jobs: JobService) -> None:
        self._backlog = backlog
        self._versions = versions
        self._knowledge = knowledge
        self._jobs = jobs

    @property
    def _ledger(self) -> Ledger:
        return self._jobs.ledger

    async def state(self, tenant: str, kb: str | None = None) -> QueueState:
        which = await self._which(tenant, kb)
        counts = await self._backlog.counts(which)
        running = await self._listed(which, [DocumentStatus.PROCESSING], limit=MOST_RUNNING)
        oldest = await self._listed(which, [DocumentStatus.RECEIVED], limit=1)
        waiting = counts.get(DocumentStatus.RECEIVED, 0)
        stalled = not running and any(each.since and each.since < now() - NO_WORKER for each in oldest)
        left = None if stalled else self._seconds_left(running, waiting, await self._ledger.durations(KIND))
        return QueueState(
            counts.get(DocumentStatus.PROCESSING, 0),
            waiting,
            counts.get(DocumentStatus.FAILED, 0),
            counts.get(DocumentStatus.LIVE, 0),
            await self._backlog.reasons(which),
            left,
            stalled,
        )

    async def page(
        self, tenant: str, group: Group, kb: str | None = None, *, reason: str | None = None, limit: int, offset: int
    ) -> list[Queued]:
        """What runs and then what waits longest; of what has ended, the newest first."""
        return await self._listed(await self._which(tenant, kb, reason), GROUPS[group], limit=limit, offset=offset)

    async def cancel(self, tenant: str, document_id: str) -> Document:
        """Wanted no more: what runs is stopped at once; a version that was live stays. Raises Conflict
        ``document_not_waiting``."""
        document = await self._knowledge.catalog.document(tenant, document_id)
        if document.status not in GROUPS["active"]:
            raise Conflict("This document is not being taken in.", code="document_not_waiting")
        job = (await self._ledger.of_subjects(tenant, KIND, [document_id])).get(document_id)
        if job is not None and not job.state.ended:
            await self._jobs.cancel(tenant, job.id)
        else:
            await self._versions.give_up(document_id)
        return await self._knowledge.catalog.document(tenant, document_id)

    async def cancel_waiting(self, tenant: str, kb: str | None = None) -> int:
        """Everything that nobody has begun with; → how many. Documents first: a job without one does nothing."""
        ids = await self._backlog.give_up_waiting(await self._which(tenant, kb))
        await self._ledger.cancel_queued(tenant, KIND, ids)
        return len(ids)

    async def retry(self, tenant: str, document_id: str) -> Document:
        """Raises Conflict ``document_not_failed``."""
        document = await self._knowledge.catalog.document(tenant, document_id)
        if document.status is not DocumentStatus.FAILED:
            raise Conflict("Only a document that could not be taken in is tried again.", code="document_not_failed")
        return await self._knowledge.reingest(tenant, document_id)

    async def retry_failed(self, tenant: str, kb: str | None = None, *, reason: str | None = None) -> int:
        """The newest failures, :data:`MOST_RETRIED` at most; → how many."""
        ids = await self._backlog.reopen_failed(await self._which(tenant, kb, reason), at_most=MOST_RETRIED)
        for document_id in ids:
            await self._knowledge.process(await self._knowledge.catalog.document(tenant, document_id))
        return len(ids)

    async def _which(self, tenant: str, kb: str | None, reason: str | None = None) -> Which:
        base = await self._knowledge.catalog.knowledge_base(tenant, kb) if kb else None
        return Which(tenant, base.id if base else None, reason or None)

    async def _listed(
        self, which: Which, statuses: Sequence[DocumentStatus], *, limit: int, offset: int = 0
    ) -> list[Queued]:
        found = await self._backlog.page(which, statuses, limit=limit, offset=offset)
        jobs = await self._ledger.of_subjects(which.tenant, KIND, [document.id for document, _ in found])
        return [Queued(document, kb, jobs.get(document.id)) for document, kb in found]

    def _seconds_left(self, running: Sequence[Queued], waiting: int, measured: Sequence[float]) -> float | None:
        if len(measured) < LEAST_MEASURED or not (running or waiting):
            return None
        usual = sum(measured) / len(measured)
        return (sum(_left(each, usual) for each in running) + waiting * usual) / max(1, len(running))


def _left(run: Queued, usual: float) -> float:
    """Of a run: by its own pace once that shows, else as much as one usually takes."""
    spent = (now() - run.since).total_seconds() if run.since else 0.0
    percent = run.document.progress
    return spent * (100 - percent) / percent if percent >= FAR else max(usual - spent, 0.0)
