"""Transactions that become one are still each all or nothing, and each its own."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from app.jobs.transactions import Transactions
from knowledge.database import Database, sqlite_url


@pytest.fixture
async def sql(tmp_path: Path) -> AsyncIterator[Transactions]:
    database = Database(sqlite_url(tmp_path / "t.db"))
    async with database.write() as connection:
        await connection.exec_driver_sql("CREATE TABLE kept (n INTEGER PRIMARY KEY)")
    yield Transactions(database)
    await database.close()


def put(*numbers: int):  # type: ignore[no-untyped-def]
    def work(connection: Connection) -> int:
        for number in numbers:
            connection.exec_driver_sql("INSERT INTO kept VALUES (?)", (number,))
        return numbers[-1]

    return work


def kept(connection: Connection) -> list[int]:
    return list(connection.exec_driver_sql("SELECT n FROM kept ORDER BY n").scalars())


class Held:
    """Keeps the writer busy, so that what is written meanwhile comes together."""

    def __init__(self, sql: Transactions) -> None:
        self._going, self._on = threading.Event(), threading.Event()
        self._work = asyncio.ensure_future(sql.write(self._wait))

    def _wait(self, _: Connection) -> None:
        self._going.set()
        self._on.wait(10)

    async def __aenter__(self) -> None:
        await asyncio.to_thread(self._going.wait, 10)

    async def __aexit__(self, *_: object) -> None:
        self._on.set()
        await self._work


async def test_each_gets_its_own_result_whether_together_or_alone(sql: Transactions) -> None:
    async with Held(sql):
        together = [asyncio.ensure_future(sql.write(put(n))) for n in range(100)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*together) == list(range(100))
    assert await sql.write(put(100)) == 100
    assert await sql.read(kept) == list(range(101))


async def test_one_that_fails_takes_nobody_along_and_leaves_nothing_of_itself(sql: Transactions) -> None:
    async with Held(sql):
        together = [asyncio.ensure_future(sql.write(work)) for work in (put(1), put(2, 3, 1), put(4))]
        await asyncio.sleep(0)
    first, second, third = await asyncio.gather(*together, return_exceptions=True)
    assert (first, third) == (1, 4)
    assert isinstance(second, IntegrityError)
    assert await sql.read(kept) == [1, 4]


async def test_one_whose_caller_gave_up_before_it_began_is_not_begun(sql: Transactions) -> None:
    async with Held(sql):
        unwanted, wanted = (asyncio.ensure_future(sql.write(put(n))) for n in (1, 2))
        await asyncio.sleep(0)
        unwanted.cancel()
        await asyncio.sleep(0)
    assert await wanted == 2
    assert await sql.read(kept) == [2]


async def test_another_process_that_writes_is_waited_for(sql: Transactions, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(sql.write(put(1)))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert await sql.read(kept) == []  # who reads waits for nobody
    other.execute("COMMIT")
    assert await waiting == 1
    other.close()


async def test_a_lock_that_is_never_given_back_is_an_error_for_each(sql: Transactions, tmp_path: Path) -> None:
    await sql.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=50"))
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    failed = await asyncio.gather(*(sql.write(put(n)) for n in range(5)), return_exceptions=True)
    assert all(isinstance(error, OperationalError) for error in failed)
    other.execute("ROLLBACK")
    assert await sql.write(put(1)) == 1
    other.close()
