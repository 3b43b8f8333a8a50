"""Migrations and tables say the same."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.channels.tables import handoffs
from app.chat.prompt_tables import prompt_versions
from app.chat.tables import turns
from app.database import SCRIPTS, migrate, newest
from app.identity.tables import api_keys
from app.jobs.tables import jobs
from app.llm.tables import model_calls
from knowledge.database import Database, metadata, sqlite_url
from knowledge.tables import chunks


async def test_the_newest_revision_has_the_tables_of_the_code(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "copilot.db"))
    await migrate(database)
    await migrate(database)  # a second time is nothing

    assert {table.metadata for table in (turns, api_keys, chunks, jobs, handoffs, model_calls, prompt_versions)} == {
        metadata
    }

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


def test_the_newest_revision_is_known_by_its_files_name() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == newest()
