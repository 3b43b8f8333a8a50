"""How a document becomes known: received → claimed → published, each step one transaction.

Publishing checks that the claim's lease still holds and that the bytes are still the newest; otherwise nothing changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.catalog import next_epoch
from knowledge.claims import LEASE, Claim, LeaseLost, held, require_lease
from knowledge.database import Database, now
from knowledge.models import Chunk, Document, DocumentStatus, KnowledgeBase
from knowledge.tables import chunk_removals, chunks, document_versions, documents

MAX_ATTEMPTS = 5  # a document that kills its worker this often is given up, with a reason
BATCH = 500  # rows a statement; SQLite allows 32,766 variables


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with what is embedded and indexed for it, and a fingerprint of that."""

    chunk: Chunk
    indexed: str
    heading: str
    fingerprint: str


class Versions:
    """The writing side of the catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def receive(self, kb: KnowledgeBase, name: str, *, content_hash: str, size: int) -> tuple[str, bool]:
        """Note new bytes for a document; → (document id, whether there is anything to do).

        The same bytes as the live version, or as the run under way, are nothing to do. Failed ones are tried again.
        """
        async with self._database.write() as connection:
            query = select(documents).where(documents.c.kb_id == kb.id, documents.c.name == name)
            known = (await connection.execute(query)).first()
            if known is not None and _nothing_to_do(known, content_hash):
                return known.id, False
            fresh = {
                "status": DocumentStatus.RECEIVED,
                "content_hash": content_hash,
                "size": size,
                "stage": None,
                "progress": 0,
                "reason": None,
                "message": None,
                "owner": None,
                "lease_until": None,
                "attempts": 0,
                "updated_at": now(),
            }
            if known is not None:
                await connection.execute(update(documents).where(documents.c.id == known.id).values(**fresh))
                return known.id, True
            document_id = uuid4().hex
            row = {"id": document_id, "tenant": kb.tenant, "kb_id": kb.id, "name": name, "created_at": now()}
            await connection.execute(insert(documents).values(**row, **fresh))
            return document_id, True

    async def reopen(self, document: Document) -> None:
        """Have the bytes last received processed once more, whatever came of them."""
        values = {"status": DocumentStatus.RECEIVED, "reason": None, "message": None, "attempts": 0, "progress": 0}
        mine = (documents.c.id == document.id) & (documents.c.status != DocumentStatus.DELETED)
        async with self._database.write() as connection:
            await connection.execute(update(documents).where(mine).values(**values, owner=None, updated_at=now()))

    async def take_over(self, document_id: str) -> None:
        """End a dead run's lease at once. Only for who knows that nobody else works on this data folder."""
        dead = (documents.c.id == document_id) & (documents.c.status == DocumentStatus.PROCESSING)
        async with self._database.write() as connection:
            await connection.execute(update(documents).where(dead).values(lease_until=now() - LEASE))

    async def claim(self, document_id: str, owner: str) -> Claim | None:
        """Take a received or abandoned document; None when there is nothing left to do."""
        free = or_(
            documents.c.status == DocumentStatus.RECEIVED,
            and_(documents.c.status == DocumentStatus.PROCESSING, documents.c.lease_until < now()),
        )
        values = {
            "status": DocumentStatus.PROCESSING,
            "owner": owner,
            "lease_until": now() + LEASE,
            "attempts": documents.c.attempts + 1,
            "stage": "loading",
            "progress": 0,
            "updated_at": now(),
        }
        taken = update(documents).where(documents.c.id == document_id, free).values(**values).returning(documents)
        async with self._database.write() as connection:
            row = (await connection.execute(taken)).first()
            if row is None:
                return None
            if row.attempts > MAX_ATTEMPTS:
                message = f"Processing this document ended {MAX_ATTEMPTS} times without a result; it was given up."
                await connection.execute(
                    update(documents).where(documents.c.id == document_id).values(**_failure("corrupt", message))
                )
                return None
        return Claim(row.id, row.tenant, row.kb_id, row.name, row.content_hash, owner)

    async def progress(self, claim: Claim, stage: str, percent: int) -> None:
        """Report and renew the lease. Raises LeaseLost."""
        values = {"stage": stage, "progress": percent, "lease_until": now() + LEASE, "updated_at": now()}
        async with self._database.write() as connection:
            done = await connection.execute(update(documents).where(held(claim)).values(**values))
        if done.rowcount != 1:
            raise LeaseLost(claim.document_id)

    async def fail(self, claim: Claim, reason: str, message: str) -> None:
        """End this run with a typed reason. A version that was live stays live."""
        async with self._database.write() as connection:
            await connection.execute(update(documents).where(held(claim)).values(**_failure(reason, message)))

    async def release(self, claim: Claim) -> None:
        """Give the document back unharmed (a part we need is down); it will be claimed again."""
        values = {"status": DocumentStatus.RECEIVED, "owner": None, "lease_until": None, "updated_at": now()}
        async with self._database.write() as connection:
            await connection.execute(
                update(documents).where(held(claim)).values(**values, attempts=documents.c.attempts - 1)
            )

    async def status(self, document_id: str) -> DocumentStatus | None:
        """Where a document stands; None when there is none."""
        async with self._database.read() as connection:
            found = await connection.execute(select(documents.c.status).where(documents.c.id == document_id))
            status = found.scalar()
        return None if status is None else DocumentStatus(status)

    async def give_up(self, document_id: str) -> None:
        """End the run that is wanted or under way: somebody cancelled it. A version that was live stays live."""
        wanted = documents.c.status.in_((DocumentStatus.RECEIVED, DocumentStatus.PROCESSING))
        message = "Taking this document in was cancelled. Process it again when you want it."
        async with self._database.write() as connection:
            await connection.execute(
                update(documents).where(documents.c.id == document_id, wanted).values(**_failure("cancelled", message))
            )

    async def waiting(self, *, idle: timedelta) -> list[tuple[str, str]]:
        """(tenant, id) of documents nobody works on although somebody should: received long ago, or a lease run out."""
        stale = or_(
            and_(documents.c.status == DocumentStatus.RECEIVED, documents.c.updated_at < now() - idle),
            and_(documents.c.status == DocumentStatus.PROCESSING, documents.c.lease_until < now()),
        )
        async with self._database.read() as connection:
            query = select(documents.c.tenant, documents.c.id).where(stale)
            return [(row.tenant, row.id) for row in await connection.execute(query)]

    # publishing

    async def publish(
        self,
        claim: Claim,
        pieces: Sequence[IndexedChunk],
        *,
        title: str | None,
        media_type: str,
        embedded: int,
        notes: Sequence[str] = (),
    ) -> None:
        """Make these chunks the document, in one transaction. Raises LeaseLost, and then nothing has changed."""
        async with self._database.write() as connection:
            version = await require_lease(connection, claim) + 1
            await _replace_chunks(connection, claim, pieces)
            await connection.execute(
                update(documents)
                .where(documents.c.id == claim.document_id)
                .values(
                    status=DocumentStatus.LIVE,
                    live_hash=claim.content_hash,
                    version=version,
                    title=title,
                    media_type=media_type,
                    stage=None,
                    progress=100,
                    reason=None,
                    message=" ".join(notes) or None,
                    owner=None,
                    lease_until=None,
                    updated_at=now(),
                )
            )
            await connection.execute(
                insert(document_versions).values(
                    document_id=claim.document_id,
                    number=version,
                    tenant=claim.tenant,
                    content_hash=claim.content_hash,
                    chunks=len(pieces),
                    embedded=embedded,
                    published_at=now(),
                )
            )

    async def delete(self, document: Document) -> None:
        """Take a document out of every answer, at once. Its vectors become orphans."""
        async with self._database.write() as connection:
            old = select(chunks.c.id).where(chunks.c.document_id == document.id)
            gone = list((await connection.execute(old)).scalars())
            if gone:
                await _remove(connection, document.tenant, document.kb_id, gone)
            values = {"status": DocumentStatus.DELETED, "live_hash": None, "stage": None, "owner": None}
            await connection.execute(
                update(documents).where(documents.c.id == document.id).values(**values, updated_at=now())
            )


