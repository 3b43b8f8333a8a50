"""The SQL truth of what is known now: knowledge bases, their documents and live chunks, and their epochs."""

import re
from collections.abc import AsyncIterator, Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from knowledge.chunking import Chunking
from knowledge.conflict_tables import conflicts, fact_handles, facts
from knowledge.database import Database, Moment, now
from knowledge.errors import Conflict, InvalidInput, NotFound
from knowledge.models import Chunk, Document, DocumentStatus, KnowledgeBase, Place
from knowledge.tables import (
    chunk_removals,
    chunks,
    document_versions,
    documents,
    knowledge_bases,
    past_chunks,
    retired_collections,
    tenants,
    vectors,
)
from knowledge.validity import Window
from knowledge.weights import Tuning

CHANGES = 20_000  # chunks that a replica takes in at a time: some 30 MB of text
_LAST_ID = "~"  # sorts after every id
MOST_IDS = 20_000  # a statement; SQLite allows 32,766 variables
NAME = re.compile(r"[\w][\w .·()（）&-]{0,118}", re.UNICODE)


def _last_passed(bound: ColumnElement[Any]) -> ColumnElement[Any]:
    """The last of a knowledge base's windows that began or ended; an index has it."""
    here = documents.c.kb_id == knowledge_bases.c.id
    return select(func.max(bound)).where(here, bound <= bindparam("moment", type_=Moment)).scalar_subquery()


# Every question asks this; building the statement anew was a seventh of an answer's processor time.
_BASES = (
    select(
        knowledge_bases,
        _last_passed(documents.c.valid_from).label("began"),
        _last_passed(documents.c.valid_until).label("ended"),
    )
    .where(knowledge_bases.c.tenant == bindparam("tenant"))
    .order_by(knowledge_bases.c.created_at)
)
_NEXT_EPOCH = (
    update(knowledge_bases)
    .where(knowledge_bases.c.id == bindparam("of_id"))
    .values(epoch=knowledge_bases.c.epoch + 1)
    .returning(knowledge_bases.c.epoch)
)
_FOUND = (
    *(chunks.c.id, chunks.c.kb_id, documents.c.name),
    *(chunks.c.document_id, chunks.c.ordinal, chunks.c.text),
    *(chunks.c.heading, chunks.c.page, chunks.c.sheet, chunks.c.row),
)
_LIVE = (
    select(*_FOUND)
    .join(documents, documents.c.id == chunks.c.document_id)
    .where(chunks.c.id.in_(bindparam("ids", expanding=True)))  # by nothing else: SQLite would take a kb's whole index
    .where(or_(documents.c.valid_from.is_(None), documents.c.valid_from <= bindparam("moment", type_=Moment)))
    .where(or_(documents.c.valid_until.is_(None), documents.c.valid_until > bindparam("moment", type_=Moment)))
)


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A live chunk with the document it belongs to."""

    chunk: Chunk
    document: str
    kb_id: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a replica at an older epoch must do to stand at ``epoch``: forget ``removed``, then (re)write ``added``.

    ``added`` is (chunk id, text to index, heading to index). Many changes come in several pages, of which only the last
    brings the replica to a new epoch.
    """

    epoch: int
    added: tuple[tuple[str, str, str], ...]
    removed: tuple[str, ...]


class RemovalsForgotten(Exception):
    """A replica stands at an epoch that it cannot catch up from any more; it has to be made anew."""


