"""A knowledge base made from a snapshot, with ids of its own.

It answers by words at once, and by meaning as its vectors are written; a restoring that was interrupted is finished by
whoever works on documents, as for a version that was made live again. It is not compared by the conflict radar, and has
no original files.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from sqlalchemy import Column, ColumnElement, delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import ColumnDefault

from knowledge.catalog import Catalog, base_row, one_name
from knowledge.chunk_rows import BATCH
from knowledge.claims import LEASE
from knowledge.database import Database, now
from knowledge.errors import Unavailable
from knowledge.models import DocumentStatus, KnowledgeBase
from knowledge.ports import VectorStore
from knowledge.slices import slices
from knowledge.snapshot_file import COLUMNS, TAKEN_BY, VECTORS, SnapshotDocument, SnapshotFile
from knowledge.synonyms import SynonymBook
from knowledge.tables import chunks, document_versions, documents, knowledge_bases, vectors
from knowledge.vector_ledger import confirm
from knowledge.vectors import collection_name

ROWS = 1_000  # vectors at a time


@dataclass(frozen=True, slots=True)
class Restored:
    """``waiting`` documents have vectors to be made. ``notes``: ``snapshot_other_model`` (its vectors are of no use
    here), ``snapshot_other_synonyms`` (this tenant has a list of its own, which holds)."""

    kb: KnowledgeBase
    waiting: tuple[str, ...]
    notes: tuple[str, ...]


class Restorer:
    """Restores them."""

    def __init__(self, database: Database, catalog: Catalog, store: VectorStore, synonyms: SynonymBook) -> None:
        self._database = database
        self._catalog = catalog
        self._store = store
        self._synonyms = synonyms

    async def restore(self, tenant: str, name: str, file: SnapshotFile, *, embedding_model: str) -> Restored:
        """A new knowledge base of what is in a file; none at all where that fails.

        Raises InvalidInput ``name_invalid``, Conflict ``knowledge_base_exists``, Unavailable.
        """
        row = base_row(tenant, name or file.manifest.name, embedding_model)
        owner = _Owner(tenant, row["id"], f"snapshot:{uuid4().hex[:12]}")
        ids = [uuid4().hex for _ in range(file.manifest.documents)]
        row |= {"epoch": file.manifest.epoch, **file.manifest.settings}
        with one_name(row["name"]):
            async with self._database.write() as connection:
                await connection.execute(insert(knowledge_bases).values(**row))
                await _insert(connection, owner, file, ids)
        kb = await self._catalog.knowledge_base(tenant, row["id"])
        try:
            same = file.manifest.embedding_model == embedding_model
            lacking = await self._write_vectors(kb, owner, file, ids) if same else set(ids)
            notes = [] if same else ["snapshot_other_model"]
            notes += await self._keep_synonyms(tenant, file)
            await self._finish(owner, lacking)
        except BaseException:
            await asyncio.shield(self._forget(kb))
            raise
        kb = replace(kb, documents=file.manifest.documents, chunks=file.manifest.chunks)
        return Restored(kb, tuple(lacking), tuple(notes))

    async def _write_vectors(self, kb: KnowledgeBase, owner: "_Owner", file: SnapshotFile, ids: list[str]) -> set[str]:
        """→ the documents that have a chunk without one."""
        lacking: set[str] = set() if VECTORS in file.manifest.members else set(ids)
        rows, renewed = file.chunks(), now()
        for page in file.vectors(ROWS):
            pieces = [_Piece.of(row, ids) for row in islice(rows, len(page))]
            has = np.any(page, axis=1)
            there = [piece for piece, has_one in zip(pieces, has, strict=True) if has_one]
            lacking |= {piece.document_id for piece, has_one in zip(pieces, has, strict=True) if not has_one}
            await self._intend(kb, there)
            await self._store.upsert(collection_name(kb), [piece.chunk_id for piece in there], page[has])
            async with self._database.write() as connection:
                for some in slices(there, BATCH):
                    written = {each.chunk_id: each.fingerprint for each in some}
                    await connection.run_sync(confirm, kb.embedding_model, written)
            if now() - renewed > LEASE / 3:
                renewed = now()
                await self._database.apply(update(documents).where(_held(owner)).values(lease_until=renewed + LEASE))
        return lacking

    async def _intend(self, kb: KnowledgeBase, pieces: Sequence["_Piece"]) -> None:
        """Noted before they are written, as every vector is."""
        made = {"model": kb.embedding_model, "tenant": kb.tenant, "kb_id": kb.id, "written": False}
        async with self._database.write() as connection:
            for some in slices(pieces, BATCH):
                again = vectors.c.chunk_id.in_([piece.chunk_id for piece in some])
                await connection.execute(delete(vectors).where(vectors.c.model == kb.embedding_model, again))
                await connection.execute(insert(vectors), [{**made, **piece._asdict()} for piece in some])

    async def _keep_synonyms(self, tenant: str, file: SnapshotFile) -> list[str]:
        """Where the tenant has none. The knowledge bases that it has found nothing by them so far, and would from now
        on: so only into a tenant that has no other knowledge base."""
        theirs, ours = file.synonyms, await self._synonyms.lines(tenant)
        if theirs == ours:
            return []
        alone = len(await self._catalog.named(tenant, None)) == 1
        if ours or not alone:
            return ["snapshot_other_synonyms"]
        await self._synonyms.write(tenant, theirs, by=TAKEN_BY)
        return []

    async def _finish(self, owner: "_Owner", lacking: set[str]) -> None:
        """Live is what has all its vectors; the rest waits for them."""
        freed = {"owner": None, "lease_until": None, "stage": None, "updated_at": now()}
        done = {**freed, "status": DocumentStatus.LIVE, "settles": False, "progress": 100}
        async with self._database.write() as connection:
            for some in slices(list(lacking), BATCH):
                waits = update(documents).where(_held(owner), documents.c.id.in_(some))
                await connection.execute(waits.values(**freed, status=DocumentStatus.RECEIVED))
            await connection.execute(update(documents).where(_held(owner)).values(**done))

    async def _forget(self, kb: KnowledgeBase) -> None:
        await self._catalog.delete_knowledge_base(kb.tenant, kb.id)
        with suppress(Unavailable):
            await self._store.drop(collection_name(kb))


class _Owner(NamedTuple):
    """Whose documents they are, and who works on them until they have their vectors."""

    tenant: str
    kb_id: str
    name: str


class _Piece(NamedTuple):
    """A chunk of the file as it is here."""

    chunk_id: str
    document_id: str
    fingerprint: str

    @classmethod
    def of(cls, row: Mapping[str, Any], ids: Sequence[str]) -> "_Piece":
        """Its id is new, as ids are of all knowledge bases; it begins as it did: equal scores are ordered by it."""
        document_id = ids[row["document"]]
        fresh = hashlib.blake2b(f"{document_id}{row['id']}".encode(), digest_size=12).hexdigest()
        return cls(f"{row['id'][:8]}{fresh}", document_id, row["fingerprint"])


async def _insert(connection: AsyncConnection, owner: _Owner, file: SnapshotFile, ids: Sequence[str]) -> None:
    """Documents and chunks, inside the transaction that makes the knowledge base."""
    rows = file.chunks()
    counts: Counter[str] = Counter()
    listed = [_row(owner, document, id_) for document, id_ in zip(file.documents(), ids, strict=True)]
    for some in slices(listed, BATCH):
        await connection.execute(insert(documents), some)
    while page := list(islice(rows, BATCH)):
        pieces = [_Piece.of(row, ids) for row in page]
        counts.update(piece.document_id for piece in pieces)
        await connection.execute(insert(chunks), [_chunk_row(owner, *each) for each in zip(pieces, page, strict=True)])
    for some in slices([_version(document, counts[document["id"]]) for document in listed], BATCH):
        await connection.execute(insert(document_versions), some)


def _row(owner: _Owner, document: SnapshotDocument, document_id: str) -> dict[str, Any]:
    """Held until it has its vectors; who is killed meanwhile leaves it to a worker, as one that ``settles``."""
    moment = now()
    held = {"status": DocumentStatus.PROCESSING, "owner": owner.name, "lease_until": moment + LEASE, "settles": True}
    made = {"id": document_id, "tenant": owner.tenant, "kb_id": owner.kb_id, "version": 1, "stage": "embedding"}
    times = {"created_at": moment, "updated_at": moment}
    return {**document.model_dump(), **made, **held, **times, "live_hash": document.content_hash}


def _version(row: Mapping[str, Any], count: int) -> dict[str, Any]:
    same = {name: row[name] for name in ("tenant", "content_hash", "title", "media_type", "size", "message")}
    made = {"document_id": row["id"], "number": 1, "chunks": count, "embedded": 0, "published_by": TAKEN_BY}
    return {**same, **made, "published_at": row["created_at"]}


def _chunk_row(owner: _Owner, piece: _Piece, row: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: _or_default(row.get(name), column) for name, column in COLUMNS.items()}
    whose = {"tenant": owner.tenant, "kb_id": owner.kb_id, "document_id": piece.document_id}
    return {**given, **whose, "id": piece.chunk_id}


def _or_default(value: Any, column: Column[Any]) -> Any:
    default = column.default if value is None else None
    return default.arg if isinstance(default, ColumnDefault) else value


def _held(owner: _Owner) -> ColumnElement[bool]:
    return (documents.c.kb_id == owner.kb_id) & (documents.c.owner == owner.name)
