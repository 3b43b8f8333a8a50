"""The right to work on a document.

A claim is a lease: whoever holds it renews it with every progress report and loses it by silence, so a killed worker's
document is taken over.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from knowledge.models import DocumentStatus
from knowledge.tables import documents

LEASE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a document until the lease runs out."""

    document_id: str
    tenant: str
    kb_id: str
    name: str
    content_hash: str
    owner: str
    settles: bool = False  # its chunks are live already, made so by going back to an earlier version
    version: int = 0  # that was live when it was claimed


class LeaseLost(Exception):
    """Someone else works on this document now, or it was deleted or replaced; stop quietly."""


HELD = and_(
    documents.c.id == bindparam("held_id"),
    documents.c.owner == bindparam("held_by"),
    documents.c.status == DocumentStatus.PROCESSING,
    documents.c.content_hash == bindparam("held_hash"),
)
"""The document's row, while a claim holds; made once, its values are those of :func:`held`."""
_VERSION = select(documents.c.version).where(HELD).with_for_update()
_AMONG = (
    select(documents.c.id, documents.c.owner, documents.c.content_hash)
    .where(documents.c.id.in_(bindparam("ids", expanding=True)), documents.c.status == DocumentStatus.PROCESSING)
    .order_by(documents.c.id)  # two that lock several of the same do so in one order
    .with_for_update()
)


def held(claim: Claim) -> dict[str, Any]:
    """The values of :data:`HELD`."""
    return {"held_id": claim.document_id, "held_by": claim.owner, "held_hash": claim.content_hash}


def require_lease(connection: Connection, claim: Claim) -> int:
    """→ the version that is live, 0 for none; the row stays locked. Raises LeaseLost."""
    version: int | None = connection.execute(_VERSION, held(claim)).scalar()
    if version is None:
        raise LeaseLost(claim.document_id)
    return version


def still_held(connection: Connection, claims: Collection[Claim]) -> set[Claim]:
    """Those that hold; their documents' rows stay locked."""
    rows = connection.execute(_AMONG, {"ids": [claim.document_id for claim in claims]}).all()
    there = {tuple(row) for row in rows}
    return {claim for claim in claims if (claim.document_id, claim.owner, claim.content_hash) in there}
