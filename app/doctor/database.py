"""The database: whether it answers, what it is, how far it is migrated; and what several machines have to share."""

from sqlalchemy import Connection

from app.doctor.reaching import unreachable
from app.doctor.report import Finding
from app.doctor.sources import without_password
from app.processes.words import Param
from app.settings import Settings
from knowledge.errors import CopilotError

SHARED = {"COPILOT_FILES_FOLDER": "files_folder", "COPILOT_ARTIFACTS_URL": "artifacts_url", "COPILOT_SECRET": "secret"}
OLDEST = 12  # of PostgreSQL; what is older is not maintained any more


async def database(settings: Settings) -> list[Finding]:
    if not database_exists(settings):
        return [Finding("ok", "database_new")]
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    from knowledge.database import Database

    url = without_password(settings.database)
    try:
        opened = Database(settings.database)
        try:
            async with opened.read() as connection:
                known = await connection.run_sync(_known)
        finally:
            await opened.close()
    except DBAPIError as exc:
        said = exc.orig if isinstance(exc.orig, Exception) else exc
        return [unreachable("database", "COPILOT_DATABASE_URL", url, said)]
    except (
        SQLAlchemyError,
        OSError,
        ImportError,
        CopilotError,
        TypeError,
    ) as exc:  # TypeError: an option of another driver
        return [unreachable("database", "COPILOT_DATABASE_URL", url, exc)]
    return [_finding({"url": url, **known})]


async def shared(settings: Settings) -> list[Finding]:
    """A database server may be used from several machines."""
    if not settings.database_url or settings.database_url.startswith("sqlite"):
        return []
    missing = [name for name, field in SHARED.items() if getattr(settings, field) is None]
    if not missing:
        return [Finding("ok", "shared_set")]
    return [Finding("note", "shared_missing", {"names": ", ".join(missing), "path": str(settings.data.absolute())})]


def database_exists(settings: Settings) -> bool:
    return bool(settings.database_url) or (settings.data / "copilot.db").exists()


def _known(connection: Connection) -> dict[str, Param]:
    """Reads the file, unlike SELECT 1."""
    from sqlalchemy import inspect

    from app.database import newest, revision_of

    version = ".".join(map(str, connection.dialect.server_version_info or ()))
    known: dict[str, Param] = {"program": connection.dialect.name, "version": version}
    tables = inspect(connection).get_table_names()
    return known | {"tables": len(tables), "revision": revision_of(connection) or "", "newest": newest()}


def _finding(known: dict[str, Param]) -> Finding:
    if known["program"] == "postgresql" and int(str(known["version"]).partition(".")[0]) < OLDEST:
        return Finding("error", "database_old", known | {"oldest": OLDEST})
    if not known["revision"]:
        return Finding("ok", "database_empty", known)
    code = "database_reached" if known["revision"] == known["newest"] else "database_behind"
    return Finding("ok", code, known) if str(known["revision"]) <= str(known["newest"]) else _ahead(known)


def _ahead(known: dict[str, Param]) -> Finding:
    return Finding("error", "database_ahead", known)
