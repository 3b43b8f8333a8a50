"""What the code relies on of its database: SQLite in a folder, and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import OperationalError

import app.wiring  # noqa: F401 (every table of ours)
from app.database import migrate, newest
from app.jobs.ledger import Ledger
from app.jobs.models import Limits
from app.jobs.rows import NewJob
from knowledge.catalog import Catalog
from knowledge.database import Database, metadata, now, sqlite_url
from knowledge.errors import Conflict
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.tables import knowledge_bases, tenants
from knowledge.versions import Versions
from tests import postgres
from tests.products import database_of

PROCESSES = 3


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[list[Database]]:
    """As several processes have it open."""
    databases = [Database(url) for _ in range(PROCESSES)]
    try:
        yield databases
    finally:
        for database in databases:
            await database.close()


@pytest.fixture
async def databases(tmp_path: Path) -> AsyncIterator[list[Database]]:
    async with opened(database_of(tmp_path)) as all_:
        await Catalog(all_[0]).ensure_tenant(DEFAULT_TENANT, "default")
        yield all_


async def shop(database: Database) -> KnowledgeBase:
    return await Catalog(database).create_knowledge_base(DEFAULT_TENANT, "shop", embedding_model="m")


async def test_processes_that_start_at_once_migrate_it_once_and_it_has_the_tables_of_the_code(tmp_path: Path) -> None:
    url = postgres.server().fresh(uuid4().hex) if postgres.chosen else sqlite_url(tmp_path / "empty.db")
    async with opened(url) as databases:
        await asyncio.gather(*(migrate(database) for database in databases))

        def differences(connection: Connection) -> list[object]:
            context = MigrationContext.configure(connection)
            assert context.get_current_revision() == newest()
            return list(compare_metadata(context, metadata))

        async with databases[0].read() as connection:
            assert await connection.run_sync(differences) == []


async def test_what_one_reads_before_it_writes_nobody_changes_meanwhile(databases: list[Database]) -> None:
    kb = await shop(databases[0])
    mine = knowledge_bases.c.id == kb.id

    async def count(database: Database, of: str) -> None:
        async with database.write(of) as connection:
            epoch = await connection.scalar(select(knowledge_bases.c.epoch).where(mine))
            await asyncio.sleep(0.01)
            await connection.execute(update(knowledge_bases).where(mine).values(epoch=epoch + 1))

    await asyncio.gather(*(count(database, of) for database in databases for of in (kb.id, "", kb.id)))
    assert (await Catalog(databases[0]).knowledge_base(DEFAULT_TENANT, "shop")).epoch == PROCESSES * 3


async def test_a_small_change_waits_for_whoever_writes(databases: list[Database]) -> None:
    kb = await shop(databases[0])
    renamed = update(knowledge_bases).where(knowledge_bases.c.id == kb.id).values(name="renamed")
    async with asyncio.TaskGroup() as tasks, databases[0].write() as writing:
        await writing.execute(update(knowledge_bases).values(epoch=7))
        changing = tasks.create_task(databases[1].apply(renamed))
        await asyncio.sleep(0.1)
        assert not changing.done()
    found = await Catalog(databases[2]).knowledge_base(DEFAULT_TENANT, kb.id)
    assert (found.name, found.epoch) == ("renamed", 7)


async def test_a_transaction_that_reads_sees_one_moment(databases: list[Database]) -> None:
    one, other, *_ = databases
    async with one.read() as connection:
        before = (await connection.execute(select(tenants.c.id))).all()
        await Catalog(other).ensure_tenant("new", "new")
        assert (await connection.execute(select(tenants.c.id))).all() == before


async def test_a_document_received_by_several_at_once_is_one_document(databases: list[Database]) -> None:
    kb = await shop(databases[0])
    given = {"content_hash": "h", "size": 1}
    calls = (Versions(database).receive(kb, "a.md", **given) for database in databases)  # type: ignore[arg-type]
    received = await asyncio.gather(*calls)
    assert len({document_id for document_id, _ in received}) == 1
    assert sorted(fresh for _, fresh in received) == [False, False, True]


async def test_jobs_asked_for_at_once_stay_within_the_days_limit(databases: list[Database]) -> None:
    ledgers = [Ledger(database, Limits(daily_jobs=4)) for database in databases]
    new = [NewJob(DEFAULT_TENANT, "echo", "text", {"n": number}) for number in range(4)]
    asked = (ledger.add(job) for ledger in ledgers for job in new)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert {error.error_code for error in refused} == {"daily_limit_reached"}
    assert len(answers) - len(refused) == 4


async def test_the_same_job_asked_for_at_once_is_one(databases: list[Database]) -> None:
    same = NewJob(DEFAULT_TENANT, "echo", "text", {}, idempotency_key="k")
    made = await asyncio.gather(*(Ledger(database).add(same) for database in databases))
    assert len({job.id for job, _ in made}) == 1


@pytest.mark.parametrize("text", ["长" * 5000, "a\0b", "😀"])
async def test_it_keeps_what_people_write(databases: list[Database], text: str) -> None:
    tenant = uuid4().hex
    await databases[0].apply(insert(tenants).values(id=tenant, name=text, created_at=now()))
    (kept,) = await databases[1].rows(select(tenants.c.name).where(tenants.c.id == tenant))
    assert kept.name in (text, text.replace("\0", "\ufffd"))


async def test_names_are_found_whatever_their_case_and_folders_only_in_theirs(databases: list[Database]) -> None:
    catalog, kb = Catalog(databases[0]), await shop(databases[0])
    for name in ("Docs/Price_List.md", "docs/other.md", "a%b.md"):
        await Versions(databases[0]).receive(kb, name, content_hash=name, size=1)

    async def named(contains: str) -> list[str]:
        return sorted(document.name for document in (await catalog.documents(kb, contains=contains))[0])

    assert await named("price") == ["Docs/Price_List.md"]
    assert await named("%") == ["a%b.md"]
    assert [document.name for document in await catalog.documents_below(kb, "docs/")] == ["docs/other.md"]


async def test_a_server_that_is_away_or_ends_a_connection_is_one_kind_of_error(databases: list[Database]) -> None:
    if not postgres.chosen:
        pytest.skip("SQLite is a file")
    away = Database("postgresql://u:p@127.0.0.1:1/d")
    with pytest.raises(OperationalError):
        await away.rows(select(tenants.c.id))
    await away.close()
    one, other, _ = databases

    async def ended_midway() -> None:
        async with one.write() as connection:
            pid = await connection.scalar(select(func.pg_backend_pid()))
            await other.rows(select(func.pg_terminate_backend(pid)))
            await connection.execute(select(tenants.c.id))

    with pytest.raises(OperationalError):
        await ended_midway()
    assert await one.rows(select(tenants.c.id))
