"""``copilot up``, ``api``, ``worker``, ``doctor``: the processes and their state of health."""

import asyncio
import json
from typing import Annotated

import typer

from app.cli.main import Data, Json, settings_for
from app.processes.garbage import settle
from app.processes.runtime import Running

Host = Annotated[str | None, typer.Option(help="Address to listen on (COPILOT_HOST).", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port; 0 picks a free one (COPILOT_PORT).", show_default="8000")]
STOP_SECONDS = 2  # `copilot up` allows 2.5


def register(app: typer.Typer) -> None:
    for command in (up, api, worker, doctor):
        app.command()(command)


def up(
    data: Data = None,
    host: Host = None,
    port: Port = None,
    samples: Annotated[bool, typer.Option(help="On an empty start take in the sample documents.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what each part does.")] = False,
) -> None:
    """Run everything on this machine and print where it is. Ctrl-C stops it all."""
    from app.processes.up import run_up
    from app.samples import first_run

    settings = settings_for(data, host=host, port=port)
    # Each process migrates the database itself, behind its write lock.
    first = first_run if samples else _nothing
    raise typer.Exit(run_up(settings, migrate=_ready_as_it_is, first_run=first, verbose=verbose))


def api(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run the HTTP service alone; needs COPILOT_CHROMA_URL and COPILOT_REDIS_URL."""
    import uvicorn

    from app import telemetry
    from app.main import create_app

    settings = settings_for(data, host=host, port=port)
    telemetry.configure(settings)
    app = create_app(settings)
    settle()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def worker(
    data: Data = None,
    queues: Annotated[str, typer.Option(help="Queues to work on: text, ingest, image.")] = "text,ingest",
) -> None:
    """Run a worker alone; needs COPILOT_REDIS_URL, and COPILOT_CHROMA_URL for ingest."""
    from app import telemetry
    from app.jobs.queue import QUEUES
    from app.worker import run_worker

    names = tuple(name.strip() for name in queues.split(",") if name.strip())
    unknown = sorted(set(names) - set(QUEUES))
    if unknown or not names:
        raise typer.BadParameter(f"There is no queue “{', '.join(unknown)}”; there are {', '.join(QUEUES)}.")
    settings = settings_for(data)
    telemetry.configure(settings)
    settle()
    asyncio.run(run_worker(settings, names))


def doctor(data: Data = None, as_json: Json = False) -> None:
    """Show what is in force, from where, and what is missing. Exit code 1 if something is broken."""
    from app.doctor import examine, render

    report = asyncio.run(examine(settings_for(data)))
    typer.echo(json.dumps(report.json(), ensure_ascii=False, indent=2) if as_json else render(report))
    raise typer.Exit(0 if report.healthy else 1)


async def _nothing(_: Running) -> None:
    """What is done on a first start without samples."""


async def _ready_as_it_is() -> None:
    """What is done to the database before the processes start."""
