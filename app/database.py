"""The schema brought to its newest revision, by Alembic, from inside our own connection."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from knowledge.database import Database

SCRIPTS = Path(__file__).parent / "migrations"


async def migrate(database: Database) -> None:
    """Upgrade to the newest revision; does nothing where it is the newest already."""
    async with database.read() as connection:
        if await connection.run_sync(_is_newest):
            return
    async with database.write() as connection:
        await connection.run_sync(_upgrade)


def newest() -> str:
    """The newest revision: each begins its file's name with its number."""
    return max(file.name for file in (SCRIPTS / "versions").glob("[0-9]*.py")).partition("_")[0]


def revision_of(connection: Connection) -> str | None:
    """Without Alembic, which takes a fifth of a second to import, in every process that starts. None: an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _is_newest(connection: Connection) -> bool:
    return revision_of(connection) == newest()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
