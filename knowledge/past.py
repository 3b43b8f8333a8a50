"""Earlier versions of a document: the chunks they had, who published them, and how long they are kept.

A version is a list of chunks by id and fingerprint. A chunk's text is where it is live, else among the past chunks,
each once however many versions had it; so publishing writes what it replaced, and no copy of what stayed. What people
put something else in the place of, or disabled, is among the past chunks as long as that holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.chunk_edits import EditKind, Laid, disabled_ordinals, listed
from knowledge.chunk_rows import BATCH, IndexedChunk, Owner, Replaced
from knowledge.database import Database, now
from knowledge.errors import NotFound
from knowledge.models import Chunk, Document, Place
from knowledge.tables import chunks, document_versions, documents, past_chunks

KEPT = 10  # versions of a document, the live one among them
_PUBLISHED = insert(document_versions)


@dataclass(frozen=True, slots=True)
class Version:
    """A publication of a document. ``kept``: its chunks are there, so it can be compared and made live again.

    ``restored_from`` is the earlier version that it repeats; ``embedded`` how many chunks had no vector yet. ``edit``
    is what people did to a chunk, for a version that is nothing else.
    """

    number: int
    content_hash: str
    chunks: int
    embedded: int
    published_at: datetime
    published_by: str | None = None
    restored_from: int | None = None
    title: str | None = None
    media_type: str | None = None
    size: int | None = None
    message: str | None = None
    kept: bool = True
    edit: EditKind | None = None


class PastVersions:
    """Reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, document: Document) -> list[Version]:
        """The last ones, newest first."""
        mine = document_versions.c.document_id == document.id
        query = select(document_versions).where(mine).order_by(document_versions.c.number.desc()).limit(KEPT)
        async with self._database.read() as connection:
            return [_version(row, live=document.version) for row in await connection.execute(query)]

    async def chunks(self, document: Document, number: int) -> list[Chunk]:
        """A version's chunks in reading order. Raises NotFound ``version_not_found``."""
        async with self._database.read() as connection:
            row = await version_row(connection, document.id, number)
            return [piece.chunk for piece in await pieces_of(connection, row)]


async def version_row(connection: AsyncConnection, document_id: str, number: int) -> Row[Any]:
    """Raises NotFound ``version_not_found``."""
    query = select(document_versions).where(_is(document_id, number))
    row = (await connection.execute(query)).first()
    if row is None:
        raise _not_kept(number)
    return row


async def pieces_of(connection: AsyncConnection, version: Row[Any]) -> list[IndexedChunk]:
    """What a version is made of. Raises NotFound ``version_not_found`` for one that is not kept."""
    known = await _texts(connection, version.document_id)
    rows = version.pieces if version.pieces is not None else await _live_pieces(connection, version)
    off = disabled_ordinals(version.edits)
    numbers = (ordinal for ordinal in range(len(rows) + len(off)) if ordinal not in off)
    found = [_found(version, ordinal, row, known) for ordinal, row in zip(numbers, rows, strict=True)]
    if not (found or version.edits):
        raise _not_kept(version.number)
    return found


async def hidden_of(
    connection: AsyncConnection, version: Row[Any], *, only: Sequence[dict[str, Any]] | None = None
) -> dict[int, list[IndexedChunk]]:
    """Number of an edit's first chunk → what was read there. Raises NotFound ``version_not_found``."""
    edits = [kept for kept in (version.edits or () if only is None else only) if kept["first"] is not None]
    known = await _texts(connection, version.document_id) if edits else {}
    return {kept["first"]: [_found(version, 0, row, known) for row in kept["base"]] for kept in edits}


async def laid_of(connection: AsyncConnection, version: Row[Any]) -> Laid:
    """A version to be published again. Raises NotFound ``version_not_found``."""
    bases = (await hidden_of(connection, version)).values()
    return Laid(await pieces_of(connection, version), [piece for base in bases for piece in base], version.edits)


def _found(
    version: Row[Any], ordinal: int, row: Sequence[Any], known: Mapping[tuple[str, str], Row[Any]]
) -> IndexedChunk:
    chunk_id, fingerprint, page, sheet, line = row
    text = known.get((chunk_id, fingerprint))
    if text is None:
        raise _not_kept(version.number)
    place = Place(text.heading, page, sheet, line)
    chunk = Chunk(chunk_id, version.document_id, ordinal, text.text, place)
    return IndexedChunk(chunk, text.indexed, text.indexed_heading, fingerprint)


