"""Runs sources when they are due: a source at a time, two in a process, none in two processes."""

import asyncio
import logging
import os
import socket
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from app.chat.background import Background
from app.sources.models import Tally
from app.sources.places import Places
from app.sources.store import SourceLease, SourceLeaseLost, SourceStore
from app.sources.sync import Synchroniser
from knowledge.database import now
from knowledge.errors import CopilotError

AT_A_TIME = 2
BEAT_SECONDS = 2.0

log = logging.getLogger(__name__)


class Keeper:
    """Call :meth:`begin_due` every few seconds, in a process that takes documents in."""

    def __init__(self, store: SourceStore, places: Places, synchroniser: Synchroniser, background: Background) -> None:
        self._store = store
        self._places = places
        self._synchroniser = synchroniser
        self._background = background
        self._running = 0

    async def begin_due(self) -> int:
        """→ how many runs were begun; they go on in the background."""
        begun = 0
        while self._running < AT_A_TIME:
            lease = await self._store.claim(_owner())
            if lease is None:
                break
            self._running += 1
            begun += 1
            self._background.begin(self._counted(lease), name=f"source {lease.source.id}")
        return begun

    async def run(self, source_id: str) -> bool:
        """Run this one here and now; False where somebody runs it already."""
        lease = await self._store.claim(_owner(), source_id=source_id)
        if lease is not None:
            await self._run(lease)
        return lease is not None

    async def _counted(self, lease: SourceLease) -> None:
        try:
            await self._run(lease)
        finally:
            self._running -= 1

    async def _run(self, lease: SourceLease) -> None:
        log.info("source begun id=%s kind=%s", lease.source.id, lease.source.kind)
        try:
            await self._to_its_end(lease)
        except asyncio.CancelledError:
            await asyncio.shield(self._store.give_back(lease))
            raise

    async def _to_its_end(self, lease: SourceLease) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = _Watch(self._store, lease)
                beat = tasks.create_task(watch.beat())
                tally, state, error = await self._synchronised(lease, watch)
                beat.cancel()
            following = lease.source.schedule.next_after(now())
            await self._store.finish(lease, tally, state, next_run_at=following, error=error)
            log.info("source done id=%s state=%s counts=%s", lease.source.id, state, tally.counts)
        except* SourceLeaseLost:
            log.info("source overtaken or removed id=%s", lease.source.id)
        except* SQLAlchemyError:
            log.exception("source left to its lease id=%s", lease.source.id)

    async def _synchronised(self, lease: SourceLease, watch: "_Watch") -> tuple[Tally, str, tuple[str, str] | None]:
        tally = Tally()
        try:
            place = self._places.of(lease.source)
            await self._synchroniser.run(lease.source, place, tally, watch.progress)
        except CopilotError as error:
            return tally, "failed", (error.error_code, error.message)
        except (SQLAlchemyError, SourceLeaseLost):
            raise
        except Exception:  # the edge of a run: it always ends with a report
            log.exception("source crashed id=%s", lease.source.id)
            return tally, "failed", ("internal", "Something went wrong here; the log has the details.")
        return tally, "asks" if tally.asks else "done", None


class _Watch:
    """Keeps the lease, and tells how far the run is."""

    def __init__(self, store: SourceStore, lease: SourceLease) -> None:
        self._store = store
        self._lease = lease
        self._done = (0, 0)

    def progress(self, done: int, total: int) -> None:
        self._done = (done, total)

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            done, total = self._done
            await self._store.renew(self._lease, done=done, total=total)


def _owner() -> str:
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid4().hex[:12]}"
