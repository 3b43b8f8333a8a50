"""Transactions of the ledger: plain functions of a connection, each run whole and in one step off the event loop.

SQLAlchemy's asynchronous driver of SQLite goes to a thread and back three times a statement: claiming a job made 35
such trips, and its processor time was mostly theirs. Here a transaction is one trip. SQLite lets one write at a time,
and who waits for the lock polls it, 1 to 100 ms apart; so the writers of a process do not compete for it: one thread
takes it for all that is to be written at the moment. (Jobs that do nothing, two cores that others used as well: 31 a
second before, 150 with one trip, 230 with both.)
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from knowledge.database import SQLITE_BUSY_MS, Database
from knowledge.postgres import gave_way, hold

T = TypeVar("T")
_Write: TypeAlias = tuple[Callable[[Connection], Any], "Future[Any]"]
READERS = 2
TOGETHER = 32  # transactions of a process that become one; a millisecond each, and others wait that long


class Transactions:
    """Work on a database. What is given to :meth:`write` is all done or not at all; it must bear being begun twice.

    A caller that is cancelled while it waits does not undo what was begun. Closed with the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file = _File(database.engine.sync_engine) if database.engine.dialect.name == "sqlite" else None

    async def read(self, work: Callable[[Connection], T]) -> T:
        if self._file is not None:
            return await asyncio.get_running_loop().run_in_executor(self._file.readers, self._file.read, work)
        async with self._database.read() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], T], *, of: str | None = None) -> T:
        """``of``: what it counts before it writes, where nobody else may add to that meanwhile (a tenant's jobs)."""
        if self._file is not None:
            return await asyncio.wrap_future(self._file.write(work))
        try:
            return await self._write(work, of)
        except DBAPIError as error:
            if not gave_way(error):
                raise
            return await self._write(work, of)

    async def _write(self, work: Callable[[Connection], T], of: str | None) -> T:
        async with self._database.write(None) as connection:
            if of is not None:
                await hold(connection, of)
            return await connection.run_sync(work)


class _File:
    """A SQLite file, with threads of its own: those of ``asyncio.to_thread`` may all be busy with somebody's work."""

    def __init__(self, beside: Engine) -> None:
        self._engine = create_engine(beside.url.set(drivername="sqlite"), pool_size=READERS + 1)
        event.listen(self._engine, "connect", _prepare)
        self.readers = ThreadPoolExecutor(READERS, "ledger-read")
        self._writer = ThreadPoolExecutor(1, "ledger-write")
        self._waiting: deque[_Write] = deque()
        event.listen(beside, "engine_disposed", self._close)

    def read(self, work: Callable[[Connection], T]) -> T:
        with self._transaction("BEGIN") as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        self._waiting.append((work, future))
        self._writer.submit(self._write_waiting)
        return future

    def _write_waiting(self) -> None:
        """Everything that waits, in one transaction; each by itself if one of them fails: then only that one does."""
        batch: list[_Write] = []
        while self._waiting and len(batch) < TOGETHER:
            batch.append(self._waiting.popleft())
        batch = [write for write in batch if write[1].set_running_or_notify_cancel()]
        if batch and not self._write_together(batch):
            for write in batch:
                self._write_together([write])

    def _write_together(self, batch: Sequence[_Write]) -> bool:
        begun = False
        try:
            with self._transaction("BEGIN IMMEDIATE") as connection:
                begun = True
                results = [work(connection) for work, _ in batch]
        except Exception as error:  # noqa: BLE001 (it is raised where it is waited for)
            if begun and len(batch) > 1:
                return False  # whose it is shows when each is done by itself
            for _, future in batch:
                future.set_exception(error)
            return True
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
        return True

    @contextmanager
    def _transaction(self, begin: str) -> Generator[Connection]:
        """A write takes its lock at once, so it can wait but not fail half-way."""
        with self._engine.connect() as connection, connection.begin():
            connection.exec_driver_sql(begin)
            yield connection

    def _close(self, _: Engine) -> None:
        self._writer.shutdown()
        self.readers.shutdown()
        self._engine.dispose()


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """As :mod:`knowledge.database` does: we say BEGIN ourselves."""
    raw: Any = connection
    raw.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={SQLITE_BUSY_MS}"):
        raw.execute(f"PRAGMA {pragma}")
