"""People change chunks: each change is a version of its document, published at once or not at all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge import past
from knowledge.catalog import chunk_of
from knowledge.chunk_edits import (
    Changed,
    ChunkChange,
    Edit,
    EditKind,
    Index,
    Slot,
    disabled_ordinals,
    edit_of,
    laid,
    located,
    lost_edits,
)
from knowledge.chunk_rows import IndexedChunk
from knowledge.database import Database, now
from knowledge.errors import Conflict, NotFound
from knowledge.models import Chunk, Document, DocumentStatus
from knowledge.republish import locked, republish
from knowledge.tables import chunks, document_versions, past_chunks

MOST = 2**31  # more than any document has chunks


@dataclass(frozen=True, slots=True)
class ListedChunk:
    """A chunk of the live version, found or not. ``read`` are the texts it was made from, if people changed it."""

    chunk: Chunk
    disabled: bool = False
    edited_by: str | None = None
    edited_at: datetime | None = None
    read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeMade:
    """The chunks from ``first`` on, ``count`` of them, stand where the change was made, unless it changed nothing."""

    first: int
    count: int
    changed: bool


class ChunkEditor:
    """Reads a document's chunks with what people made of them, and changes them."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    async def document_of(self, tenant: str, chunk_id: str) -> str:
        """The document that has a chunk, or had it. Raises NotFound ``chunk_not_found``."""
        async with self._database.read() as connection:
            for table in (chunks, past_chunks):
                mine = select(table.c.document_id).where(table.c.id == chunk_id, table.c.tenant == tenant)
                if (found := (await connection.execute(mine.limit(1))).scalar()) is not None:
                    return str(found)
        raise NotFound("There is no such chunk.", code="chunk_not_found")

    async def page(self, document: Document, *, limit: int, offset: int) -> tuple[list[ListedChunk], int]:
        """Chunks in reading order, and how many there are in all."""
        async with self._database.read() as connection:
            edits = await _edits(connection, document.id, document.version)
            shown = await _live_chunks(connection, document.id, range(offset, offset + limit))
            if edits:
                shown |= await _edited_chunks(connection, document, edits, shown, range(offset, offset + limit))
        return [shown[ordinal] for ordinal in sorted(shown)], document.chunks + len(disabled_ordinals(edits))

    async def slots(self, document: Document) -> list[Slot]:
        """The whole live version: what was read of the file, and what people made of it."""
        async with self._database.read() as connection:
            return await _slots(connection, await past.version_row(connection, document.id, document.version))

    async def ordinal_of(self, document: Document, chunk_id: str) -> int | None:
        """Where a chunk stands in the live version, found or not; None if it is not there (any more)."""
        here = select(chunks.c.ordinal).where(chunks.c.id == chunk_id, chunks.c.document_id == document.id)
        async with self._database.read() as connection:
            ordinal: int | None = (await connection.execute(here)).scalar()
            if ordinal is None and (edits := await _edits(connection, document.id, document.version)):
                edited = await _edited_chunks(connection, document, edits, {}, range(MOST))
                ordinal = next((n for n, listed in edited.items() if listed.chunk.id == chunk_id), None)
        return ordinal

    async def lost(self, document: Document) -> list[Edit]:
        """Edits that no longer apply, because the text they were made of has changed."""
        async with self._database.read() as connection:
            return lost_edits(await _edits(connection, document.id, document.version))

    async def forget_lost(self, document: Document) -> None:
        """People have seen them."""
        async with self._database.write(document.kb_id) as connection:
            row = await locked(connection, document.id)
            edits = [kept for kept in await _edits(connection, row.id, row.version) if kept["first"] is not None]
            live = (document_versions.c.document_id == row.id) & (document_versions.c.number == row.version)
            await connection.execute(update(document_versions).where(live).values(edits=edits or None))

    async def change(
        self,
        document: Document,
        chunk_id: str,
        change: ChunkChange,
        index: Callable[[str, str | None], Index],
        *,
        kind: EditKind,
        by: str | None,
    ) -> ChangeMade:
        """Publish a change of a chunk, unless it changes nothing.

        ``index`` makes what is indexed of the chunks of a document by name and title. Raises Conflict
        ``chunk_changed``, ``chunk_disabled``, ``document_under_way`` or ``document_deleted``, and what the change
        raises.
        """
        async with self._database.write(document.kb_id) as connection:
            row = await locked(connection, document.id)
            _require_rest(row)
            live = await past.version_row(connection, row.id, row.version)
            slots = await _slots(connection, live)
            at, part = located(slots, chunk_id)
            made = change(slots, at, part, by, self._clock())
            changed = not _says_the_same(slots, made)
            if changed:
                after = [*slots[: made.start], *made.new, *slots[made.stop :]]
                new = await asyncio.to_thread(laid, after, lost_edits(live.edits), index(row.name, live.title))
                await republish(connection, row, live, new, published_by=by, edit=kind)
        first = sum(len(slot.parts) for slot in slots[: made.start])
        return ChangeMade(first, sum(len(slot.parts) for slot in made.new), changed)