def _nothing_to_do(known: Any, content_hash: str) -> bool:
    if known.content_hash != content_hash:
        return False
    under_way = known.status in (DocumentStatus.RECEIVED, DocumentStatus.PROCESSING)
    return under_way or (known.status == DocumentStatus.LIVE and known.live_hash == content_hash)


def _failure(reason: str, message: str) -> dict[str, Any]:
    return {
        "status": DocumentStatus.FAILED,
        "reason": reason,
        "message": message,
        "stage": None,
        "owner": None,
        "lease_until": None,
        "updated_at": now(),
    }


async def _replace_chunks(connection: AsyncConnection, claim: Claim, pieces: Sequence[IndexedChunk]) -> None:
    known = select(chunks).where(chunks.c.document_id == claim.document_id)
    old = {row.id: row for row in await connection.execute(known)}
    new_ids = {piece.chunk.id for piece in pieces}
    gone = [chunk_id for chunk_id in old if chunk_id not in new_ids]
    changed = any(piece.chunk.id not in old or _differs(old[piece.chunk.id], piece) for piece in pieces)
    epoch = await next_epoch(connection, claim.kb_id) if changed or gone else 0
    if gone:
        await _log_removals(connection, claim.tenant, claim.kb_id, gone, epoch)
    # Places may have moved without the text changing, so every row is written anew; unchanged text keeps its epoch.
    await connection.execute(delete(chunks).where(chunks.c.document_id == claim.document_id))
    rows = [_row(claim, piece, old.get(piece.chunk.id), epoch) for piece in pieces]
    if rows:
        await connection.execute(insert(chunks), rows)


