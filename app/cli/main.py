"""``copilot``: one command line for people and scripts. Every command that prints data has ``--json``."""

import asyncio
import sys
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.processes.garbage import collect_rarely
from app.settings import Settings
from knowledge.errors import CopilotError

T = TypeVar("T")

Data = Annotated[Path | None, typer.Option(help="Data folder (COPILOT_DATA).", show_default="./data")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

app = typer.Typer(
    name="copilot",
    help="Merchant Copilot: cited answers from your own documents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main() -> None:
    """Entry of the console script."""
    collect_rarely()
    from app.cli import (
        ask,
        bases,
        cache,
        conversations,
        demo,
        ingest,
        jobs,
        keys,
        mcp,
        service,
        sources,
        users,
    )  # commands register themselves

    for module in (service, ingest, bases, sources, ask, jobs, demo, mcp, keys, users, cache, conversations):
        module.register(app)
    for plugin in entry_points(group="copilot.commands"):
        plugin.load()(app)
    with one_sentence():
        app()


@contextmanager
def one_sentence() -> Generator[None]:
    """An expected error is one sentence on stderr and exit code 1."""
    try:
        yield
    except CopilotError as error:
        typer.secho(f"{error.message} [{error.error_code}]", fg="red", err=True)
        sys.exit(1)


def settings_for(data: Path | None = None, **overrides: Any) -> Settings:
    """The settings in force for a command: its options, then the environment, then ``.env``."""
    given = {name: value for name, value in {"data": data, **overrides}.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        from app.doctor import invalid_settings

        raise invalid_settings(error) from error
    except SettingsError as error:
        from app.doctor import unreadable_settings

        raise unreadable_settings(error) from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; an error of a task group leaves as itself."""
    try:
        return asyncio.run(work)
    except* CopilotError as group:
        raise _first(group) from None
    except* KeyboardInterrupt:
        sys.exit(130)


def _first(group: BaseExceptionGroup[CopilotError]) -> CopilotError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, CopilotError)  # noqa: S101 (except* gave us only these)
    return error
