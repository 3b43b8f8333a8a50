"""``copilot conversations``: what was asked and answered, as a file."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from app.chat.export import Format
from app.cli.main import Data, run, settings_for
from app.settings import Settings
from knowledge.errors import Unavailable

PATH = "/v1/conversations/export"

commands = typer.Typer(help="Conversations of a running service: export.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="conversations")


@commands.callback()
def _group() -> None:
    """So that the one command has a name."""


@commands.command("export")
def export(
    form: Annotated[Format, typer.Option("--format", help="JSON lines, or a table for a spreadsheet.")] = Format.JSONL,
    since: Annotated[str | None, typer.Option(help="From this moment on (ISO 8601, UTC without a zone).")] = None,
    until: Annotated[str | None, typer.Option(help="Up to before this moment.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file; without it the standard output.")] = None,
    data: Data = None,
) -> None:
    """Every turn, with what people thought of it: a line each."""
    asked = {"format": form.value, "since": since, "until": until}
    wanted = {name: value for name, value in asked.items() if value}
    settings = settings_for(data)
    if out is None:
        run(_write(_pieces(settings, wanted), sys.stdout.buffer))
        return
    with out.open("wb") as file:
        run(_write(_pieces(settings, wanted), file))


async def _write(pieces: AsyncIterator[bytes], file: BinaryIO) -> None:
    async for piece in pieces:
        await asyncio.to_thread(file.write, piece)


async def _pieces(settings: Settings, wanted: dict[str, str]) -> AsyncIterator[bytes]:
    """Raises Unavailable ``service_unavailable``, CopilotError with the service's code."""
    from app.cli.remote import problem_of, service_client
    from app.processes.runtime import find_running

    running = None if settings.url else find_running(settings)
    url = running.url if running else settings.url
    if url is None:
        raise Unavailable("No service is running here. Start it, or set COPILOT_URL.", code="service_unavailable")
    async with service_client(url, settings.api_key) as http, http.stream("GET", PATH, params=wanted) as response:
        if response.is_error:
            await response.aread()
            raise problem_of(response)
        async for piece in response.aiter_bytes():
            yield piece
