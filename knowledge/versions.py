"""How a document becomes known: received → claimed → published, each step one transaction.

Publishing checks that the claim's lease still holds and that the bytes are still the newest; otherwise nothing changes.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, bindparam, insert, or_, select, update

from knowledge import chunk_rows, past, radar
from knowledge.catalog import next_epoch
from knowledge.chunk_edits import Edit, Laid, edit_of
from knowledge.chunk_rows import BATCH, IndexedChunk, Owner
from knowledge.chunking import DEFAULT, Chunking
from knowledge.claims import HELD, LEASE, Claim, LeaseLost, held, require_lease
from knowledge.database import Database, Moment, now
from knowledge.errors import Conflict
from knowledge.models import Document, DocumentStatus, KnowledgeBase
from knowledge.origins import note_origin
from knowledge.radar import Stated
from knowledge.republish import locked, republish
from knowledge.retired import require_model
from knowledge.tables import document_versions, documents
from knowledge.validity import Window

__all__ = ["BATCH", "ELSEWHERE", "MAX_ATTEMPTS", "IndexedChunk", "Versions"]

MAX_ATTEMPTS = 5  # a document that kills its worker this often is given up, with a reason
ELSEWHERE = ""  # the content hash of a document whose bytes are still at its address

# With their values beside them, statements are made once: see :class:`knowledge.database.Database`.
_NAMED = select(documents).where(documents.c.kb_id == bindparam("of_kb"), documents.c.name == bindparam("of_name"))
_ADD = insert(documents)
_CHANGE = update(documents).where(documents.c.id == bindparam("of_id"))
_CHANGE_HELD = update(documents).where(HELD)
_CLAIMED = {"stage": "loading", "progress": 0, "parts_done": None, "parts": None}
_CLAIM = (
    update(documents)
    .where(
        documents.c.id == bindparam("of_id"),
        or_(
            documents.c.status == DocumentStatus.RECEIVED,
            and_(
                documents.c.status == DocumentStatus.PROCESSING,
                documents.c.lease_until < bindparam("moment", type_=Moment),
            ),
        ),
    )
    .values(status=DocumentStatus.PROCESSING, attempts=documents.c.attempts + 1, **_CLAIMED)
    .returning(
        *(documents.c.id, documents.c.tenant, documents.c.kb_id, documents.c.name, documents.c.content_hash),
        *(documents.c.attempts, documents.c.settles, documents.c.version),
    )
)
_PUBLISH = _CHANGE.returning(documents.c.size, documents.c.received_by)


class Versions:
    """The writing side of the catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def receive(
        self,
        kb: KnowledgeBase,
        name: str,
        *,
        content_hash: str,
        size: int,
        window: Window | None = None,
        by: str | None = None,
        url: str | None = None,
    ) -> tuple[str, bool]:
        """Note new bytes for a document; → (document id, whether there is anything to do).

        The same bytes as the live version, or as the run under way, are nothing to do. Failed ones are tried again.
        A ``window`` holds at once; None leaves the document its own. ``url`` is the address they come from, if they
        come from one. Raises InvalidInput ``validity_window``.
        """
        valid = {} if window is None else _window(window.checked())

        def change(connection: Connection) -> tuple[str, bool]:
            known = connection.execute(_NAMED, {"of_kb": kb.id, "of_name": name}).first()
            if known is not None and valid:
                connection.execute(_CHANGE, {"of_id": known.id, **valid})
                next_epoch(connection, kb.id)
            if known is not None and _nothing_to_do(known, content_hash):
                return known.id, False
            fresh = _received(known, content_hash, size, by)
            if known is not None:
                connection.execute(_CHANGE, {"of_id": known.id, **fresh})
                document_id = known.id
            else:
                document_id = uuid4().hex
                row = {"id": document_id, "tenant": kb.tenant, "kb_id": kb.id, "name": name, "created_at": now()}
                connection.execute(_ADD, {**row, **valid, **fresh})
            if url is not None:
                note_origin(connection, document_id, kb.tenant, url)
            return document_id, True

        return await self._database.change(change, of=kb.id)

    async def set_window(self, document: Document, window: Window) -> None:
        """When a document is valid, from now on. Raises InvalidInput ``validity_window``."""
        mine = documents.c.id == document.id
        async with self._database.write(document.kb_id) as connection:
            await connection.execute(
                update(documents).where(mine).values(**_window(window.checked()), updated_at=now())
            )
            await connection.run_sync(next_epoch, document.kb_id)

    async def reopen(self, document: Document) -> None:
        """Have the bytes last received processed once more, whatever came of them."""
        mine = (documents.c.id == document.id) & (documents.c.status != DocumentStatus.DELETED)
        async with self._database.write(of=None) as connection:
            await connection.execute(update(documents).where(mine).values(**reopened()))

    async def take_over(self, document_id: str) -> None:
        """End a dead run's lease at once. Only for who knows that nobody else works on this data folder."""
        dead = (documents.c.id == document_id) & (documents.c.status == DocumentStatus.PROCESSING)
        async with self._database.write(of=None) as connection:
            await connection.execute(update(documents).where(dead).values(lease_until=now() - LEASE))

    async def claim(self, document_id: str, owner: str) -> Claim | None:
        """Take a received or abandoned document; None when there is nothing left to do."""
        moment = now()
        values = {"owner": owner, "lease_until": moment + LEASE, "updated_at": moment}

        def change(connection: Connection) -> Row[Any] | None:
            row = connection.execute(_CLAIM, {"of_id": document_id, "moment": moment, **values}).first()
            if row is None or row.attempts <= MAX_ATTEMPTS:
                return row
            message = f"Processing this document ended {MAX_ATTEMPTS} times without a result; it was given up."
            given_up = _failure("corrupt", message)
            connection.execute(_CHANGE, {"of_id": document_id, **given_up})
            return None

        if (row := await self._database.change(change, of=None)) is None:
            return None
        return Claim(row.id, row.tenant, row.kb_id, row.name, row.content_hash, owner, row.settles, row.version)

    async def expect(self, kb: KnowledgeBase, name: str, url: str) -> tuple[str, bool]:
        """Note that a document's bytes are to be fetched from an address; → as :meth:`receive`."""
        return await self.receive(kb, name, content_hash=ELSEWHERE, size=0, url=url)

    async def fetched(self, claim: Claim, *, content_hash: str, size: int) -> Claim | None:
        """The bytes are here; None when they are those that are live, and the run is over. Raises LeaseLost."""
        async with self._database.write(claim.kb_id) as connection:
            live = await connection.scalar(select(documents.c.live_hash).where(HELD), held(claim))
            values = _as_it_was(content_hash) if live == content_hash else {"content_hash": content_hash}
            done = await connection.execute(_CHANGE_HELD, {**held(claim), **values, "size": size})
        if done.rowcount != 1:
            raise LeaseLost(claim.document_id)
        return None if live == content_hash else replace(claim, content_hash=content_hash)

    async def live_hash(self, document_id: str) -> str | None:
        """Of the bytes that answer now."""
        async with self._database.read() as connection:
            found: str | None = await connection.scalar(
                select(documents.c.live_hash).where(documents.c.id == document_id)
            )
        return found

    async def unchanged(self, claim: Claim) -> None:
        """The address still has what is live: the run is over. Raises LeaseLost."""
        async with self._database.write(of=None) as connection:
            here = _CHANGE_HELD.where(documents.c.live_hash.is_not(None))
            done = await connection.execute(here.values(**_as_it_was(documents.c.live_hash)), held(claim))
        if done.rowcount != 1:
            raise LeaseLost(claim.document_id)

    async def progress(
        self, claim: Claim, stage: str, percent: int, *, parts_done: int | None = None, parts: int | None = None
    ) -> None:
        """Report and renew the lease. Raises LeaseLost."""
        values = {"stage": stage, "progress": percent, "lease_until": now() + LEASE, "updated_at": now()}
        values |= {"parts_done": parts_done, "parts": parts}
        values |= held(claim)
        if (
            await self._database.change(lambda connection: connection.execute(_CHANGE_HELD, values).rowcount, of=None)
            != 1
        ):
            raise LeaseLost(claim.document_id)

    async def fail(self, claim: Claim, reason: str, message: str) -> None:
        """End this run with a typed reason. A version that was live stays live."""
        async with self._database.write(of=None) as connection:
            await connection.execute(_CHANGE_HELD, {**held(claim), **_failure(reason, message)})

    async def release(self, claim: Claim) -> None:
        """Give the document back unharmed (a part we need is down); it will be claimed again."""
        values = {"status": DocumentStatus.RECEIVED, "owner": None, "lease_until": None, "updated_at": now()}
        async with self._database.write(of=None) as connection:
            back = _CHANGE_HELD.values(**values, attempts=documents.c.attempts - 1)
            await connection.execute(back, held(claim))

    async def status(self, document_id: str) -> DocumentStatus | None:
        """Where a document stands; None when there is none."""
        async with self._database.read() as connection:
            found = await connection.execute(select(documents.c.status).where(documents.c.id == document_id))
            status = found.scalar()
        return None if status is None else DocumentStatus(status)

    async def give_up(self, document_id: str) -> None:
        """End the run that is wanted or under way: somebody cancelled it. A version that was live stays live."""
        wanted = documents.c.status.in_((DocumentStatus.RECEIVED, DocumentStatus.PROCESSING))
        async with self._database.write(of=None) as connection:
            await connection.execute(
                update(documents).where(documents.c.id == document_id, wanted).values(**cancelled())
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
        laid: Laid,
        says: Stated,
        *,
        title: str | None,
        media_type: str,
        embedded: int,
        notes: Sequence[str] = (),
        window: Window | None = None,
        models: Collection[str] | None = None,
        cut: Chunking = DEFAULT,
    ) -> None:
        """Make what is laid, which was ``cut`` so and ``says`` so in figures, the document, in one transaction.

        ``window`` is what the document itself says of when it is valid; None leaves what people said. ``models`` are
        those whose vectors of the chunks are written. Raises ModelSwitched when the knowledge base stands on another
        one by now, and LeaseLost; then nothing has changed.
        """
        owner = Owner(claim.tenant, claim.kb_id, claim.document_id)
        message = " ".join(notes) or None
        valid = {} if window is None else _window(window)

        def change(connection: Connection) -> None:
            version = require_lease(connection, claim) + 1
            if models is not None:
                require_model(connection, claim.kb_id, models)
            replaced = chunk_rows.replace(connection, owner, laid.pieces, changed=window is not None)
            values = {"version": version, "title": title, "media_type": media_type, "live_hash": claim.content_hash}
            values |= {"cut": cut.key}
            values |= {"of_id": claim.document_id, **_done(message), **valid}
            row = connection.execute(_PUBLISH, values).one()
            noted = {"number": version, "content_hash": claim.content_hash, "embedded": embedded, "message": message}
            noted |= {
                "cut": cut.key,
                "title": title,
                "media_type": media_type,
                "size": row.size,
                "published_by": row.received_by,
            }
            past.keep(connection, owner, laid, replaced, noted)
            radar.watch(connection, owner, laid.pieces, replaced, says)

        await self._database.change(change, of=claim.kb_id)

    async def edits(self, claim: Claim) -> list[Edit]:
        """What people changed of the live version's chunks, and what of that was lost before."""
        if not claim.version:
            return []
        live = (document_versions.c.document_id == documents.c.id) & (document_versions.c.number == documents.c.version)
        query = select(document_versions.c.edits).join(documents, live).where(documents.c.id == claim.document_id)
        found = await self._database.rows(query)
        return [edit_of(kept) for kept in found[0].edits or ()] if found else []

    # earlier versions

    async def restore(self, document: Document, number: int, *, by: str | None) -> None:
        """Make an earlier version live again, at once, as a new publication; what vectors are missing follows.

        A run that is under way for newer bytes ends. Raises NotFound ``version_not_found``, Conflict
        ``document_deleted``.
        """
        async with self._database.write(document.kb_id) as connection:
            row = await locked(connection, document.id)
            old = await past.version_row(connection, document.id, number)
            laid = await past.laid_of(connection, old)
            came_from = old.restored_from or number
            await republish(connection, row, old, laid, published_by=by, restored_from=came_from)

    async def before(self, document: Document) -> int:
        """The version that undoing the last publication brings back. Raises Conflict ``nothing_to_undo``.

        Of one that is itself a version brought back, the one before that: so undoing twice goes back twice.
        """
        mine = document_versions.c.document_id == document.id
        query = select(document_versions.c.number, document_versions.c.restored_from).where(mine)
        async with self._database.read() as connection:
            came_from = {row.number: row.restored_from or row.number for row in await connection.execute(query)}
        wanted = came_from.get(document.version, 0) - 1
        if wanted not in came_from:
            raise Conflict("There is no earlier version of this document to go back to.", code="nothing_to_undo")
        return int(wanted)

    async def pieces(self, claim: Claim) -> list[IndexedChunk]:
        """What is live of a document. Raises LeaseLost."""
        async with self._database.write(claim.kb_id) as connection:
            version = await connection.run_sync(require_lease, claim)
            return await past.pieces_of(connection, await past.version_row(connection, claim.document_id, version))

    async def settle(self, claim: Claim) -> None:
        """The version that was made live again has its vectors. Raises LeaseLost."""
        values = {"status": DocumentStatus.LIVE, "stage": None, "progress": 100, "owner": None, "lease_until": None}
        async with self._database.write(of=None) as connection:
            settled = {**held(claim), **values, "settles": False, "updated_at": now()}
            if (await connection.execute(_CHANGE_HELD, settled)).rowcount != 1:
                raise LeaseLost(claim.document_id)

    async def delete(self, document: Document) -> set[str]:
        """Take a document out of every answer, at once, and forget every version; → what bytes it had.

        Its vectors become orphans. Of the document its name and the hash of its bytes stay.
        """
        mine = documents.c.id == document.id
        async with self._database.write(document.kb_id) as connection:
            had = await past.hashes(connection, mine)
            await connection.run_sync(chunk_rows.remove, Owner(document.tenant, document.kb_id, document.id))
            await connection.run_sync(past.forget, document.id)
            await connection.run_sync(radar.forget, document.id)
            values: dict[str, Any] = {"status": DocumentStatus.DELETED, "live_hash": None, "stage": None, "owner": None}
            values |= {"message": None, "title": None, "settles": False, **_window(Window())}
            await connection.execute(update(documents).where(mine).values(**values, updated_at=now()))
        return had

    async def hashes_of(self, kb: KnowledgeBase) -> set[str]:
        """Of the bytes that a knowledge base's documents and their versions were made from."""
        async with self._database.read() as connection:
            return await past.hashes(connection, documents.c.kb_id == kb.id)

    async def needed(self, tenant: str, among: Collection[str] | None = None) -> set[str]:
        """Hashes of the bytes that a tenant's documents and their versions are made from."""
        which = and_(documents.c.tenant == tenant, documents.c.status != DocumentStatus.DELETED)
        async with self._database.read() as connection:
            found = await past.hashes(connection, which)
        return found if among is None else found & set(among)