def _says_the_same(slots: Sequence[Slot], made: Changed) -> bool:
    """Whoever saves what is there already changes nothing; who did it before stays written down."""
    return [slot.parts for slot in slots[made.start : made.stop]] == [slot.parts for slot in made.new]


def _require_rest(row: Row[Any]) -> None:
    under_way = row.status in (DocumentStatus.RECEIVED, DocumentStatus.PROCESSING)
    if row.live_hash is None or (under_way and not row.settles):
        raise Conflict(
            "This document is being processed. Change its chunks when that is done.", code="document_under_way"
        )


async def _slots(connection: AsyncConnection, version: Row[Any]) -> list[Slot]:
    """The live version, as what was read and what people made of it."""
    pieces = {piece.chunk.ordinal: piece for piece in await past.pieces_of(connection, version)}
    applied = {kept["first"]: kept for kept in version.edits or () if kept["first"] is not None}
    hidden = await past.hidden_of(connection, version)
    slots: list[Slot] = []
    ordinal, end = 0, 1 + max([*pieces, *(first + len(kept["parts"]) - 1 for first, kept in applied.items())])
    while ordinal < end:
        kept = applied.get(ordinal)
        base: tuple[IndexedChunk, ...] = (pieces[ordinal],) if kept is None else tuple(hidden[ordinal])
        slots.append(Slot(base, edit_of(kept) if kept else None))
        ordinal += len(slots[-1].parts)
    return slots


async def _edits(connection: AsyncConnection, document_id: str, number: int) -> list[dict[str, Any]]:
    mine = (document_versions.c.document_id == document_id) & (document_versions.c.number == number)
    return list((await connection.execute(select(document_versions.c.edits).where(mine))).scalar() or ())


async def _live_chunks(connection: AsyncConnection, document_id: str, shown: range) -> dict[int, ListedChunk]:
    here = (chunks.c.ordinal >= shown.start) & (chunks.c.ordinal < shown.stop)
    rows = await connection.execute(select(chunks).where(chunks.c.document_id == document_id, here))
    return {row.ordinal: ListedChunk(chunk_of(row)) for row in rows}


async def _edited_chunks(
    connection: AsyncConnection,
    document: Document,
    edits: Sequence[dict[str, Any]],
    live: dict[int, ListedChunk],
    shown: range,
) -> dict[int, ListedChunk]:
    """Those of the chunks shown that people changed."""
    here = [kept for kept in edits if kept["first"] is not None and kept["first"] < shown.stop]
    here = [kept for kept in here if kept["first"] + len(kept["parts"]) > shown.start]
    if not here:
        return {}
    version = await past.version_row(connection, document.id, document.version)
    bases = await past.hidden_of(connection, version, only=here)
    found = {}
    for kept in here:
        slot = Slot(tuple(bases[kept["first"]]), edit := edit_of(kept))
        read = tuple(piece.chunk.text for piece in slot.base)
        for ordinal, (part, chunk_id) in enumerate(zip(slot.parts, slot.ids(), strict=True), start=kept["first"]):
            if ordinal in shown:
                place = slot.base[part.of].chunk.place
                chunk = (
                    live[ordinal].chunk if ordinal in live else Chunk(chunk_id, document.id, ordinal, part.text, place)
                )
                found[ordinal] = ListedChunk(chunk, part.disabled, edit.by, edit.at, read)
    return found
