"""Sources, what was seen in them, and their runs in SQL. Who runs a source holds a lease on its row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.sources.models import Failure, Run, Source, SourceKind, Tally
from app.sources.schedule import Schedule
from app.sources.tables import source_items, source_runs, sources
from ingest.watch.ports import Globs
from knowledge.database import Database, now
from knowledge.errors import Conflict, NotFound
from knowledge.models import KnowledgeBase
from knowledge.tables import documents, knowledge_bases

LEASE = timedelta(seconds=20)
RUNS_KEPT = 50  # of a source


@dataclass(frozen=True, slots=True)
class SourceLease:
    """The right to run a source, until it is not renewed any more."""

    source: Source
    run_id: str
    owner: str


class SourceLeaseLost(Exception):
    """Somebody else runs it now, or it was removed; stop quietly."""


class SourceStore:
    """One row a source; every change asks for its tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, base: KnowledgeBase, values: Mapping[str, Any]) -> str:
        """→ its id. Raises Conflict ``source_exists``."""
        row = {
            "id": uuid4().hex,
            "tenant": base.tenant,
            "kb_id": base.id,
            "wanted": False,
            "confirmed": False,
            "done": 0,
            "total": 0,
            "created_at": now(),
            **values,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(sources).values(**row))
        except IntegrityError as error:
            message = f"There is a source “{values['name']}” already."
            raise Conflict(message, code="source_exists", name=str(values["name"])) from error
        return str(row["id"])

    async def all(self, tenant: str) -> list[Source]:
        async with self._database.read() as connection:
            query = _sources().where(sources.c.tenant == tenant).order_by(sources.c.created_at, sources.c.id)
            return [_source(row) for row in await connection.execute(query)]

    async def get(self, tenant: str, source_id: str) -> Source:
        """Raises NotFound ``source_not_found``."""
        mine = (sources.c.tenant == tenant) & (sources.c.id == source_id)
        async with self._database.read() as connection:
            row = (await connection.execute(_sources().where(mine))).first()
        if row is None:
            raise NotFound("There is no such source.", code="source_not_found")
        return _source(row)

    async def change(self, source: Source, values: Mapping[str, Any]) -> None:
        """Raises Conflict ``source_exists``."""
        try:
            async with self._database.write() as connection:
                await connection.execute(update(sources).where(sources.c.id == source.id).values(**values))
        except IntegrityError as error:
            raise Conflict("There is a source of this name already.", code="source_exists", name="") from error

    async def remove(self, source: Source) -> list[str]:
        """Watch it no longer; a run of it stops. → ids of the documents that came from it."""
        items = select(source_items.c.document_id).where(
            source_items.c.source_id == source.id, source_items.c.document_id.is_not(None)
        )
        async with self._database.write() as connection:
            found = list((await connection.execute(items)).scalars())
            await connection.execute(delete(sources).where(sources.c.id == source.id))
        return found

    # runs

    async def claim(self, owner: str, *, source_id: str | None = None) -> SourceLease | None:
        """A source that is due, or the one that is named, whose run begins; None when there is none free."""
        moment = now()
        due = or_(sources.c.wanted, and_(sources.c.enabled, sources.c.next_run_at <= moment))
        chosen = due if source_id is None else sources.c.id == source_id
        free = or_(sources.c.lease_until.is_(None), sources.c.lease_until < moment)
        first = select(sources.c.id).where(chosen, free).order_by(sources.c.next_run_at).limit(1)
        taken = (
            update(sources)
            .where(sources.c.id == first.with_for_update(skip_locked=True).scalar_subquery(), free)
            .values(owner=owner, lease_until=moment + LEASE, wanted=False, done=0, total=0)
            .returning(sources.c.id, sources.c.tenant)
        )
        if not await self._database.rows(first):
            return None
        async with self._database.write() as connection:
            row = (await connection.execute(taken)).first()
            if row is None:
                return None
            run_id = await _begin_run(connection, row.id, row.tenant)
            source = (await connection.execute(_sources().where(sources.c.id == row.id))).one()
        return SourceLease(_source(source), run_id, owner)

    async def renew(self, lease: SourceLease, *, done: int, total: int) -> None:
        """Raises SourceLeaseLost."""
        async with self._database.write(of=None) as connection:
            values = {"lease_until": now() + LEASE, "done": done, "total": total}
            kept = await connection.execute(update(sources).where(_held(lease)).values(**values))
        if kept.rowcount != 1:
            raise SourceLeaseLost(lease.source.id)

    async def finish(
        self, lease: SourceLease, tally: Tally, state: str, *, next_run_at: datetime, error: tuple[str, str] | None
    ) -> None:
        """The run's report, and when the next one is. Raises SourceLeaseLost."""
        ended = {
            "state": state,
            "finished_at": now(),
            "counts": tally.counts,
            "failures": tally.failures_json(),
            "error_code": error[0] if error else None,
            "error_message": error[1] if error else None,
        }
        free: dict[str, Any] = {"owner": None, "lease_until": None, "next_run_at": next_run_at}
        if lease.source.confirmed:  # what is agreed to while it runs is for the next run
            free["confirmed"] = False
        async with self._database.write() as connection:
            if (await connection.execute(update(sources).where(_held(lease)).values(**free))).rowcount != 1:
                raise SourceLeaseLost(lease.source.id)
            await connection.execute(update(source_runs).where(source_runs.c.id == lease.run_id).values(**ended))
            await _forget_old_runs(connection, lease.source.id)

    async def give_back(self, lease: SourceLease) -> None:
        """This process ends; another one is to begin anew."""
        async with self._database.write() as connection:
            values = {"owner": None, "lease_until": None, "wanted": True}
            await connection.execute(update(sources).where(_held(lease)).values(**values))
            await connection.execute(
                update(source_runs).where(source_runs.c.id == lease.run_id).values(**_interrupted())
            )

    async def runs(self, source_id: str, *, limit: int = 20) -> list[Run]:
        """Newest first."""
        query = select(source_runs).where(source_runs.c.source_id == source_id)
        async with self._database.read() as connection:
            newest = query.order_by(source_runs.c.started_at.desc(), source_runs.c.id).limit(limit)
            return [_run(row) for row in await connection.execute(newest)]

    async def last_runs(self, source_ids: Sequence[str]) -> dict[str, Run]:
        """The newest run of each."""
        newest = (
            select(source_runs.c.source_id, func.max(source_runs.c.started_at).label("at"))
            .where(source_runs.c.source_id.in_(source_ids))
            .group_by(source_runs.c.source_id)
            .subquery()
        )
        same = and_(source_runs.c.source_id == newest.c.source_id, source_runs.c.started_at == newest.c.at)
        async with self._database.read() as connection:
            found = await connection.execute(select(source_runs).join(newest, same))
            return {row.source_id: _run(row) for row in found}