def _received(known: Row[Any] | None, content_hash: str, size: int, by: str | None) -> dict[str, Any]:
    """Of a document that new bytes came for."""
    waits = {"status": DocumentStatus.RECEIVED, "owner": None, "lease_until": None, "stage": None, "progress": 0}
    again = {"reason": None, "message": None, "attempts": 0, "settles": False}
    size = known.size if known is not None and content_hash == ELSEWHERE else size
    return {**waits, **again, "content_hash": content_hash, "size": size, "received_by": by, "updated_at": now()}


def reopened() -> dict[str, Any]:
    """Of a document that is to be processed once more."""
    fresh: dict[str, Any] = {"reason": None, "message": None, "attempts": 0, "progress": 0, "settles": False}
    return {**fresh, "status": DocumentStatus.RECEIVED, "owner": None, "updated_at": now()}


def cancelled() -> dict[str, Any]:
    """Of a document that somebody does not want to be taken in."""
    return _failure("cancelled", "Taking this document in was cancelled. Process it again when you want it.")


def _nothing_to_do(known: Any, content_hash: str) -> bool:
    if known.content_hash != content_hash:
        return False
    under_way = known.status in (DocumentStatus.RECEIVED, DocumentStatus.PROCESSING)
    return under_way or (known.status == DocumentStatus.LIVE and known.live_hash == content_hash)


def _window(window: Window) -> dict[str, Any]:
    return {"valid_from": window.start, "valid_until": window.end}


def _done(message: str | None) -> dict[str, Any]:
    ended: dict[str, Any] = {"stage": None, "progress": 100, "reason": None, "owner": None, "lease_until": None}
    return {"status": DocumentStatus.LIVE, **ended, "message": message, "settles": False, "updated_at": now()}


def _as_it_was(content_hash: Any) -> dict[str, Any]:
    return {**_done(None), "content_hash": content_hash}


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
