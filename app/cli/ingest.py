"""``copilot ingest`` and ``copilot search``."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli.backend import FileReport, backend
from app.cli.explaining import explained
from app.cli.main import Data, Json, run, settings_for
from app.settings import Settings
from ingest.sources import SourceFile, expand

DEFAULT_KB = "default"
KbOption = Annotated[str, typer.Option("--kb", help="Knowledge base; made if it is not there.")]
MARKS = {"live": "[green]✓[/]", "unchanged": "[dim]=[/]", "failed": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    app.command("ingest")(ingest)
    app.command("search")(search)


def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs or addresses.")],
    kb: KbOption = DEFAULT_KB,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take documents into a knowledge base. Unchanged ones cost nothing; exit code 1 if any failed."""
    addresses = [path for path in paths if path.startswith(("http://", "https://"))]
    files = expand([path for path in paths if path not in addresses])
    reports = run(_ingest(settings_for(data), kb, files, addresses, quiet=as_json))
    counts = Counter(report.state for report in reports)
    if as_json:
        summary = {state: counts[state] for state in MARKS}
        typer.echo(json.dumps({"files": [asdict(r) for r in reports], "summary": summary}, ensure_ascii=False))
    else:
        embedded = sum(report.embedded or 0 for report in reports)
        typer.echo(
            f"{counts['live']} taken in, {counts['unchanged']} unchanged, {counts['failed']} failed; "
            f"{embedded} chunks embedded. Knowledge base: {kb}"
        )
    raise typer.Exit(1 if counts["failed"] else 0)


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    kb: Annotated[str, typer.Option("--kb", help="Knowledge base.")] = DEFAULT_KB,
    limit: Annotated[int, typer.Option("-k", "--limit", min=1, max=100, help="Passages.")] = 10,
    explain: Annotated[
        str, typer.Option(help="A document, a chunk’s id or a text: say why it is not found.", show_default="nothing")
    ] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Find passages, with the score of each stage."""
    found = run(_search(settings_for(data), kb, query, limit, explain))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    console = Console()
    if not found["passages"]:
        console.print("Nothing found.")
    for number, passage in enumerate(found["passages"], 1):
        scores = passage["scores"]
        stages = " · ".join(
            f"{stage} {scores[stage]:.3f} (#{scores[stage + '_rank']})"
            for stage in ("dense", "lexical")
            if scores[stage] is not None
        )
        where = " > ".join(part for part in (passage["document"], passage["heading"]) if part)
        console.print(f"[bold cyan]{number}[/] [bold]{where}[/]  [dim]{stages}[/]", highlight=False)
        console.print(passage["text"][:300], style="default", highlight=False, markup=False)
        console.print()
    if explain:
        console.print("\n".join(explained(found["explanation"])), highlight=False, markup=False)


async def _ingest(
    settings: Settings, kb: str, files: list[SourceFile], addresses: list[str], *, quiet: bool
) -> list[FileReport]:
    reports: list[FileReport] = []
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )
    with progress:
        task = progress.add_task(f"→ {kb}", total=len(files) + len(addresses))

        async def report(done: FileReport) -> None:
            reports.append(done)
            progress.advance(task)
            progress.console.print(_line(done), highlight=False)

        async def silent(done: FileReport) -> None:
            reports.append(done)

        async with backend(settings) as connected:
            await connected.ingest(kb, files, silent if quiet else report, addresses=addresses)
    return sorted(reports, key=lambda done: done.name)


async def _search(settings: Settings, kb: str, query: str, limit: int, explain: str) -> dict[str, Any]:
    async with backend(settings) as connected:
        return await connected.search(kb, query, limit, explain=explain)


def _line(done: FileReport) -> str:
    from rich.markup import escape

    detail = f"{done.reason}: {done.message}" if done.state == "failed" else f"{done.chunks} chunks"
    if done.state == "live" and not done.chunks and done.message:  # an archive: what became of its files
        detail = done.message
    elif done.embedded is not None and done.state == "live":
        detail += f", {done.embedded} embedded"
    return f"{MARKS[done.state]} {escape(done.name)}  [dim]{escape(detail)}[/]"