async def _begin_run(connection: AsyncConnection, source_id: str, tenant: str) -> str:
    """Another run that is still marked as running was that of a worker that died."""
    dead = (source_runs.c.source_id == source_id) & (source_runs.c.state == "running")
    await connection.execute(update(source_runs).where(dead).values(**_interrupted()))
    run_id = uuid4().hex
    row = {"id": run_id, "source_id": source_id, "tenant": tenant, "state": "running", "started_at": now()}
    await connection.execute(insert(source_runs).values(**row, counts={}, failures=[]))
    return run_id


async def _forget_old_runs(connection: AsyncConnection, source_id: str) -> None:
    mine = source_runs.c.source_id == source_id
    kept = select(source_runs.c.started_at).where(mine).order_by(source_runs.c.started_at.desc())
    oldest = await connection.scalar(kept.offset(RUNS_KEPT - 1).limit(1))
    if oldest is not None:
        await connection.execute(delete(source_runs).where(mine, source_runs.c.started_at < oldest))


def _interrupted() -> dict[str, Any]:
    return {"state": "interrupted", "finished_at": now()}


def _held(lease: SourceLease) -> ColumnElement[bool]:
    return and_(sources.c.id == lease.source.id, sources.c.owner == lease.owner)


def _sources() -> Any:  # the select's type has many parameters and says nothing
    has = and_(source_items.c.source_id == sources.c.id, source_items.c.document_id == documents.c.id)
    count = select(func.count()).select_from(source_items.join(documents, has)).where(documents.c.status != "deleted")
    return select(
        sources, knowledge_bases.c.name.label("kb"), count.correlate(sources).scalar_subquery().label("documents")
    ).join(knowledge_bases, knowledge_bases.c.id == sources.c.kb_id)


def _source(row: Row[Any]) -> Source:
    return Source(
        id=row.id,
        tenant=row.tenant,
        kb_id=row.kb_id,
        kb=row.kb,
        name=row.name,
        kind=SourceKind(row.kind),
        location=row.location,
        schedule=Schedule.parse(row.schedule),
        globs=Globs(tuple(row.include), tuple(row.exclude)),
        enabled=row.enabled,
        wanted=row.wanted,
        confirmed=row.confirmed,
        running=row.lease_until is not None and row.lease_until >= now(),
        next_run_at=row.next_run_at,
        created_at=row.created_at,
        done=row.done,
        total=row.total,
        documents=row.documents,
    )


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        source_id=row.source_id,
        state=row.state,
        started_at=row.started_at,
        finished_at=row.finished_at,
        counts=row.counts,
        failures=tuple(Failure(each["key"], each["reason"], each["message"]) for each in row.failures),
        error_code=row.error_code,
        error_message=row.error_message,
    )
