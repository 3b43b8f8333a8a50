"""Which vectors are in the vector store: noted before they are written, confirmed after, forgotten when deleted.

So a run that was interrupted leaves no vector that nobody knows of, and the next one embeds only what is missing.
"""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update

from knowledge.claims import Claim, require_lease
from knowledge.database import Database
from knowledge.models import DocumentStatus
from knowledge.tables import chunks, documents, vectors
from knowledge.versions import BATCH, IndexedChunk


class VectorLedger:
    """The vectors of all documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def written(self, document_id: str) -> dict[str, str]:
        """chunk id → fingerprint of every vector of a document that is surely in the vector store."""
        query = select(vectors.c.chunk_id, vectors.c.fingerprint).where(
            vectors.c.document_id == document_id, vectors.c.written.is_(True)
        )
        async with self._database.read() as connection:
            return {row.chunk_id: row.fingerprint for row in await connection.execute(query)}

    async def intend(self, claim: Claim, pieces: Sequence[IndexedChunk]) -> None:
        """Record vectors that are about to be written. Raises LeaseLost."""
        rows = [
            {
                "chunk_id": piece.chunk.id,
                "tenant": claim.tenant,
                "kb_id": claim.kb_id,
                "document_id": claim.document_id,
                "fingerprint": piece.fingerprint,
                "written": False,
            }
            for piece in pieces
        ]
        async with self._database.write() as connection:
            await require_lease(connection, claim)
            await connection.execute(delete(vectors).where(vectors.c.chunk_id.in_([row["chunk_id"] for row in rows])))
            await connection.execute(insert(vectors), rows)

    async def confirm(self, claim: Claim, pieces: Sequence[IndexedChunk]) -> None:
        """The intended vectors are written."""
        ids = [piece.chunk.id for piece in pieces]
        async with self._database.write() as connection:
            await require_lease(connection, claim)
            await connection.execute(update(vectors).where(vectors.c.chunk_id.in_(ids)).values(written=True))

    async def orphans(self, *, document_id: str | None = None) -> list[tuple[str, str]]:
        """(kb id, chunk id) of recorded vectors that no live chunk needs and no run is about to need."""
        query = (
            select(vectors.c.kb_id, vectors.c.chunk_id)
            .join(documents, documents.c.id == vectors.c.document_id)
            .outerjoin(chunks, chunks.c.id == vectors.c.chunk_id)
            .where(chunks.c.id.is_(None))
            .where(documents.c.status.not_in([DocumentStatus.RECEIVED, DocumentStatus.PROCESSING]))
        )
        if document_id is not None:
            query = query.where(vectors.c.document_id == document_id)
        async with self._database.read() as connection:
            return [(row.kb_id, row.chunk_id) for row in await connection.execute(query)]

    async def forget(self, chunk_ids: Sequence[str]) -> None:
        """The orphans' vectors are deleted."""
        async with self._database.write() as connection:
            for start in range(0, len(chunk_ids), BATCH):
                batch = chunk_ids[start : start + BATCH]
                await connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(batch)))
