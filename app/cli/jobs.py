"""``copilot jobs``: have pictures and copy made, and see what became of them."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from app.cli.main import Data, Json, run, settings_for
from app.settings import Settings
from knowledge.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from app.cli.studio import Studio

commands = typer.Typer(help="Pictures and copy: run, list, show, cancel, approve, retry.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="jobs")


@commands.command("run")
def run_job(
    kind: Annotated[str, typer.Argument(help="white_background, scene, titles, …")],
    image: Annotated[Path | None, typer.Option(help="Picture to work on.", exists=True, dir_okay=False)] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field of the request, name=value; value may be JSON. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.", file_okay=False)] = Path(),
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Have something made, follow it, and keep the files."""
    console = Console(quiet=as_json, highlight=False)
    job = run(_run(settings_for(data), kind, image, fields_of(set_ or []), out, console))
    if as_json:
        typer.echo(json.dumps(job, ensure_ascii=False))
    if job["state"] != "succeeded":
        error = job["error"] or {"code": job["state"], "message": f"The job is {job['state']}."}
        typer.secho(f"{error['message']} [{error['code']}]", fg="red", err=True)
        raise typer.Exit(1)


@commands.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(help="How many.")] = 20, data: Data = None, as_json: Json = False
) -> None:
    """Jobs, newest first."""
    found = run(_with(settings_for(data), lambda studio: studio.page(limit)))
    if as_json:
        typer.echo(json.dumps({"jobs": found}, ensure_ascii=False))
        return
    table = Table("id", "kind", "state", "%", "made", "cost", "created")
    for job in found:
        cost = job["cost"]
        money = f"{cost['amount']:g} {cost['currency']}" if cost else ""
        made = str(len(job["artifacts"]) or "")
        table.add_row(
            job["id"][:12], job["kind"], job["state"], str(job["percent"]), made, money, job["created_at"][:19]
        )
    Console().print(table if found else "No jobs yet. Begin with: copilot jobs run white_background --image cup.jpg")


@commands.command("show")
def show(job_id: str, data: Data = None) -> None:
    """A job whole, as JSON; the first characters of its id are enough."""
    _print(run(_with(settings_for(data), lambda studio: _found(studio, job_id))))


@commands.command("cancel")
def cancel(job_id: str, data: Data = None) -> None:
    """End a job that has not ended."""
    _act(settings_for(data), job_id, "cancel")


@commands.command("approve")
def approve(job_id: str, data: Data = None) -> None:
    """Let a job run that waits because of its price."""
    _act(settings_for(data), job_id, "approve")


@commands.command("retry")
def retry(job_id: str, data: Data = None) -> None:
    """The same once more, as a new job."""
    _act(settings_for(data), job_id, "retry")


def fields_of(pairs: list[str]) -> dict[str, Any]:
    """``name=value`` → fields; a value that is JSON is taken as such. Raises InvalidInput ``invalid_input``."""
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not (sign and name):
            raise InvalidInput(f"“{pair}” is not name=value.", code="invalid_input")
        try:
            fields[name] = json.loads(text)
        except ValueError:
            fields[name] = text
    return fields


async def make(
    studio: "Studio", kind: str, image: Path | None, fields: dict[str, Any], console: Console
) -> dict[str, Any]:
    """Upload, submit and follow one job with a progress bar; → the job as it ended."""
    request = {**fields, **({"image": (await studio.upload(image))["id"]} if image else {})}
    job = await studio.submit(kind, request)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(kind, total=100)
        async with aclosing(studio.follow(job["id"])) as events:
            async for name, data in events:
                if name == "progress":
                    bar.update(task, completed=data["percent"], description=f"{kind}: {data['stage']}")
                elif name == "done":
                    job = data["job"]
                elif data.get("state") == "waiting":
                    break
    return job


async def keep(studio: "Studio", job: dict[str, Any], out: Path) -> list[Path]:
    """The files of a job, in a folder; a name that is taken gets the job's number."""
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    kept = []
    for artifact in job["artifacts"]:
        path = out / Path(artifact["name"]).name
        if path.exists():
            path = out / f"{path.stem}-{job['id'][:8]}{path.suffix}"
        await asyncio.to_thread(path.write_bytes, await studio.fetch(artifact))
        kept.append(path)
    return kept


async def _run(
    settings: Settings, kind: str, image: Path | None, fields: dict[str, Any], out: Path, console: Console
) -> dict[str, Any]:
    from app.cli.studio import studio

    async with studio(settings) as made:
        job = await make(made, kind, image, fields, console)
        for path in await keep(made, job, out):
            console.print(str(path))
        return job


async def _found(studio: "Studio", job_id: str) -> dict[str, Any]:
    for job in await studio.page(200):
        if job["id"].startswith(job_id):
            return job
    raise NotFound("There is no such job.", code="job_not_found")


def _act(settings: Settings, job_id: str, action: str) -> None:
    async def work(studio: "Studio") -> dict[str, Any]:
        return await studio.act((await _found(studio, job_id))["id"], action)

    job = run(_with(settings, work))
    typer.echo(f"{job['id']} {job['state']}")


async def _with(settings: Settings, work: Any) -> Any:
    from app.cli.studio import studio

    async with studio(settings) as made:
        return await work(made)


def _print(job: dict[str, Any]) -> None:
    typer.echo(json.dumps(job, ensure_ascii=False, indent=2))