def _differs(old: Any, piece: IndexedChunk) -> bool:
    """In what an answer shows of it; its number in the document is not shown."""
    place = piece.chunk.place
    shown = (old.fingerprint, old.page, old.sheet, old.row)
    return shown != (piece.fingerprint, place.page, place.sheet, place.row)


def _row(claim: Claim, piece: IndexedChunk, old: Any, epoch: int) -> dict[str, Any]:
    same = old is not None and old.fingerprint == piece.fingerprint
    return {
        "id": piece.chunk.id,
        "tenant": claim.tenant,
        "kb_id": claim.kb_id,
        "document_id": claim.document_id,
        "ordinal": piece.chunk.ordinal,
        "text": piece.chunk.text,
        "heading": piece.chunk.place.heading,
        "page": piece.chunk.place.page,
        "sheet": piece.chunk.place.sheet,
        "row": piece.chunk.place.row,
        "indexed": piece.indexed,
        "indexed_heading": piece.heading,
        "fingerprint": piece.fingerprint,
        "epoch": old.epoch if same else epoch,
    }


async def _remove(connection: AsyncConnection, tenant: str, kb_id: str, gone: Sequence[str]) -> None:
    await _log_removals(connection, tenant, kb_id, gone, await next_epoch(connection, kb_id))
    for start in range(0, len(gone), BATCH):
        await connection.execute(delete(chunks).where(chunks.c.id.in_(gone[start : start + BATCH])))


async def _log_removals(connection: AsyncConnection, tenant: str, kb_id: str, gone: Sequence[str], epoch: int) -> None:
    rows = [{"kb_id": kb_id, "epoch": epoch, "chunk_id": chunk_id, "tenant": tenant} for chunk_id in gone]
    await connection.execute(insert(chunk_removals), rows)
