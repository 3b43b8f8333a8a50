"""Watched sources: what is kept up with, what the last runs came to, and what is to be watched next."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Form, Response

from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import Visit, page, path_of, see
from app.console.texts import language_of, sentence_of
from app.sources.models import Run, Source, SourceKind
from app.sources.service import Changes, NewSource
from knowledge.database import now
from knowledge.errors import CopilotError

SCHEDULES = ("every 15m", "every 1h", "every 6h", "every 24h", "daily")
SHOWN = ("new", "changed", "unchanged", "missing", "deleted", "failed", "waiting", "left_out")
EMPTY = {
    "kind": "sitemap",
    "location": "",
    "name": "",
    "kb": "",
    "schedule": "every 6h",
    "at": "03:00",
    "include": "",
    "exclude": "",
}

router = APIRouter(prefix="/sources", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A source with its last run. ``state``: running, queued, paused, asks, failed, done or new."""

    source: Source
    run: Run | None

    @property
    def state(self) -> str:
        if self.source.running:
            return "running"
        if self.source.wanted:
            return "queued"
        if self.run is not None and self.run.state in ("asks", "failed"):
            return self.run.state
        if not self.source.enabled:
            return "paused"
        return "done" if self.run is not None and self.run.state == "done" else "new"

    @property
    def counts(self) -> list[tuple[str, int]]:
        """What is worth a word."""
        counted = self.run.counts if self.run is not None else {}
        return [(name, counted[name]) for name in SHOWN if counted.get(name)]

    @property
    def percent(self) -> int:
        return 100 * self.source.done // self.source.total if self.source.total else 0


@router.get("")
async def sources(visit: Reading, kb: str = "") -> Response:
    return await _sources(visit, form={"kb": kb} if kb else None)


@router.post("")
async def add(  # noqa: PLR0917 (the form’s fields)
    visit: Writing,
    kind: str = Form(""),
    location: str = Form("", max_length=2000),
    name: str = Form("", max_length=200),
    kb: str = Form(""),
    schedule: str = Form(""),
    at: str = Form(""),
    include: str = Form("", max_length=10_000),
    exclude: str = Form("", max_length=10_000),
) -> Response:
    """Patterns are one a line."""
    form = {
        "kind": kind,
        "location": location,
        "name": name,
        "kb": kb,
        "schedule": schedule,
        "at": at,
        "include": include,
        "exclude": exclude,
    }
    new = NewSource(
        kb,
        kind,
        location,
        name=name,
        schedule=f"daily {at}" if schedule == "daily" else schedule,
        include=include.splitlines(),
        exclude=exclude.splitlines(),
    )
    try:
        await visit.services.sources.add(visit.tenant, new, by=visit.who.label if visit.who else None)
    except CopilotError as error:
        return await _sources(visit, form=form, error=error)
    return see(path_of("sources"))


@router.post("/{source_id}/sync")
async def sync(visit: Writing, source_id: str, delete_gone: str = Form("")) -> Response:
    await visit.services.sources.sync(visit.tenant, source_id, delete_gone=bool(delete_gone))
    return see(path_of("sources"))


@router.post("/{source_id}/switch")
async def switch(visit: Writing, source_id: str, on: str = Form("")) -> Response:
    await visit.services.sources.change(visit.tenant, source_id, Changes(enabled=bool(on)))
    return see(path_of("sources"))


@router.post("/{source_id}/remove")
async def remove(visit: Writing, source_id: str, documents: str = Form("")) -> Response:
    await visit.services.sources.remove(visit.tenant, source_id, documents=bool(documents))
    return see(path_of("sources"))


async def _sources(visit: Visit, *, form: dict[str, str] | None = None, error: CopilotError | None = None) -> Response:
    services = visit.services
    found = [Shown(source, run) for source, run in await services.sources.list(visit.tenant)]
    return page(
        visit,
        "sources.html",
        status=422 if error else 200,
        here=path_of("sources"),
        sources=found,
        busy=sum(each.state in ("running", "queued") for each in found),
        kinds=list(SourceKind),
        bases=[base.name for base in await services.knowledge.catalog.named(visit.tenant, None)],
        schedules=SCHEDULES,
        zone=_zone(now()),
        roots=services.settings.source_folders,
        form={**EMPTY, **(form or {})},
        adding=form is not None,
        problem=sentence_of(language_of(visit.request), error) if error else "",
    )


def _zone(moment: datetime) -> str:
    """``UTC+08:00``: whose three o’clock it is."""
    offset = moment.astimezone().strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"
