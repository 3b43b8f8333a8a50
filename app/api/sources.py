"""Watched sources over HTTP: folders, pages, sitemaps and store prefixes that are kept up with."""

from typing import Any

from fastapi import APIRouter, Query
from pydantic import Field

from app.api.bodies import Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from app.sources.items import Whence
from app.sources.models import Run, Source
from app.sources.service import DEFAULT_SCHEDULE, Changes, NewSource

router = APIRouter(prefix="/v1/sources", tags=["sources"], responses=problems(400, 404, 409, 422, 503))


class AddSource(Body):
    """``kind``: folder, url, sitemap or s3. ``schedule``: ``every 30m``, ``every 6h`` or ``daily 03:00``."""

    knowledge_base: str
    kind: str
    location: str = Field(max_length=2000)
    name: str = ""
    schedule: str = DEFAULT_SCHEDULE
    include: list[str] = Field(default=[])
    exclude: list[str] = Field(default=[])
    enabled: bool = True


class ChangeSource(Body):
    name: str | None = None
    schedule: str | None = None
    include: list[str] | None = None
    exclude: list[str] | None = None
    enabled: bool | None = None


class SyncSource(Body):
    """``delete_gone``: agree that what is gone is deleted, however much it is."""

    delete_gone: bool = False


@router.get("")
async def list_sources(who: Reader, services: TheServices) -> dict[str, Any]:
    """All sources, each with its last run."""
    found = await services.sources.list(who.tenant)
    return {"sources": [source_json(source, run) for source, run in found]}


@router.post("", status_code=201)
async def add_source(body: AddSource, who: Writer, services: TheServices) -> dict[str, Any]:
    """Watch a place from now on; it is looked at at once."""
    new = NewSource(
        body.knowledge_base,
        body.kind,
        body.location,
        name=body.name,
        schedule=body.schedule,
        include=body.include,
        exclude=body.exclude,
        enabled=body.enabled,
    )
    return source_json(await services.sources.add(who.tenant, new, by=who.label), None)


@router.get("/{source_id}")
async def get_source(source_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """A source with its last run."""
    return source_json(*await services.sources.get(who.tenant, source_id))


@router.patch("/{source_id}")
async def change_source(source_id: str, body: ChangeSource, who: Writer, services: TheServices) -> dict[str, Any]:
    """Another schedule, other patterns; paused with ``enabled: false``."""
    changes = Changes(body.name, body.schedule, body.include, body.exclude, body.enabled)
    await services.sources.change(who.tenant, source_id, changes)
    return source_json(*await services.sources.get(who.tenant, source_id))


@router.delete("/{source_id}", status_code=204)
async def remove_source(source_id: str, who: Writer, services: TheServices, documents: bool = False) -> None:
    """Watch it no longer; ``documents=true`` deletes what came from it, too."""
    await services.sources.remove(who.tenant, source_id, documents=documents)


@router.post("/{source_id}/sync", status_code=202)
async def sync_source(
    source_id: str, who: Writer, services: TheServices, body: SyncSource | None = None
) -> dict[str, Any]:
    """Look at it now; follow it at ``GET /v1/sources/{id}/runs``."""
    agreed = body is not None and body.delete_gone
    return source_json(await services.sources.sync(who.tenant, source_id, delete_gone=agreed), None)


@router.get("/{source_id}/runs")
async def list_runs(
    source_id: str, who: Reader, services: TheServices, limit: int = Query(default=20, ge=1, le=50)
) -> dict[str, Any]:
    """What its runs came to, newest first; the last 50 are kept."""
    _, runs = await services.sources.runs(who.tenant, source_id, limit=limit)
    return {"runs": [run_json(run) for run in runs]}


def source_json(source: Source, run: Run | None) -> dict[str, Any]:
    return {
        "id": source.id,
        "name": source.name,
        "kind": source.kind.value,
        "location": source.location,
        "knowledge_base": source.kb,
        "schedule": str(source.schedule),
        "include": list(source.globs.include),
        "exclude": list(source.globs.exclude),
        "enabled": source.enabled,
        "running": source.running,
        "wanted": source.wanted,
        "progress": {"done": source.done, "total": source.total} if source.running else None,
        "documents": source.documents,
        "next_run_at": source.next_run_at.isoformat() if source.enabled or source.wanted else None,
        "created_at": source.created_at.isoformat(),
        "last_run": run_json(run) if run is not None else None,
    }


def run_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "state": run.state,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "seconds": run.seconds,
        "counts": dict(run.counts),
        "failures": [{"key": each.key, "reason": each.reason, "message": each.message} for each in run.failures],
        "error": {"code": run.error_code, "message": run.error_message} if run.error_code else None,
    }


def whence_json(whence: Whence | None) -> dict[str, Any] | None:
    if whence is None:
        return None
    return {
        "url": whence.place if whence.place.startswith(("http://", "https://")) else None,
        "place": whence.place,
        "source_id": whence.source_id,
        "source": whence.source,
        "seen_at": whence.seen_at.isoformat() if whence.seen_at else None,
    }