class Catalog:
    """Reads and names. Publishing new versions is :class:`knowledge.versions.Versions`."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    async def ensure_tenant(self, tenant: str, name: str) -> None:
        async with self._database.write() as connection:
            if (await connection.execute(select(tenants.c.id).where(tenants.c.id == tenant))).first() is None:
                await connection.execute(insert(tenants).values(id=tenant, name=name, created_at=now()))

    # knowledge bases

    async def create_knowledge_base(self, tenant: str, name: str, *, embedding_model: str) -> KnowledgeBase:
        """Raises InvalidInput ``name_invalid`` or Conflict ``knowledge_base_exists``."""
        row = base_row(tenant, name, embedding_model)
        with one_name(row["name"]):
            async with self._database.write() as connection:
                await connection.execute(insert(knowledge_bases).values(**row))
        return await self.knowledge_base(tenant, row["name"])

    async def knowledge_bases(self, tenant: str) -> list[KnowledgeBase]:
        async with self._database.read() as connection:
            return [_knowledge_base(row) for row in await connection.execute(_counted(tenant))]

    async def knowledge_base(self, tenant: str, name_or_id: str) -> KnowledgeBase:
        """Raises NotFound ``knowledge_base_not_found``."""
        return (await self.named(tenant, [name_or_id]))[0]

    async def counted(self, tenant: str, name_or_id: str) -> KnowledgeBase:
        """With its counts. Raises NotFound ``knowledge_base_not_found``."""
        wanted = await self.knowledge_base(tenant, name_or_id)
        return next((kb for kb in await self.knowledge_bases(tenant) if kb.id == wanted.id), wanted)

    async def named(self, tenant: str, names: Sequence[str] | None) -> list[KnowledgeBase]:
        """The knowledge bases of these names (or ids), in this order; all of the tenant's when ``names`` is None.

        Without the counts, because every question asks this.
        """
        values = {"tenant": tenant, "moment": self._clock()}
        found = [_knowledge_base(row, _switched(row)) for row in await self._database.rows(_BASES, values)]
        if names is None:
            return found
        by_name = {kb.id: kb for kb in found} | {kb.name: kb for kb in found}
        for name in names:
            if name not in by_name:
                raise NotFound(f"There is no knowledge base “{name}”.", code="knowledge_base_not_found", name=name)
        return [by_name[name] for name in dict.fromkeys(names)]

    async def every(self, name: str | None = None) -> list[KnowledgeBase]:
        """Knowledge bases of all tenants, or those that have a name."""
        query = select(knowledge_bases).order_by(knowledge_bases.c.created_at)
        async with self._database.read() as connection:
            rows = await connection.execute(query if name is None else query.filter_by(name=name))
            return [_knowledge_base(row) for row in rows]

    async def by_ids(self, ids: Collection[str]) -> list[KnowledgeBase]:
        """Knowledge bases of any tenant, for work that is not done for somebody."""
        query = select(knowledge_bases).where(knowledge_bases.c.id.in_(ids))
        async with self._database.read() as connection:
            return [_knowledge_base(row) for row in await connection.execute(query)]

    async def shelves(self, kb: KnowledgeBase) -> set[str]:
        """Every one that may have vectors of it."""
        query = select(retired_collections.c.model).where(retired_collections.c.kb_id == kb.id)
        async with self._database.read() as connection:
            left = (await connection.execute(query)).scalars()
            return {kb.shelf, *left, *([kb.next_shelf] if kb.next_shelf else [])}

    async def delete_knowledge_base(self, tenant: str, name: str) -> KnowledgeBase:
        """Forget it with everything in it. Its collection and lexical replica are the caller's to drop."""
        kb = await self.knowledge_base(tenant, name)
        async with self._database.write(kb.id) as connection:
            of_kb = select(documents.c.id).where(documents.c.kb_id == kb.id)
            await connection.execute(delete(document_versions).where(document_versions.c.document_id.in_(of_kb)))
            for table in (
                *(conflicts, fact_handles, facts, past_chunks),
                *(vectors, retired_collections, chunk_removals, chunks, documents),
            ):
                await connection.execute(delete(table).where(table.c.kb_id == kb.id))
            await connection.execute(delete(knowledge_bases).where(knowledge_bases.c.id == kb.id))
        return kb

    # documents

    async def document(self, tenant: str, document_id: str) -> Document:
        """Raises NotFound ``document_not_found``."""
        found = await self._database.rows(_DOCUMENT, {"of_tenant": tenant, "of_id": document_id})
        if not found:
            raise NotFound("There is no such document.", code="document_not_found")
        return document_of(found[0], self._clock())

    async def documents(
        self,
        kb: KnowledgeBase,
        *,
        statuses: Sequence[DocumentStatus] = (),
        contains: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Document], int]:
        """A page of documents, newest change first, and how many there are in all. Deleted ones only if asked for."""
        wanted = list(statuses) or [status for status in DocumentStatus if status is not DocumentStatus.DELETED]
        where = and_(documents.c.kb_id == kb.id, documents.c.status.in_(wanted))
        if contains:
            where = and_(where, documents.c.name.icontains(contains, autoescape=True))
        page = documents_query().where(where).order_by(documents.c.updated_at.desc(), documents.c.name)
        async with self._database.read() as connection:
            rows = (await connection.execute(page.limit(limit).offset(offset))).all()
            total = (await connection.execute(select(func.count()).select_from(documents).where(where))).scalar_one()
        moment = self._clock()
        return [document_of(row, moment) for row in rows], total

    async def documents_below(self, kb: KnowledgeBase, folder: str) -> list[Document]:
        """The documents whose names begin with ``folder``, which ends in ``/``."""
        below = and_(documents.c.kb_id == kb.id, func.substr(documents.c.name, 1, len(folder)) == folder)
        query = documents_query().where(below, documents.c.status != DocumentStatus.DELETED)
        async with self._database.read() as connection:
            return [document_of(row, self._clock()) for row in await connection.execute(query)]

    # chunks

    async def live(self, kb_ids: Sequence[str], chunk_ids: Sequence[str]) -> dict[str, FoundChunk]:
        """Those of the chunks that are live in these knowledge bases now. What is missing is not valid any more."""
        found = {}
        for start in range(0, len(chunk_ids), MOST_IDS):
            some = list(chunk_ids[start : start + MOST_IDS])
            values = {"ids": some, "moment": self._clock()}
            # By position: looking names up in a hundred rows takes three times as long as reading them.
            for row in await self._database.rows(_LIVE, values):
                id_, kb_id, name, document_id, ordinal, text, *place = tuple(row)
                if kb_id in kb_ids:
                    found[id_] = FoundChunk(Chunk(id_, document_id, ordinal, text, Place(*place)), name, kb_id)
        return found

    async def live_ids(self, kb_id: str) -> set[str]:
        async with self._database.read() as connection:
            return set((await connection.execute(select(chunks.c.id).where(chunks.c.kb_id == kb_id))).scalars())

    async def changes(self, kb_id: str, *, since: int, page: int = CHANGES) -> AsyncIterator[Changes]:
        """What happened to the chunks of a knowledge base after an epoch; at least one page, of ``page`` chunks each.

        What is published while the pages are read may be in them, and is a change after the last page's epoch, too.
        Raises RemovalsForgotten.
        """
        gone = select(chunk_removals.c.chunk_id).where(chunk_removals.c.kb_id == kb_id, chunk_removals.c.epoch > since)
        async with self._database.read() as connection:
            epoch = await connection.run_sync(_epoch, kb_id)
            if since and since < await connection.run_sync(_removals_after, kb_id):
                raise RemovalsForgotten(kb_id)
            removed = tuple((await connection.execute(gone)).scalars()) if since else ()
        after: tuple[int, str] = (since, _LAST_ID)
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(_newer(kb_id, after, page))).all()
            added = tuple((row.id, row.indexed, row.indexed_heading) for row in rows)
            last = len(rows) < page
            yield Changes(epoch=epoch if last else since, added=added, removed=removed)
            if last:
                return
            removed, after = (), (rows[-1].epoch, rows[-1].id)


