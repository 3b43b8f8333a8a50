"""The job that takes a document in. The document's own row says what came of it; the job says how it went."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal
from uuid import uuid4

from app.jobs.ports import Following, JobCancelled, JobFailed, JobRequest, Outcome, Quantities, Work
from ingest.pipeline import Pipeline
from knowledge.errors import Unavailable
from knowledge.models import DocumentStatus
from knowledge.versions import Versions

KIND = "ingest"
# A document waits as long as it takes for a part that is down; one that kills its worker is given up by its own count.
MAX_ATTEMPTS = 100_000


class IngestRequest(JobRequest):
    document_id: str


class IngestHandler:
    """load → clean → chunk → embed → publish; see :mod:`ingest.pipeline`."""

    kind = KIND
    queue: Literal["ingest"] = "ingest"
    request = IngestRequest

    def __init__(self, pipeline: Pipeline, versions: Versions) -> None:
        self._pipeline = pipeline
        self._versions = versions
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"

    def estimate(self, request: IngestRequest) -> Quantities:  # noqa: ARG002 (the port's)
        return Quantities()

    async def run(self, request: IngestRequest, work: Work) -> Outcome:
        """Raises JobFailed with the document's reason; Unavailable while a part is down or another run holds it."""

        def report(stage: str, percent: int) -> None:
            with suppress(JobCancelled):  # the run is cancelled as a task, and gives its document back
                work.report(percent, stage)

        done = await self._pipeline.run(request.document_id, owner=self._owner, report=report)
        if done is None:
            if await self._versions.status(request.document_id) is DocumentStatus.PROCESSING:
                raise Unavailable("Another run holds this document until its lease ends.", code="document_busy")
            return Outcome({"state": "nothing_to_do"})
        if done.state == "postponed":
            raise Unavailable(done.message or "A part that is needed does not answer.", code=done.reason)
        if done.state == "failed":
            raise JobFailed(done.message or "This document cannot be taken in.", code=done.reason)
        members = tuple(Following({"document_id": member}, subject=member) for member in done.waiting)
        result = {"state": done.state, "chunks": done.chunks, "embedded": done.embedded}
        return Outcome(result | ({"documents": len(members)} if members else {}), following=members)

    async def abandon(self, request: Mapping[str, Any]) -> None:
        """Cancelled: the document says so, instead of waiting for a run that nobody starts."""
        await self._versions.give_up(request["document_id"])
