"""Rows of the ledger ↔ values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Row

from app.jobs.models import Artifact, Channel, Job, JobState
from knowledge.database import now

_PLAIN = tuple(name for name in Job.__dataclass_fields__ if name not in ("state", "channel"))


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
class StoredArtifact:
    """A file that is safely stored, on its way into the ledger."""

    content_hash: str
    size: int
    media_type: str
    name: str
    about: Mapping[str, Any]


def job_row(new: NewJob, *, waits: bool) -> dict[str, Any]:
    """A job as it is first written. ``waits``: for approval, as its estimate says then."""
    estimate = {**new.estimate, "needs_approval": waits} if new.estimate is not None else None
    return {
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
        "estimate": estimate,
        "amount": new.amount,
        "max_attempts": new.max_attempts,
        "created_at": now(),
    }


def artifact_row(file: StoredArtifact, tenant: str, *, job_id: str | None = None, ordinal: int = 0) -> dict[str, Any]:
    """A file as it is written: made by a job, or uploaded."""
    return {
        "id": uuid4().hex,
        "tenant": tenant,
        "job_id": job_id,
        "ordinal": ordinal,
        "content_hash": file.content_hash,
        "size": file.size,
        "media_type": file.media_type,
        "name": file.name,
        "about": dict(file.about),
        "created_at": now(),
    }


def job_of(row: Row[Any]) -> Job:
    """A row of ``jobs`` as a value."""
    fields = {name: getattr(row, name) for name in _PLAIN}
    return Job(**fields, state=JobState(row.state), channel=Channel(**row.channel) if row.channel else None)


def artifact_of(row: Row[Any]) -> Artifact:
    """A row of ``artifacts`` as a value."""
    return Artifact(**{name: getattr(row, name) for name in Artifact.__dataclass_fields__})