def base_row(tenant: str, name: str, embedding_model: str) -> dict[str, Any]:
    """A new knowledge base as it is written. Raises InvalidInput ``name_invalid``."""
    name = name.strip()
    if not NAME.fullmatch(name):
        raise InvalidInput(
            "A knowledge base name has 1 to 119 letters, digits, spaces or . - _ ( ) & and starts with a letter "
            "or digit.",
            code="name_invalid",
        )
    made = {"id": uuid4().hex, "tenant": tenant, "name": name, "embedding_model": embedding_model}
    return {**made, "epoch": 0, "created_at": now()}


@contextmanager
def one_name(name: str) -> Generator[None]:
    """Around the transaction that writes a new one. Raises Conflict ``knowledge_base_exists``."""
    try:
        yield
    except IntegrityError as exc:
        raise Conflict(f"There is a knowledge base “{name}” already.", code="knowledge_base_exists", name=name) from exc


def _newer(kb_id: str, after: tuple[int, str], limit: int) -> Any:  # the select's type says nothing
    """The next chunks after (epoch, id), in this order."""
    epoch, chunk_id = after
    return (
        select(chunks.c.id, chunks.c.indexed, chunks.c.indexed_heading, chunks.c.epoch)
        .where(
            chunks.c.kb_id == kb_id,
            chunks.c.epoch >= epoch,
            or_(chunks.c.epoch > epoch, chunks.c.id > chunk_id),
        )
        .order_by(chunks.c.epoch, chunks.c.id)
        .limit(limit)
    )