def keep(
    connection: Connection,
    owner: Owner,
    laid: Laid,
    replaced: Replaced,
    version: dict[str, Any],
) -> None:
    """Note a publication, and put aside what it replaced; the oldest version is forgotten."""
    number: int = version["number"]
    put_aside(connection, owner, replaced, number - 1)
    _keep_chunks(connection, owner, [_hidden(piece) for piece in laid.hidden], number)
    row = {"document_id": owner.document_id, "tenant": owner.tenant, **version, "published_at": now()}
    made_of = {"pieces": [listed(piece) for piece in laid.pieces], "chunks": len(laid.pieces), "edits": laid.edits}
    connection.execute(_PUBLISHED, {**row, **made_of})
    if (oldest := number - KEPT) < 1:
        return
    mine = document_versions.c.document_id == owner.document_id
    connection.execute(delete(document_versions).where(mine, document_versions.c.number <= oldest))
    of_none = past_chunks.c.last_version <= oldest
    connection.execute(delete(past_chunks).where(past_chunks.c.document_id == owner.document_id, of_none))


def put_aside(connection: Connection, owner: Owner, replaced: Replaced, last: int) -> None:
    """Keep what is not live any more, of which version ``last`` was made."""
    _note_before(connection, owner, replaced, last)
    _keep_chunks(connection, owner, [_gone(row) for row in replaced.gone], last)


def forget(connection: Connection, document_id: str) -> None:
    """Everything that a document was."""
    for table in (past_chunks, document_versions):
        connection.execute(delete(table).where(table.c.document_id == document_id))


async def hashes(connection: AsyncConnection, which: ColumnElement[bool]) -> set[str]:
    """Of the bytes that documents and their versions were made from."""
    received = select(documents.c.content_hash).where(which)
    versions = select(document_versions.c.content_hash).join(documents).where(which)
    return set((await connection.execute(received.union(versions))).scalars())


def _note_before(connection: Connection, owner: Owner, replaced: Replaced, number: int) -> None:
    """List a version that was published before lists were kept."""
    before = [_listed(row) for row in sorted(replaced.before.values(), key=lambda row: row.ordinal)]
    if before:
        unlisted = and_(_is(owner.document_id, number), document_versions.c.pieces.is_(None))
        connection.execute(update(document_versions).where(unlisted).values(pieces=before))


def _gone(row: Row[Any]) -> dict[str, Any]:
    names = ("id", "fingerprint", "text", "heading", "indexed", "indexed_heading")
    return {name: getattr(row, name) for name in names}


def _hidden(piece: IndexedChunk) -> dict[str, Any]:
    chunk = piece.chunk
    said = {"text": chunk.text, "heading": chunk.place.heading}
    return {"id": chunk.id, "fingerprint": piece.fingerprint, **said, "indexed": piece.indexed} | {
        "indexed_heading": piece.heading
    }


def _keep_chunks(connection: Connection, owner: Owner, texts: Sequence[Mapping[str, Any]], last: int) -> None:
    ids = {"tenant": owner.tenant, "kb_id": owner.kb_id, "document_id": owner.document_id, "last_version": last}
    rows = [{**text, **ids} for text in texts]
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        again = past_chunks.c.id.in_([row["id"] for row in some])
        of_these = past_chunks.c.fingerprint.in_([row["fingerprint"] for row in some])
        connection.execute(delete(past_chunks).where(again, of_these))
        connection.execute(insert(past_chunks), some)


async def _texts(connection: AsyncConnection, document_id: str) -> dict[tuple[str, str], Row[Any]]:
    """(chunk id, fingerprint) → its texts, live or past."""
    found: dict[tuple[str, str], Row[Any]] = {}
    for table in (past_chunks, chunks):
        columns = (table.c[name] for name in ("id", "fingerprint", "text", "heading", "indexed", "indexed_heading"))
        for row in await connection.execute(select(*columns).where(table.c.document_id == document_id)):
            found[row.id, row.fingerprint] = row
    return found


async def _live_pieces(connection: AsyncConnection, version: Row[Any]) -> list[tuple[Any, ...]]:
    """Of the live version, should it have been published before lists were kept."""
    live = select(documents.c.version).where(documents.c.id == version.document_id)
    if (await connection.execute(live)).scalar() != version.number:
        raise _not_kept(version.number)
    mine = select(chunks).where(chunks.c.document_id == version.document_id).order_by(chunks.c.ordinal)
    return [_listed(row) for row in await connection.execute(mine)]


def _listed(row: Row[Any]) -> tuple[Any, ...]:
    return row.id, row.fingerprint, row.page, row.sheet, row.row


def _is(document_id: str, number: int) -> ColumnElement[bool]:
    return and_(document_versions.c.document_id == document_id, document_versions.c.number == number)


def _version(row: Row[Any], *, live: int) -> Version:
    return Version(
        number=row.number,
        content_hash=row.content_hash,
        chunks=row.chunks,
        embedded=row.embedded,
        published_at=row.published_at,
        published_by=row.published_by,
        restored_from=row.restored_from,
        title=row.title,
        media_type=row.media_type,
        size=row.size,
        message=row.message,
        kept=row.pieces is not None or row.number == live,
        edit=row.edit,
    )


def _not_kept(number: int) -> NotFound:
    return NotFound(f"Version {number} of this document is not kept any more.", code="version_not_found", number=number)
