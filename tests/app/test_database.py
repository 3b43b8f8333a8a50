"""Migrations and tables say the same."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
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
from knowledge.vector_ledger import VectorLedger

ONE_VECTOR = """
INSERT INTO tenants (id, name, created_at) VALUES ('t', 't', '2026-11-22');
INSERT INTO knowledge_bases (id, tenant, name, embedding_model, epoch, created_at)
VALUES ('k', 't', 'shop', 'old-1', 1, '2026-11-22');
INSERT INTO documents
(id, tenant, kb_id, name, status, content_hash, size, version, progress, attempts, created_at, updated_at)
VALUES ('d', 't', 'k', 'a.md', 'live', 'h', 1, 1, 100, 0, '2026-11-22', '2026-11-22');
INSERT INTO vectors (chunk_id, tenant, kb_id, document_id, fingerprint, written) VALUES ('c', 't', 'k', 'd', 'f', 1)
"""


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


async def test_vectors_written_before_there_were_several_models_are_of_their_bases_model(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "copilot.db"))

    def before(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0011")
        for row in ONE_VECTOR.split(";"):
            connection.exec_driver_sql(row)

    async with database.write() as connection:
        await connection.run_sync(before)
    await migrate(database)
    assert await VectorLedger(database).known("d") == [("c", "old-1", "f", True)]
    await database.close()