def _epoch(connection: Connection, kb_id: str) -> int:
    query = select(knowledge_bases.c.epoch).where(knowledge_bases.c.id == kb_id)
    return connection.execute(query).scalar_one_or_none() or 0


def _removals_after(connection: Connection, kb_id: str) -> int:
    query = select(knowledge_bases.c.removals_after).where(knowledge_bases.c.id == kb_id)
    return connection.execute(query).scalar_one_or_none() or 0


def next_epoch(connection: Connection, kb_id: str) -> int:
    """Count a change of a knowledge base, inside the transaction that makes it."""
    return connection.execute(_NEXT_EPOCH, {"of_id": kb_id}).scalar_one_or_none() or 0


def _counted(tenant: str) -> Any:  # the select's type has nine parameters and says nothing
    live = select(func.count()).where(
        documents.c.kb_id == knowledge_bases.c.id, documents.c.status != DocumentStatus.DELETED
    )
    pieces = select(func.count()).where(chunks.c.kb_id == knowledge_bases.c.id)
    mine = and_(vectors.c.kb_id == knowledge_bases.c.id, vectors.c.model == knowledge_bases.c.next_model)
    moved = select(func.count()).where(mine, vectors.c.written.is_(True))
    return (
        select(
            knowledge_bases,
            live.scalar_subquery().label("document_count"),
            pieces.scalar_subquery().label("chunk_count"),
            moved.scalar_subquery().label("moved_count"),
        )
        .where(knowledge_bases.c.tenant == tenant)
        .order_by(knowledge_bases.c.created_at)
    )


def documents_query() -> Any:  # as above
    """Rows for :func:`document_of`."""
    pieces = select(func.count()).where(chunks.c.document_id == documents.c.id).scalar_subquery()
    return select(documents, pieces.label("chunk_count"))


_DOCUMENT = documents_query().where(documents.c.tenant == bindparam("of_tenant"), documents.c.id == bindparam("of_id"))


def _switched(row: Row[Any]) -> int:
    passed = [moment for moment in (row.began, row.ended) if moment is not None]
    return round(max(passed).timestamp() * 1_000_000) if passed else 0


def _knowledge_base(row: Row[Any], switched: int = 0) -> KnowledgeBase:
    return KnowledgeBase(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        shelf=row.embedding_model,
        epoch=row.epoch,
        created_at=row.created_at,
        documents=getattr(row, "document_count", 0),
        chunks=getattr(row, "chunk_count", 0),
        switched=switched,
        next_shelf=row.next_model,
        moved=getattr(row, "moved_count", 0),
        tuning=Tuning.from_json(row.tuning) if row.tuning else None,
        chunking=Chunking.of(row.chunking),
    )


def document_of(row: Row[Any], moment: datetime) -> Document:
    """A row as a value; ``moment`` says whether it is valid."""
    window = Window(row.valid_from, row.valid_until)
    return Document(
        id=row.id,
        tenant=row.tenant,
        kb_id=row.kb_id,
        name=row.name,
        status=DocumentStatus(row.status),
        content_hash=row.content_hash,
        size=row.size,
        live_hash=row.live_hash,
        version=row.version,
        media_type=row.media_type,
        chunks=row.chunk_count,
        stage=row.stage,
        progress=row.progress,
        parts_done=row.parts_done or 0,
        parts=row.parts or 0,
        reason=row.reason,
        message=row.message,
        created_at=row.created_at,
        updated_at=row.updated_at,
        window=window,
        validity=window.at(moment),
    )


def chunk_of(row: Row[Any]) -> Chunk:
    place = Place(heading=row.heading, page=row.page, sheet=row.sheet, row=row.row)
    return Chunk(id=row.id, document_id=row.document_id, ordinal=row.ordinal, text=row.text, place=place)
