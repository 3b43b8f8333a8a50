"""``copilot sources``: folders, pages, sitemaps and store prefixes that are watched."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.ingest import DEFAULT_KB
from app.cli.main import Data, Json, run, settings_for
from app.cli.remote import requested
from app.cli.serving import with_service
from knowledge.errors import NotFound

if TYPE_CHECKING:
    from app.wiring import Services

POLL_SECONDS = 0.5

commands = typer.Typer(help="Places that are watched and kept up with.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(help="Its name or id.")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="sources")


@commands.command("add")
def add(  # noqa: PLR0917 (typer passes them by name)
    location: Annotated[str, typer.Argument(help="A folder, an address, a sitemap’s address, or s3://bucket/prefix.")],
    kb: Annotated[str, typer.Option("--kb", help="Knowledge base.")] = DEFAULT_KB,
    name: Annotated[str, typer.Option(help="What it is called.", show_default="made from the location")] = "",
    kind: Annotated[str, typer.Option(help="folder, url, sitemap or s3.", show_default="told by the location")] = "",
    schedule: Annotated[str, typer.Option(help="“every 30m”, “every 6h” or “daily 03:00”.")] = "every 6h",
    include: Annotated[list[str] | None, typer.Option(help="Only what matches; may be repeated.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not what matches; may be repeated.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Watch a place from now on."""
    kind = kind or kind_of(location)
    new = {
        "knowledge_base": kb,
        "kind": kind,
        "location": str(Path(location).expanduser().absolute()) if kind == "folder" else location,
        "name": name,
        "schedule": schedule,
        "include": include or [],
        "exclude": exclude or [],
    }

    async def work(http: httpx.AsyncClient, _: "Services | None") -> dict[str, Any]:
        await _ensure(http, kb)
        return await requested(http, "POST", "/v1/sources", json=new)

    made = run(with_service(settings_for(data), work))
    typer.echo(json.dumps(made, ensure_ascii=False) if as_json else f"Watched: {made['name']} ({made['schedule']})")


@commands.command("list")
def list_sources(data: Data = None, as_json: Json = False) -> None:
    """All of them, with what their last runs came to."""
    found = run(with_service(settings_for(data), lambda http, _: requested(http, "GET", "/v1/sources")))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table("name", "kind", "location", "knowledge base", "schedule", "documents", "last run")
    for source in found["sources"]:
        cells = ("name", "kind", "location", "knowledge_base", "schedule", "documents")
        table.add_row(*(escape(str(source[cell])) for cell in cells), _last(source))
    Console().print(table if found["sources"] else "No sources yet.")


@commands.command("sync")
def sync(
    source: Named,
    delete_gone: Annotated[bool, typer.Option("--delete-gone", help="Agree that what is gone is deleted.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Look at one now, and wait for the report; exit code 1 if it failed or asks."""

    async def work(http: httpx.AsyncClient, here: "Services | None") -> dict[str, Any]:
        source_id = (await _find(http, source))["id"]
        before = {each["id"] for each in (await requested(http, "GET", f"/v1/sources/{source_id}/runs"))["runs"]}
        await requested(http, "POST", f"/v1/sources/{source_id}/sync", json={"delete_gone": delete_gone})
        if here is not None:
            from app.cli.local import run_source

            await run_source(here, source_id)
        return await _report(http, source_id, before)

    report = run(with_service(settings_for(data), work))
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else _summary(report))
    raise typer.Exit(0 if report["state"] == "done" else 1)


@commands.command("remove")
def remove(
    source: Named,
    documents: Annotated[bool, typer.Option("--documents", help="Delete what came from it, too.")] = False,
    data: Data = None,
) -> None:
    """Watch one no longer."""

    async def work(http: httpx.AsyncClient, _: "Services | None") -> None:
        found = await _find(http, source)
        answer = await http.delete(f"/v1/sources/{found['id']}", params={"documents": documents})
        answer.raise_for_status()

    run(with_service(settings_for(data), work))
    typer.echo("Removed.")


def kind_of(location: str) -> str:
    """What a location looks like."""
    if location.startswith("s3://"):
        return "s3"
    if location.startswith(("http://", "https://")):
        return "sitemap" if location.partition("?")[0].endswith((".xml", ".xml.gz")) else "url"
    return "folder"


async def _ensure(http: httpx.AsyncClient, kb: str) -> None:
    known = (await requested(http, "GET", "/v1/knowledge-bases"))["knowledge_bases"]
    if kb not in {base["name"] for base in known} | {base["id"] for base in known}:
        await requested(http, "POST", "/v1/knowledge-bases", json={"name": kb})


async def _find(http: httpx.AsyncClient, name_or_id: str) -> dict[str, Any]:
    for source in (await requested(http, "GET", "/v1/sources"))["sources"]:
        if name_or_id in (source["id"], source["name"]):
            return dict(source)
    raise NotFound(f"There is no source “{name_or_id}”.", code="source_not_found")


async def _report(http: httpx.AsyncClient, source_id: str, before: set[str]) -> dict[str, Any]:
    while True:
        runs = (await requested(http, "GET", f"/v1/sources/{source_id}/runs"))["runs"]
        for each in runs:
            if each["id"] not in before and each["state"] not in ("running", "interrupted"):
                return dict(each)
        await asyncio.sleep(POLL_SECONDS)


def _last(source: dict[str, Any]) -> str:
    if source["running"]:
        return "running"
    return _summary(source["last_run"]).splitlines()[0] if source["last_run"] else ""


def _summary(report: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in report["counts"].items() if count)
    lines = [f"{report['state']}: {counts or 'nothing there'}"]
    if report["error"]:
        lines = [f"{report['state']}: {report['error']['message']} [{report['error']['code']}]"]
    if report["state"] == "asks":
        lines.append(
            "So much is gone that nothing was deleted. If that is right: copilot sources sync NAME --delete-gone"
        )
    lines += [f"  {each['key']}: {each['message']} [{each['reason']}]" for each in report["failures"]]
    return "\n".join(lines)
