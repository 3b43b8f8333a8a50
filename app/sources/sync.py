"""One run of a source: list → compare → take in what is new or changed → delete what is gone, carefully.

What is gone is deleted when a second listing lacks it, too. Where more than half is gone at once, or all of it, nothing
is deleted until somebody has agreed: a disk that is not mounted looks like an empty folder. A run may be killed at any
moment and is begun anew by another; whatever it did is found done.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from app.services import KnowledgeService
from app.sources.items import SourceItems
from app.sources.models import Item, Source, Tally
from ingest.watch.ports import Entry, Gone, Listing, Place, StillWritten, Taken
from knowledge.errors import CopilotError, DocumentRefused, NotFound
from knowledge.models import KnowledgeBase
from knowledge.origins import Validators

LOOKS = 2  # listings without it before its document is deleted
NOTHING_KNOWN = Validators()


class Synchroniser:
    """Brings knowledge to where a place is."""

    def __init__(self, items: SourceItems, knowledge: KnowledgeService) -> None:
        self._items = items
        self._knowledge = knowledge

    async def run(self, source: Source, place: Place, tally: Tally, progress: Callable[[int, int], None]) -> None:
        """Counts into ``tally``. ``progress`` hears of how many of how many were looked at.

        Raises PlaceUnreadable and other CopilotErrors of the place as a whole; then nothing was concluded.
        """
        base = await self._knowledge.catalog.knowledge_base(source.tenant, source.kb_id)
        listing = await place.list()
        known = await self._items.of(source.id)
        tally.counts |= {"listed": len(listing.entries), "left_out": listing.left_out}
        tally.count("waiting", len(listing.waiting))
        vanished = await _Looking(source, base, place, self._items, self._knowledge, tally).at(listing, known, progress)
        if listing.complete:
            there = {entry.key for entry in listing.entries if entry.key not in vanished} | {*listing.waiting}
            await self._gone(source, {key: item for key, item in known.items() if key not in there}, known, tally)

    async def _gone(self, source: Source, gone: Mapping[str, Item], known: Mapping[str, Item], tally: Tally) -> None:
        lost = [item for item in gone.values() if item.document_id is not None]
        held = sum(item.document_id is not None for item in known.values())
        if len(lost) * 2 > held and not source.confirmed:
            tally.asks = True
            tally.count("missing", len(lost))
            return
        missed = []
        for item in gone.values():
            if item.document_id is None:
                await self._items.forget(source.id, item.key)
            elif source.confirmed or item.missing + 1 >= LOOKS:
                await self._delete(source, item)
                tally.count("deleted")
            else:
                missed.append(item.key)
        await self._items.missed(source.id, missed)
        tally.count("missing", len(missed))

    async def _delete(self, source: Source, item: Item) -> None:
        with suppress(NotFound):  # deleted by a run that was killed before it could say so
            await self._knowledge.delete_document(source.tenant, item.document_id or "")
        await self._items.forget(source.id, item.key)


class _Looking:
    """At one listing, thing by thing."""

    def __init__(
        self,
        source: Source,
        base: KnowledgeBase,
        place: Place,
        items: SourceItems,
        knowledge: KnowledgeService,
        tally: Tally,
    ) -> None:
        self._source = source
        self._base = base
        self._place = place
        self._items = items
        self._knowledge = knowledge
        self._tally = tally

    async def at(self, listing: Listing, known: Mapping[str, Item], progress: Callable[[int, int], None]) -> set[str]:
        """→ keys of what was listed and is not there."""
        same: list[str] = [key for key in listing.waiting if key in known]
        vanished: set[str] = set()
        for number, entry in enumerate(listing.entries):
            progress(number, len(listing.entries))
            item = known.get(entry.key)
            if item is not None and item.reason is None and entry.mark is not None and item.mark == entry.mark:
                self._tally.count("unchanged")
                same.append(entry.key)
            elif not await self._look(entry, item):
                vanished.add(entry.key)
        await self._items.seen(self._source.id, same)
        progress(len(listing.entries), len(listing.entries))
        return vanished

    async def _look(self, entry: Entry, item: Item | None) -> bool:
        """→ whether it is there."""
        validators = item.validators if item is not None and item.reason is None else NOTHING_KNOWN
        try:
            taken = await self._place.take(self._source.tenant, entry, validators)
            await self._keep(entry, item, taken)
        except Gone:
            if item is None:
                self._tally.fail(entry.key, "address_not_found", "It was listed, and is not there.")
            return item is None
        except StillWritten:
            self._tally.count("waiting")
        except (DocumentRefused, OSError) as error:
            await self._failed(entry, item, error)
        return True

    async def _keep(self, entry: Entry, item: Item | None, taken: Taken | None) -> None:
        if taken is None and item is not None:
            self._tally.count("unchanged")
            await self._items.note(self._source, replace(item, mark=entry.mark, missing=0))
        elif taken is not None:
            content_hash = taken.stored.content_hash
            document_id = item.document_id if item is not None else None
            if item is None or document_id is None or item.content_hash != content_hash:
                document_id = await self._received(entry, item, taken)
            else:
                self._tally.count("unchanged")
            now = Item(entry.key, document_id, taken.mark or entry.mark, taken.validators, content_hash, None, 0)
            await self._items.note(self._source, now)

    async def _received(self, entry: Entry, item: Item | None, taken: Taken) -> str:
        name = await self._items.name_for(self._source, item, entry.name)
        received = await self._knowledge.receive(self._base, name, taken.stored)
        known = item is not None and item.document_id is not None
        self._tally.count("changed" if known else "new" if received.fresh else "unchanged")
        return received.document.id

    async def _failed(self, entry: Entry, item: Item | None, error: DocumentRefused | OSError) -> None:
        """Its document, if there is one, stays as it was."""
        reason = error.error_code if isinstance(error, CopilotError) else "file_unreadable"
        message = error.message if isinstance(error, CopilotError) else f"It cannot be read: {error.strerror}."
        self._tally.fail(entry.key, reason, message)
        failed = item or Item(entry.key, None, None, NOTHING_KNOWN, None, reason, 0)
        await self._items.note(self._source, replace(failed, reason=reason, missing=0))
