"""What job commands talk to: a running service over HTTP, or the jobs of the data folder, run in this very process."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import httpx

from app.api.artifacts import picture_type
from app.api.render import artifact_json, job_json, jobs_json
from app.cli.remote import requested
from app.jobs.models import Channel, Job
from app.jobs.ports import NewArtifact
from app.jobs.runner import HEARTBEAT_SECONDS, JobRunner
from app.jobs.service import JobService, Wanted
from app.settings import Settings
from knowledge.models import DEFAULT_TENANT

LOOK_SECONDS = 1  # between two looks for jobs that were put off


class Studio(Protocol):
    """Jobs as commands see them; jobs and artifacts are the JSON of the API."""

    async def upload(self, path: Path) -> dict[str, Any]: ...

    async def estimate(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]: ...

    async def submit(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]: ...

    def follow(self, job_id: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """``state`` and ``progress``, at the end ``done`` with the job."""

    async def page(self, limit: int) -> list[dict[str, Any]]: ...

    async def job(self, job_id: str) -> dict[str, Any]: ...

    async def act(self, job_id: str, action: str) -> dict[str, Any]:
        """``cancel``, ``approve`` or ``retry``."""

    async def fetch(self, artifact: Mapping[str, Any]) -> bytes: ...


@asynccontextmanager
async def studio(settings: Settings) -> AsyncIterator[Studio]:
    """The running service if there is one (``COPILOT_URL``, or noted in the data folder), else a local one."""
    from app.processes.runtime import find_running

    url = settings.url
    if url is None and (running := find_running(settings)):
        url = running.url
    if url:
        key = settings.api_key
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=httpx.Timeout(120, connect=15)) as http:
            yield RemoteStudio(http)
        return
    from app.studio import running_studio

    async with running_studio(settings) as jobs:
        yield LocalStudio(jobs)


class RemoteStudio:
    """Speaks /v1."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def upload(self, path: Path) -> dict[str, Any]:
        content = await asyncio.to_thread(path.read_bytes)
        return await requested(self._http, "POST", "/v1/artifacts", files={"file": (path.name, content)})

    async def estimate(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return await requested(self._http, "POST", "/v1/estimates", json={"kind": kind, "request": dict(request)})

    async def submit(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return await requested(self._http, "POST", "/v1/jobs", json={"kind": kind, "request": dict(request)})

    async def follow(self, job_id: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        async with self._http.stream("GET", f"/v1/jobs/{job_id}/events") as response:
            name = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))

    async def page(self, limit: int) -> list[dict[str, Any]]:
        found = await requested(self._http, "GET", "/v1/jobs", params={"limit": limit})
        jobs: list[dict[str, Any]] = found["jobs"]
        return jobs

    async def job(self, job_id: str) -> dict[str, Any]:
        return await requested(self._http, "GET", f"/v1/jobs/{job_id}")

    async def act(self, job_id: str, action: str) -> dict[str, Any]:
        return await requested(self._http, "POST", f"/v1/jobs/{job_id}/{action}")

    async def fetch(self, artifact: Mapping[str, Any]) -> bytes:
        response = await self._http.get(artifact["url"])
        response.raise_for_status()
        return response.content


class LocalStudio:
    """The jobs of a data folder; what is submitted is run here, while it is followed."""

    def __init__(self, jobs: JobService, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._jobs = jobs
        self._runner = JobRunner(jobs, f"cli:{uuid4().hex[:8]}")  # other calls may be working in the same folder
        self._heartbeat_seconds = heartbeat_seconds

    async def upload(self, path: Path) -> dict[str, Any]:
        content = await asyncio.to_thread(path.read_bytes)
        new = NewArtifact(content, picture_type(content), path.name, {"uploaded": True})
        return artifact_json(self._jobs, await self._jobs.artifacts.upload(DEFAULT_TENANT, new))

    async def estimate(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return await self._jobs.estimate(DEFAULT_TENANT, kind, request)

    async def submit(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        wanted = Wanted(DEFAULT_TENANT, kind, request, requester="cli", channel=Channel("api"))
        return await job_json(self._jobs, await self._jobs.submit(wanted))

    async def follow(self, job_id: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        job = await self._jobs.ledger.get(DEFAULT_TENANT, job_id)
        async with asyncio.TaskGroup() as tasks:
            work, beat = (tasks.create_task(doing) for doing in (self._work(job), self._beat()))
            try:
                async with aclosing(self._jobs.follow(DEFAULT_TENANT, job_id, after=None)) as events:
                    async for _, event in events:
                        data = event.data if event.name != "done" else {"job": await self.job(job_id)}
                        yield event.name, data
                await work
            except GeneratorExit:  # nobody listens any more; the group would make an error of it
                work.cancel()
            finally:
                beat.cancel()

    async def page(self, limit: int) -> list[dict[str, Any]]:
        return await jobs_json(self._jobs, await self._jobs.ledger.newest(DEFAULT_TENANT, limit=limit))

    async def job(self, job_id: str) -> dict[str, Any]:
        return await job_json(self._jobs, await self._jobs.ledger.get(DEFAULT_TENANT, job_id))

    async def act(self, job_id: str, action: str) -> dict[str, Any]:
        jobs = self._jobs
        if action == "retry":
            return await job_json(jobs, await jobs.retry(DEFAULT_TENANT, job_id, {}, requester="cli"))
        done = await (jobs.cancel if action == "cancel" else jobs.approve)(DEFAULT_TENANT, job_id)
        return await job_json(jobs, done)

    async def fetch(self, artifact: Mapping[str, Any]) -> bytes:
        return await self._jobs.artifacts.read(await self._jobs.artifacts.get(DEFAULT_TENANT, artifact["id"]))

    async def _work(self, job: Job) -> None:
        """What is in the queue of a job, until that one has ended: when its parts are down it comes back."""
        while True:
            await self._jobs.ledger.sweep()
            await self._runner.drain(job.queue)
            if (await self._jobs.ledger.get(job.tenant, job.id)).state.ended:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _beat(self) -> None:
        while True:
            await self._runner.beat()
            await asyncio.sleep(self._heartbeat_seconds)
