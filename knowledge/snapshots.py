"""Snapshots of knowledge bases: what is live, written into one file that others can be made from."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import Row, Select, and_, or_, select

from knowledge.catalog import Catalog
from knowledge.database import Database, now
from knowledge.errors import Conflict
from knowledge.models import DocumentStatus, KnowledgeBase
from knowledge.ports import VectorStore
from knowledge.snapshot_file import (
    CHUNKS,
    COLUMNS,
    DOCUMENTS,
    SETTINGS,
    SYNONYMS,
    TAKEN_BY,
    VECTORS,
    SnapshotDocument,
    line_of,
    write,
)
from knowledge.synonyms import SynonymBook
from knowledge.tables import chunks, documents, knowledge_bases
from knowledge.vectors import collection_name

TRIES = 3  # at a knowledge base that stays the same while it is written
ROWS = 1_000  # chunks at a time


class Snapshots:
    """Takes them."""

    def __init__(self, database: Database, catalog: Catalog, store: VectorStore, synonyms: SynonymBook) -> None:
        self._database = database
        self._catalog = catalog
        self._store = store
        self._synonyms = synonyms

    async def take(self, tenant: str, kb: str, out: Path, *, with_vectors: bool = True) -> KnowledgeBase:
        """Write what is live to a file; → the knowledge base as it is in there. Raises Conflict ``snapshot_busy``."""
        for _ in range(TRIES):
            with TemporaryDirectory(dir=out.parent, prefix=".snapshot-") as name:
                before = await self._catalog.knowledge_base(tenant, kb)
                facts = await self._written(before, Path(name), with_vectors=with_vectors)
                if (await self._catalog.knowledge_base(tenant, before.id)).epoch == before.epoch:
                    await asyncio.to_thread(write, out, Path(name), facts)
                    return before
        raise Conflict("This knowledge base keeps changing. Try again in a moment.", code="snapshot_busy")

    async def _written(self, kb: KnowledgeBase, folder: Path, *, with_vectors: bool) -> dict[str, Any]:
        """The members of a snapshot as files; → what its manifest says of them."""
        rows = await self._documents(kb)
        lines = [line_of(_document(row).model_dump()) for row in rows]
        await asyncio.to_thread((folder / DOCUMENTS).write_bytes, b"".join(lines))
        lists = (await self._synonyms.lines(kb.tenant)).encode()
        await asyncio.to_thread((folder / SYNONYMS).write_bytes, lists)
        count, wide = await self._chunks(kb, rows, folder, with_vectors=with_vectors)
        told = {"name": kb.name, "epoch": kb.epoch, "embedding_model": kb.embedding_model, "dimensions": wide}
        counts = {"documents": len(rows), "chunks": count, "settings": await self._settings(kb)}
        return {**told, **counts, "taken_at": now(), "taken_by": TAKEN_BY}

    async def _documents(self, kb: KnowledgeBase) -> Sequence[Row[Any]]:
        live = documents.c.live_hash.is_not(None)
        query = select(documents).where(documents.c.kb_id == kb.id, live).order_by(documents.c.name)
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()

    async def _settings(self, kb: KnowledgeBase) -> dict[str, Any]:
        if not SETTINGS:
            return {}
        query = select(*SETTINGS.values()).where(knowledge_bases.c.id == kb.id)
        async with self._database.read() as connection:
            return dict((await connection.execute(query)).mappings().one())

    async def _chunks(
        self, kb: KnowledgeBase, rows: Sequence[Row[Any]], folder: Path, *, with_vectors: bool
    ) -> tuple[int, int]:
        """→ how many there are, and how wide their vectors."""
        count = wide = 0
        with (folder / CHUNKS).open("wb") as lines, (folder / VECTORS).open("wb") as stored:
            async for page in self._pages(kb, {row.id: at for at, row in enumerate(rows)}):
                lines.writelines(map(line_of, page))
                count += len(page)
                if with_vectors:
                    found = await self._store.get(collection_name(kb), [row["id"] for row in page])
                    wide = wide or next((len(vector) for vector in found.values()), 0)
                    nothing = np.zeros(wide, np.float32)
                    stored.write(b"".join(found.get(row["id"], nothing).astype("<f4").tobytes() for row in page))
        if not (with_vectors and (folder / VECTORS).stat().st_size == 4 * wide * count > 0):
            (folder / VECTORS).unlink()
        return count, wide

    async def _pages(self, kb: KnowledgeBase, numbers: Mapping[str, int]) -> AsyncIterator[list[dict[str, Any]]]:
        """In the order in which they were published: of what scores the same, it decides."""
        after: tuple[int, int, str] = (0, 0, "")
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(_later(kb, after))).all()
            if not rows:
                return
            after = (rows[-1].epoch, rows[-1].ordinal, rows[-1].id)
            known = [row for row in rows if row.document_id in numbers]
            yield [{"id": row.id, "document": numbers[row.document_id], **_columns(row)} for row in known]


def _later(kb: KnowledgeBase, after: tuple[int, int, str]) -> Select[Any]:
    epoch, ordinal, chunk_id = after
    in_epoch = or_(chunks.c.ordinal > ordinal, and_(chunks.c.ordinal == ordinal, chunks.c.id > chunk_id))
    return (
        select(chunks)
        .where(chunks.c.kb_id == kb.id, chunks.c.epoch >= epoch, or_(chunks.c.epoch > epoch, in_epoch))
        .order_by(chunks.c.epoch, chunks.c.ordinal, chunks.c.id)
        .limit(ROWS)
    )


def _columns(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def _document(row: Row[Any]) -> SnapshotDocument:
    """What is live: a newer version may be on its way, or have failed, and ``content_hash`` and ``message`` be its."""
    message = row.message if row.status == DocumentStatus.LIVE else None
    fields = {name: getattr(row, name) for name in SnapshotDocument.model_fields}
    return SnapshotDocument(**{**fields, "content_hash": row.live_hash, "message": message})
