"""Which vectors are in the vector store, by chunk and model: noted before they are written, confirmed after, forgotten
when deleted.

So a run that was interrupted leaves no vector that nobody knows of, and the next one embeds only what is missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, tuple_, update

from knowledge.claims import Claim, still_held
from knowledge.database import Database
from knowledge.models import DocumentStatus
from knowledge.tables import chunks, documents, knowledge_bases, vectors
from knowledge.versions import BATCH, IndexedChunk

Wanted: TypeAlias = tuple[Claim, Sequence[IndexedChunk]]  # chunks of a document that are to have vectors


class Known(NamedTuple):
    """A recorded vector; ``written``: it is surely in its collection."""

    chunk_id: str
    model: str
    fingerprint: str
    written: bool


class Orphan(NamedTuple):
    """A recorded vector that nothing needs."""

    kb_id: str
    chunk_id: str
    model: str


_KNOWN = select(*(vectors.c[name] for name in Known._fields)).where(vectors.c.document_id == bindparam("document_id"))
_OF_MODEL = vectors.c.chunk_id.in_(bindparam("ids", expanding=True)) & (vectors.c.model == bindparam("shelf"))
_FORGET = delete(vectors).where(_OF_MODEL)
_NOTE = insert(vectors)
_CONFIRM = (
    update(vectors)
    .where(_OF_MODEL, tuple_(vectors.c.chunk_id, vectors.c.fingerprint).in_(bindparam("pairs", expanding=True)))
    .values(written=True)
)


class VectorLedger:
    """The vectors of all documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, document_id: str) -> list[Known]:
        """Every vector of a document that is, or may be, in a collection."""
        rows = await self._database.all_rows(_KNOWN, {"document_id": document_id})
        return [Known._make(row) for row in rows]

    async def intend(self, kb_id: str, model: str, wanted: Sequence[Wanted]) -> list[Wanted]:
        """Record vectors of a knowledge base that are about to be written; → without those whose lease is lost."""

        def change(connection: Connection) -> list[Wanted]:
            held = still_held(connection, [claim for claim, _ in wanted])
            still = [(claim, pieces) for claim, pieces in wanted if claim in held]
            rows = [_row(claim, model, piece) for claim, pieces in still for piece in pieces]
            if rows:
                connection.execute(_FORGET, {"ids": [row["chunk_id"] for row in rows], "shelf": model})
                connection.execute(_NOTE, rows)
            return still

        return await self._database.change(change, of=kb_id)

    async def confirm(self, kb_id: str, model: str, wanted: Sequence[Wanted]) -> None:
        """The intended vectors are written. One that somebody else has intended meanwhile is not confirmed."""

        def change(connection: Connection) -> None:
            held = still_held(connection, [claim for claim, _ in wanted])
            still = [piece for claim, pieces in wanted if claim in held for piece in pieces]
            if still:
                confirm(connection, model, {piece.chunk.id: piece.fingerprint for piece in still})

        await self._database.change(change, of=kb_id)

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
                some = list(chunk_ids[start : start + BATCH])
                await connection.execute(_FORGET, {"ids": some, "shelf": shelf})


def confirm(connection: Connection, model: str, fingerprints: Mapping[str, str]) -> int:
    """Mark intended vectors (chunk id → fingerprint) as written; → how many were still as intended."""
    values = {"ids": list(fingerprints), "shelf": model, "pairs": list(fingerprints.items())}
    return connection.execute(_CONFIRM, values).rowcount


def _row(claim: Claim, model: str, piece: IndexedChunk) -> dict[str, Any]:
    return {
        "chunk_id": piece.chunk.id,
        "model": model,
        "tenant": claim.tenant,
        "kb_id": claim.kb_id,
        "document_id": claim.document_id,
        "fingerprint": piece.fingerprint,
        "written": False,
    }
