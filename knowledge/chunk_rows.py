"""The rows of a document's chunks: what a publication writes, and what it takes away. All inside its transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from knowledge.catalog import next_epoch
from knowledge.models import Chunk
from knowledge.tables import chunk_removals, chunks

BATCH = 500  # rows a statement; SQLite allows 32,766 variables
_KNOWN = select(chunks).where(chunks.c.document_id == bindparam("of_id"))
_WRITE = insert(chunks)


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with what is embedded and indexed for it, and a fingerprint of that."""

    chunk: Chunk
    indexed: str
    heading: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose chunks they are."""

    tenant: str
    kb_id: str
    document_id: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a publication changed: the rows that were there before, and the pieces that were not."""

    before: Mapping[str, Row[Any]]
    fresh: tuple[IndexedChunk, ...]
    gone: tuple[Row[Any], ...]


def replace(connection: Connection, owner: Owner, pieces: Sequence[IndexedChunk], *, changed: bool = False) -> Replaced:
    """Make these pieces the document. The epoch moves where an answer would show the difference, or it ``changed``."""
    old = {row.id: row for row in connection.execute(_KNOWN, {"of_id": owner.document_id})}
    new = {piece.chunk.id: piece.fingerprint for piece in pieces}
    gone = [chunk_id for chunk_id in old if chunk_id not in new]
    changed = changed or any(piece.chunk.id not in old or _differs(old[piece.chunk.id], piece) for piece in pieces)
    epoch = next_epoch(connection, owner.kb_id) if changed or gone else 0
    if gone:
        _log_removals(connection, owner, gone, epoch)
    # Places may have moved without the text changing: such a row is written anew, and keeps its epoch.
    rows = [_row(owner, piece, old.get(piece.chunk.id), epoch) for piece in pieces]
    rows = [row for row in rows if not _is_there(row, old.get(row["id"]))]
    _delete(connection, [*gone, *(row["id"] for row in rows if row["id"] in old)])
    if rows:
        connection.execute(_WRITE, rows)
    fresh = tuple(piece for piece in pieces if (was := old.get(piece.chunk.id)) is None or _other(was, piece))
    return Replaced(old, fresh, tuple(row for row in old.values() if new.get(row.id) != row.fingerprint))


def remove(connection: Connection, owner: Owner) -> None:
    """Take all of them out."""
    mine = chunks.c.document_id == owner.document_id
    gone = list(connection.execute(select(chunks.c.id).where(mine)).scalars())
    if gone:
        _log_removals(connection, owner, gone, next_epoch(connection, owner.kb_id))
        connection.execute(delete(chunks).where(mine))


def _delete(connection: Connection, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), BATCH):
        connection.execute(delete(chunks).where(chunks.c.id.in_(ids[start : start + BATCH])))


def _is_there(row: dict[str, Any], old: Row[Any] | None) -> bool:
    return old is not None and all(getattr(old, name) == value for name, value in row.items())


def _other(old: Row[Any], piece: IndexedChunk) -> bool:
    return bool(old.fingerprint != piece.fingerprint)


def _differs(old: Row[Any], piece: IndexedChunk) -> bool:
    """In what an answer shows of it; its number in the document is not shown."""
    place = piece.chunk.place
    shown = (old.fingerprint, old.page, old.sheet, old.row)
    return shown != (piece.fingerprint, place.page, place.sheet, place.row)


def _row(owner: Owner, piece: IndexedChunk, old: Row[Any] | None, epoch: int) -> dict[str, Any]:
    return {
        "id": piece.chunk.id,
        "tenant": owner.tenant,
        "kb_id": owner.kb_id,
        "document_id": owner.document_id,
        "ordinal": piece.chunk.ordinal,
        "text": piece.chunk.text,
        "heading": piece.chunk.place.heading,
        "page": piece.chunk.place.page,
        "sheet": piece.chunk.place.sheet,
        "row": piece.chunk.place.row,
        "indexed": piece.indexed,
        "indexed_heading": piece.heading,
        "fingerprint": piece.fingerprint,
        "epoch": epoch if old is None or _other(old, piece) else old.epoch,
    }


def _log_removals(connection: Connection, owner: Owner, gone: Sequence[str], epoch: int) -> None:
    rows = [{"kb_id": owner.kb_id, "epoch": epoch, "chunk_id": chunk_id, "tenant": owner.tenant} for chunk_id in gone]
    connection.execute(insert(chunk_removals), rows)
