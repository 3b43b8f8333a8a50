"""The twin of a job under way: for tests of handlers, and for running one without a ledger."""

from collections.abc import Mapping
from threading import Event

from app.jobs.ports import JobCancelled, Preview
from knowledge.errors import NotFound


class MemoryWork:
    """:class:`app.jobs.ports.Work` that remembers what was reported. ``cancel`` may be set from any thread."""

    def __init__(
        self, artifacts: Mapping[str, bytes] | None = None, *, job_id: str = "job", tenant: str = "default"
    ) -> None:
        self.job_id = job_id
        self.tenant = tenant
        self.artifacts = dict(artifacts or {})
        self.reports: list[tuple[int, str, Preview | None]] = []
        self.cancel = Event()

    def report(self, percent: int, stage: str, preview: Preview | None = None) -> None:
        if self.cancel.is_set():
            raise JobCancelled
        self.reports.append((percent, stage, preview))

    async def read(self, artifact_id: str) -> bytes:
        try:
            return self.artifacts[artifact_id]
        except KeyError:
            raise NotFound("There is no such file.", code="artifact_not_found") from None
