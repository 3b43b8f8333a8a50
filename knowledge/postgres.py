"""What lets PostgreSQL hold what SQLite holds, so that nothing above the connection has to know which one it is.

Lengths in our tables say what is meant and are checked where something comes in; SQLite keeps what is longer, and so
does this. A text may hold NUL, which PostgreSQL refuses: it becomes U+FFFD.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

from sqlalchemy import URL, String, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles

from knowledge.errors import InvalidInput

_Values: TypeAlias = tuple[Any, ...]
_DRIVER = "postgresql+asyncpg"
_DRIVERS = {"postgres", "postgresql", _DRIVER}
# Its compiler of expressions pays for reports, and costs 50 ms in the middle of a question.
_SESSION = {"jit": "off", "application_name": "merchant-copilot"}
_AWAY = ("08", "53", "57")  # classes of SQLSTATE: connection lost, out of resources, shut down
_GIVE_WAY = {"40001", "40P01"}  # serialization_failure, deadlock_detected: nothing was done, the same work may succeed


def async_url(given: str) -> URL:
    """As hosts write it, too: ``postgres://…?sslmode=require``. Raises InvalidInput ``setting_invalid``."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise _unusable() from None  # what cannot be read may have a password in it
    if url.drivername == "sqlite+aiosqlite":
        return url
    if url.drivername not in _DRIVERS:
        raise _unusable()
    renamed = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    return url.set(drivername=_DRIVER, query=renamed)


def postgres_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_pre_ping=True, hide_parameters=True, connect_args={"server_settings": _SESSION}
    )
    event.listen(engine.sync_engine, "before_cursor_execute", _without_nul, retval=True)
    return engine


async def hold(connection: AsyncConnection, thing: str, *, shared: bool = False) -> None:
    """Wait until nobody else holds a thing, or nobody but those who share it; it is held until the transaction ends."""
    lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
    await connection.execute(select(lock(func.hashtextextended(thing, 0))))


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A server that is not there, stops or is full is an OperationalError, whatever the driver makes of it."""
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except OSError as error:
            raise OperationalError(None, None, error) from error
        except DBAPIError as error:
            raise _away(error) from error
        try:
            yield connection
        except DBAPIError as error:
            raise _away(error) from error


def _away(error: DBAPIError) -> DBAPIError:
    gone = error.connection_invalidated or str(getattr(error.orig, "sqlstate", None)).startswith(_AWAY)
    return OperationalError(error.statement, None, error.orig or error, hide_parameters=True) if gone else error


def gave_way(error: DBAPIError) -> bool:
    """Whether two transactions waited for each other, and this one was ended for it."""
    return getattr(error.orig, "sqlstate", None) in _GIVE_WAY


def _unusable() -> InvalidInput:
    return InvalidInput(
        "COPILOT_DATABASE_URL: write postgresql://user:password@host/database, or leave it empty for SQLite.",
        code="setting_invalid",
    )


@compiles(String, "postgresql")
def _any_length(*_: Any, **__: Any) -> str:
    return "VARCHAR"


def _without_nul(  # the interface of SQLAlchemy's event
    _connection: Any, _cursor: Any, statement: str, values: _Values | Sequence[_Values], _context: Any, many: bool
) -> tuple[str, _Values | Sequence[_Values]]:
    return statement, [_clean(row) for row in values] if many else _clean(values)  # type: ignore[arg-type]


def _clean(row: _Values) -> _Values:
    return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)
