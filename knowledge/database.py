"""The SQL connection: SQLite (WAL) on one machine, PostgreSQL on many; one interface for both."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Executable,
    MetaData,
    Row,
    Select,
    create_engine,
    event,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from knowledge.postgres import async_url, connected, gave_way, hold, postgres_engine

SQLITE_BUSY_MS = 15_000
EVERYTHING = ""
QUICK_BUSY_MS = 5  # what holds up everybody; then a thread waits

# With its values beside it, a statement can be made once: that takes a sixth of the time of building it with them.
Change: TypeAlias = Executable | tuple[Executable, Mapping[str, Any]]
Done = TypeVar("Done")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A point in time, always UTC and aware on both sides (SQLite by itself forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (interface)
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (interface)
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    return datetime.now(UTC)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


class Database:
    """An engine with two ways in: :meth:`read` and :meth:`write`, each one transaction. What has many statements and
    is done often is a function for :meth:`change`: SQLite then does all of it in one thread, instead of handing every
    statement to one and back four times.

    :meth:`rows` and :meth:`apply` are the same for what every question needs: a few rows by key. SQLite does that
    faster than it can be handed to a thread and back (0.35 ms instead of 2.7), so it is done where it is asked for.
    """

    def __init__(self, url: str) -> None:
        # Errors are logged, and what people wrote is not: so they don't show the values of a statement.
        where = async_url(url)
        self._quick: _Here | None = None
        self._writer = ThreadPoolExecutor(1, "sqlite-changes")  # one at a time may write; waiting here costs nothing
        if where.get_backend_name() == "postgresql":
            self.engine: AsyncEngine = postgres_engine(where)
        else:
            self.engine = create_async_engine(where, hide_parameters=True)
            _configure_sqlite(self.engine.sync_engine, busy_ms=SQLITE_BUSY_MS, reads="BEGIN")
            self._quick = _Here(where.set(drivername="sqlite"), busy_ms=QUICK_BUSY_MS)
            self._beside = _Here(where.set(drivername="sqlite"), busy_ms=SQLITE_BUSY_MS)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one moment, however many statements it has."""
        async with self._connected() as connection:
            if self._quick is None:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self, of: str | None = EVERYTHING) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write, while nobody else changes what it has read.

        SQLite lets one write at a time. So does PostgreSQL here, unless it is said ``of`` what a transaction is (a
        knowledge base's id): then those of other things go on beside it. One of None waits for nobody and has to be
        right whatever is written meanwhile, as a single statement by key is.
        """
        async with self._connected() as connection:
            await connection.execution_options(writes=True)
            async with connection.begin():
                if self._quick is None and of is not None:
                    if of != EVERYTHING:
                        await hold(connection, EVERYTHING, shared=True)
                    await hold(connection, of)
                yield connection

    async def change(self, work: Callable[[Connection], Done], of: str | None = EVERYTHING) -> Done:
        """What ``work`` does, which waits for nothing but its statements, in a transaction as that of :meth:`write`.

        Whoever is cancelled meanwhile is so when the transaction has ended.
        """
        if self._quick is None:
            async with self.write(of) as connection:
                return await connection.run_sync(work)
        changing = asyncio.get_running_loop().run_in_executor(self._writer, self._beside.changed, work)
        try:
            return await asyncio.shield(changing)
        except asyncio.CancelledError:
            await asyncio.wait({changing})
            raise

    async def all_rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """The rows of one query, however many."""
        if self._quick is not None:
            return await asyncio.to_thread(self._beside.rows, query, values)
        return await self.rows(query, values)

    async def rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """The rows of one small query: some by key, none that looks at a whole table."""
        found: Sequence[Row[Any]]
        if self._quick is not None:
            try:
                return self._quick.rows(query, values)
            except OperationalError:  # locked, as rarely as the file is put in order; a thread waits for it
                pass
        async with self._connected() as connection:
            if self._quick is None:  # one statement sees one moment by itself
                await connection.execution_options(isolation_level="AUTOCOMMIT")
            found = (await connection.execute(query, values)).all()
        return found

    async def apply(self, *changes: Change) -> None:
        """A few small changes by key in one transaction."""
        if self._quick is not None and self._quick.applied(changes):
            return
        try:
            await self._applied(changes)
        except DBAPIError as error:
            if not gave_way(error):
                raise
            await self._applied(changes)

    async def _applied(self, changes: Sequence[Change]) -> None:
        async with self.write(of=None) as connection:
            for change in changes:
                await connection.execute(*_with_values(change))

    def _connected(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.engine.connect() if self._quick is not None else connected(self.engine)

    async def close(self) -> None:
        await self.engine.dispose()
        self._writer.shutdown()
        if self._quick is not None:
            self._quick.close()
            self._beside.close()


class _Here:
    """SQLite without a thread between. Connections stay open, one to read and one to write for each thread that asks:
    to take one from a pool and give it back costs as much as a statement (33 µs of 67 for a row by key).
    """

    def __init__(self, url: URL, *, busy_ms: int) -> None:
        self._engine = create_engine(url, hide_parameters=True)
        _configure_sqlite(self._engine, busy_ms=busy_ms, reads=None)  # one statement is a transaction
        self._writer = self._engine.execution_options(writes=True)
        self._mine = threading.local()
        self._open: list[Connection] = []

    def rows(self, query: Select[Any], values: Mapping[str, Any] | None) -> Sequence[Row[Any]]:
        connection = self._held("reads", self._engine)
        try:
            return connection.execute(query, values).all()
        finally:
            connection.rollback()

    def applied(self, changes: Sequence[Change]) -> bool:
        """→ False when somebody else writes, so that a thread has to wait."""
        connection = self._held("writes", self._writer)
        try:
            with connection.begin():
                for change in changes:
                    connection.execute(*_with_values(change))
        except OperationalError as error:
            if "locked" in str(error.orig):
                return False
            raise
        return True

    def changed(self, work: Callable[[Connection], Done]) -> Done:
        connection = self._held("writes", self._writer)
        with connection.begin():
            return work(connection)

    def close(self) -> None:
        for connection in self._open:
            connection.close()
        self._mine = threading.local()
        self._open = []
        self._engine.dispose()

    def _held(self, name: str, engine: Engine) -> Connection:
        connection: Connection | None = getattr(self._mine, name, None)
        if connection is None:
            connection = engine.connect()
            setattr(self._mine, name, connection)
            self._open.append(connection)
        return connection


def _with_values(change: Change) -> tuple[Executable, Mapping[str, Any] | None]:
    return change if isinstance(change, tuple) else (change, None)


def _configure_sqlite(engine: Engine, *, busy_ms: int, reads: str | None) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own transaction handling is switched off: we say BEGIN ourselves, below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={busy_ms}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        if begin := "BEGIN IMMEDIATE" if writes else reads:
            connection.exec_driver_sql(begin)  # not by a cursor: what it raises has to be SQLAlchemy's
