"""Watched sources as everybody uses them: added, listed, run, paused, removed; the same for API, console and CLI."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.services import KnowledgeService
from app.sources.items import SourceItems, Whence
from app.sources.models import Run, Source, SourceKind
from app.sources.places import Places
from app.sources.schedule import Schedule
from app.sources.store import SourceStore
from ingest.web.names import name_of
from knowledge.database import now
from knowledge.errors import InvalidInput, NotFound

DEFAULT_SCHEDULE = "every 6h"
MOST_GLOBS = 50
LONGEST_GLOB = 300


@dataclass(frozen=True, slots=True)
class NewSource:
    """``name`` empty: made from the location."""

    kb: str
    kind: str
    location: str
    name: str = ""
    schedule: str = DEFAULT_SCHEDULE
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Changes:
    """What is None stays as it is."""

    name: str | None = None
    schedule: str | None = None
    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    enabled: bool | None = None


class Sources:
    """The watched sources of one installation."""

    def __init__(self, store: SourceStore, items: SourceItems, places: Places, knowledge: KnowledgeService) -> None:
        self._store = store
        self._items = items
        self._places = places
        self._knowledge = knowledge

    async def list(self, tenant: str) -> list[tuple[Source, Run | None]]:
        """Each with its newest run."""
        found = await self._store.all(tenant)
        last = await self._store.last_runs([source.id for source in found])
        return [(source, last.get(source.id)) for source in found]

    async def get(self, tenant: str, source_id: str) -> tuple[Source, Run | None]:
        """Raises NotFound ``source_not_found``."""
        source = await self._store.get(tenant, source_id)
        return source, (await self._store.last_runs([source.id])).get(source.id)

    async def add(self, tenant: str, new: NewSource, *, by: str | None = None) -> Source:
        """It runs at once. Raises InvalidInput ``source_kind_unknown``, ``schedule_invalid``, ``source_name_invalid``,
        ``source_globs_invalid`` and as :meth:`Places.checked`; Conflict ``source_exists``."""
        base = await self._knowledge.catalog.knowledge_base(tenant, new.kb)
        kind = _kind(new.kind)
        location = self._places.checked(kind, new.location.strip())
        values = {
            "kind": kind.value,
            "location": location,
            "name": _name(new.name or _name_from(kind, location)),
            "schedule": str(Schedule.parse(new.schedule)),
            "include": _globs(new.include),
            "exclude": _globs(new.exclude),
            "enabled": new.enabled,
            "next_run_at": now(),
            "created_by": by,
        }
        return await self._store.get(tenant, await self._store.add(base, values))

    async def change(self, tenant: str, source_id: str, changes: Changes) -> Source:
        """Raises as :meth:`add`."""
        source = await self._store.get(tenant, source_id)
        values: dict[str, Any] = {}
        if changes.name is not None:
            values["name"] = _name(changes.name)
        if changes.schedule is not None:
            schedule = Schedule.parse(changes.schedule)
            values |= {"schedule": str(schedule), "next_run_at": schedule.next_after(now())}
        if changes.include is not None:
            values["include"] = _globs(changes.include)
        if changes.exclude is not None:
            values["exclude"] = _globs(changes.exclude)
        if changes.enabled is not None:
            values["enabled"] = changes.enabled
        if values:
            await self._store.change(source, values)
        return await self._store.get(tenant, source_id)

    async def sync(self, tenant: str, source_id: str, *, delete_gone: bool = False) -> Source:
        """Have it run as soon as a worker is free. ``delete_gone``: somebody agrees that what is gone is deleted."""
        source = await self._store.get(tenant, source_id)
        await self._store.change(source, {"wanted": True, **({"confirmed": True} if delete_gone else {})})
        return await self._store.get(tenant, source_id)

    async def remove(self, tenant: str, source_id: str, *, documents: bool = False) -> None:
        """Watch it no longer. Its documents stay, unless they are to go, too."""
        source = await self._store.get(tenant, source_id)
        for document_id in await self._store.remove(source):
            if documents:
                await self._knowledge.delete_document(tenant, document_id)

    async def runs(self, tenant: str, source_id: str, *, limit: int = 20) -> tuple[Source, Sequence[Run]]:
        """Newest first."""
        source = await self._store.get(tenant, source_id)
        return source, await self._store.runs(source.id, limit=limit)

    async def whence(self, document_id: str) -> Whence | None:
        """Where a document comes from; None for one that somebody uploaded."""
        return await self._items.whence(document_id)

    async def named(self, tenant: str, name_or_id: str) -> Source:
        """Raises NotFound ``source_not_found``."""
        for source in await self._store.all(tenant):
            if name_or_id in (source.id, source.name):
                return source
        raise NotFound("There is no such source.", code="source_not_found")


def _kind(text: str) -> SourceKind:
    try:
        return SourceKind(text)
    except ValueError:
        kinds = ", ".join(SourceKind)
        message = f"There is no kind of source “{text}”. There are: {kinds}."
        raise InvalidInput(message, code="source_kind_unknown", kinds=kinds) from None


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > 120 or not name.isprintable():
        raise InvalidInput("A source needs a name of 1 to 120 characters.", code="source_name_invalid")
    return name


def _name_from(kind: SourceKind, location: str) -> str:
    if kind in (SourceKind.FOLDER, SourceKind.S3):
        return location.rstrip("/").rpartition("/")[2][:120] or location
    return (urlsplit(location).netloc if kind is SourceKind.SITEMAP else name_of(location))[:120]


def _globs(globs: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(glob.strip() for glob in globs if glob.strip()))
    if len(found) > MOST_GLOBS or any(len(glob) > LONGEST_GLOB for glob in found):
        raise InvalidInput(
            f"At most {MOST_GLOBS} patterns of at most {LONGEST_GLOB} characters.", code="source_globs_invalid"
        )
    return found
