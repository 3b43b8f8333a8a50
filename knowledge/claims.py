"""The right to work on a document.

A claim is a lease: whoever holds it renews it with every progress report and loses it by silence, so a killed worker's
document is taken over.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select

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


class LeaseLost(Exception):
    """Someone else works on this document now, or it was deleted or replaced; stop quietly."""


def held(claim: Claim) -> ColumnElement[bool]:
    """The document's row, while the claim holds."""
    return and_(
        documents.c.id == claim.document_id,
        documents.c.owner == claim.owner,
        documents.c.status == DocumentStatus.PROCESSING,
        documents.c.content_hash == claim.content_hash,
    )


def require_lease(connection: Connection, claim: Claim) -> int:
    """→ the version that is live, 0 for none; the row stays locked. Raises LeaseLost."""
    row = _held_row(connection, claim)
    if row is None:
        raise LeaseLost(claim.document_id)
    return int(row.version)


def holds(connection: Connection, claim: Claim) -> bool:
    """If so, the document's row stays locked."""
    return _held_row(connection, claim) is not None


def _held_row(connection: Connection, claim: Claim) -> Row[Any] | None:
    return connection.execute(select(documents.c.version).where(held(claim)).with_for_update()).first()
