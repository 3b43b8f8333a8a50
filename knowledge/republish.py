"""Chunks made live without new bytes: an earlier version, or one that people changed. Vectors that are missing follow.

All inside a transaction. A run that is under way for the document ends.
"""

import asyncio
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge import chunk_rows, past, radar
from knowledge.chunk_edits import Laid
from knowledge.chunk_rows import Owner
from knowledge.database import now
from knowledge.errors import Conflict
from knowledge.models import DocumentStatus
from knowledge.tables import documents


async def locked(connection: AsyncConnection, document_id: str) -> Row[Any]:
    """The document's row, until the transaction ends. Raises Conflict ``document_deleted``."""
    query = select(documents).where(documents.c.id == document_id).with_for_update()
    row = (await connection.execute(query)).one()
    if row.status == DocumentStatus.DELETED:
        raise Conflict("This document was deleted. Upload it again.", code="document_deleted")
    return row


async def republish(connection: AsyncConnection, row: Row[Any], like: Row[Any], laid: Laid, **noted: Any) -> None:
    """Publish what is laid as the document's next version; of the version ``like`` it has its title and bytes.

    ``noted`` is what the list of versions says of it.
    """
    owner = Owner(row.tenant, row.kb_id, row.id)
    replaced = await connection.run_sync(chunk_rows.replace, owner, laid.pieces)
    same = {name: getattr(like, name) for name in ("title", "media_type", "content_hash", "message", "cut")}
    size = row.size if like.size is None else like.size
    waits = {"status": DocumentStatus.RECEIVED, "settles": True, "attempts": 0, "progress": 0, "reason": None}
    freed = {"owner": None, "lease_until": None, "stage": None, "updated_at": now()}
    now_live = {"version": row.version + 1, "live_hash": like.content_hash, "size": size}
    mine = update(documents).where(documents.c.id == row.id)
    await connection.execute(mine.values(**same, **now_live, **waits, **freed))
    version = {**same, "number": row.version + 1, "size": size, "embedded": 0, **noted}
    await connection.run_sync(past.keep, owner, laid, replaced, version)
    says = await asyncio.to_thread(radar.stated, replaced.fresh, document=row.name)
    await connection.run_sync(radar.watch, owner, laid.pieces, replaced, says)
