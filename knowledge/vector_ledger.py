"""Which vectors are in the vector store, by chunk and model: noted before they are written, confirmed after, forgotten
when deleted.

So a run that was interrupted leaves no vector that nobody knows of, and the next one embeds only what is missing.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import and_, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.claims import Claim, require_lease
from knowledge.database import Database
from knowledge.models import DocumentStatus
from knowledge.tables import chunks, documents, knowledge_bases, vectors
from knowledge.versions import BATCH, IndexedChunk


class Orphan(NamedTuple):
    """A recorded vector that nothing needs."""

    kb_id: str
    chunk_id: str
    model: str


class VectorLedger:
    """The vectors of all documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def written(self, document_id: str, model: str) -> dict[str, str]:
        """chunk id → fingerprint of every vector of a document that is surely in the model's collection."""
        mine = (vectors.c.document_id == document_id) & (vectors.c.model == model)
        query = select(vectors.c.chunk_id, vectors.c.fingerprint).where(mine, vectors.c.written.is_(True))
        async with self._database.read() as connection:
            return {row.chunk_id: row.fingerprint for row in await connection.execute(query)}

    async def intend(self, claim: Claim, model: str, pieces: Sequence[IndexedChunk]) -> None:
        """Record vectors that are about to be written. Raises LeaseLost."""
        rows = [
            {
                "chunk_id": piece.chunk.id,
                "model": model,
                "tenant": claim.tenant,
                "kb_id": claim.kb_id,
                "document_id": claim.document_id,
                "fingerprint": piece.fingerprint,
                "written": False,
            }
            for piece in pieces
        ]
        async with self._database.write(claim.kb_id) as connection:
            await require_lease(connection, claim)
            mine = vectors.c.chunk_id.in_([row["chunk_id"] for row in rows]) & (vectors.c.model == model)
            await connection.execute(delete(vectors).where(mine))
            await connection.execute(insert(vectors), rows)

    async def confirm(self, claim: Claim, model: str, pieces: Sequence[IndexedChunk]) -> None:
        """The intended vectors are written. One that somebody else has intended meanwhile is not confirmed."""
        async with self._database.write(claim.kb_id) as connection:
            await require_lease(connection, claim)
            await confirm(connection, model, {piece.chunk.id: piece.fingerprint for piece in pieces})

    async def orphans(self, *, document_id: str | None = None) -> list[Orphan]:
        """Recorded vectors that no live chunk needs and no run is about to need."""
        query = (
            select(vectors.c.kb_id, vectors.c.chunk_id, vectors.c.model)
            .join(documents, documents.c.id == vectors.c.document_id)
            .outerjoin(chunks, chunks.c.id == vectors.c.chunk_id)
            .where(chunks.c.id.is_(None))
            .where(documents.c.status.not_in([DocumentStatus.RECEIVED, DocumentStatus.PROCESSING]))
        )
        if document_id is not None:
            query = query.where(vectors.c.document_id == document_id)
        async with self._database.read() as connection:
            return [Orphan(row.kb_id, row.chunk_id, row.model) for row in await connection.execute(query)]

    async def forget(self, kb_id: str, shelf: str, chunk_ids: Sequence[str]) -> None:
        """The orphans' vectors are deleted; the shelf wears by them."""
        stands = and_(knowledge_bases.c.id == kb_id, knowledge_bases.c.embedding_model == shelf)
        wear = update(knowledge_bases).where(stands).values(dead=knowledge_bases.c.dead + len(chunk_ids))
        async with self._database.write(of=None) as connection:
            await connection.execute(wear)  # first: whoever gives a shelf up takes the rows in this order, too
            for start in range(0, len(chunk_ids), BATCH):
                mine = vectors.c.chunk_id.in_(chunk_ids[start : start + BATCH]) & (vectors.c.model == shelf)
                await connection.execute(delete(vectors).where(mine))


async def confirm(connection: AsyncConnection, model: str, fingerprints: Mapping[str, str]) -> int:
    """Mark intended vectors (chunk id → fingerprint) as written; → how many were still as intended."""
    pairs = tuple_(vectors.c.chunk_id, vectors.c.fingerprint).in_(list(fingerprints.items()))
    mine = vectors.c.chunk_id.in_(list(fingerprints)) & (vectors.c.model == model) & pairs
    return (await connection.execute(update(vectors).where(mine).values(written=True))).rowcount
