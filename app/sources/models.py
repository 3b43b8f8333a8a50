"""What a watched source is, what was seen in it, and what a run of it came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.sources.schedule import Schedule
from ingest.watch.ports import Globs
from knowledge.origins import Validators

COUNTS = ("listed", "new", "changed", "unchanged", "missing", "deleted", "failed", "waiting", "left_out")
MOST_FAILURES = 50


class SourceKind(StrEnum):
    """``s3`` is a prefix of an object store."""

    FOLDER = "folder"
    URL = "url"
    SITEMAP = "sitemap"
    S3 = "s3"


@dataclass(frozen=True, slots=True)
class Source:
    """A place that is watched, for one knowledge base. ``done`` of ``total`` is how far the run under way is."""

    id: str
    tenant: str
    kb_id: str
    kb: str
    name: str
    kind: SourceKind
    location: str
    schedule: Schedule
    globs: Globs
    enabled: bool
    wanted: bool
    confirmed: bool
    running: bool
    next_run_at: datetime
    created_at: datetime
    done: int = 0
    total: int = 0
    documents: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a source, as it was when it was last taken in."""

    key: str
    document_id: str | None
    mark: str | None
    validators: Validators
    content_hash: str | None
    reason: str | None
    missing: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one thing was not taken in."""

    key: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """``asks``: so much is gone that somebody has to say whether it is to be deleted."""

    id: str
    source_id: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    counts: Mapping[str, int]
    failures: tuple[Failure, ...]
    error_code: str | None = None
    error_message: str | None = None

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


@dataclass(slots=True)
class Tally:
    """Counts up while a run goes."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    failures: list[Failure] = field(default_factory=list)
    asks: bool = False

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] += by

    def fail(self, key: str, reason: str, message: str) -> None:
        self.count("failed")
        if len(self.failures) < MOST_FAILURES:
            self.failures.append(Failure(key, reason, message))

    def failures_json(self) -> list[dict[str, Any]]:
        return [{"key": each.key, "reason": each.reason, "message": each.message} for each in self.failures]
