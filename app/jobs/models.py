"""What the ledger says of a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

Review: TypeAlias = Literal["pending", "approved", "rejected"]


class JobState(StrEnum):
    """estimate → (waiting for approval) → queued → running → succeeded, failed or cancelled."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a finished job is brought: ``web`` (a conversation), ``dingtalk``, ``api``; ``target`` is the channel's."""

    name: str = "api"
    target: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fetched(self) -> bool:
        """Whether who asked comes for the result; else it has to be brought."""
        return self.name in ("web", "api", "cli")


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the ledger. Money is in the currency of the price table; ``percent`` is 0–100."""

    id: str
    tenant: str
    kind: str
    queue: str
    state: JobState
    priority: int
    request: Mapping[str, Any]
    created_at: datetime
    subject: str | None = None
    requester: str | None = None
    channel: Channel | None = None
    conversation_id: str | None = None
    retry_of: str | None = None
    estimate: Mapping[str, Any] | None = None
    cost: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None
    error_params: Mapping[str, Any] | None = None
    attempts: int = 0
    max_attempts: int = 5
    percent: int = 0
    stage: str | None = None
    review: Review | None = None
    review_reason: str | None = None
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a tenant: made by a job, or uploaded (``job_id`` None). ``size`` is in bytes."""

    id: str
    tenant: str
    content_hash: str
    size: int
    media_type: str
    name: str
    about: Mapping[str, Any]
    created_at: datetime
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant may do. ``concurrency`` jobs run at a time in a queue; a day begins at midnight UTC.

    A job whose estimate goes over ``approval_over`` waits for somebody's approval. None is no limit.
    """

    concurrency: int | None = None
    daily_jobs: int | None = None
    daily_amount: float | None = None
    approval_over: float | None = None
