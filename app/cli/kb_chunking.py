"""``copilot kb chunking``: how a knowledge base cuts its documents."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import httpx
import typer

from app.cli.connected import with_service
from app.cli.main import Data, Json, run, settings_for
from app.cli.remote import requested
from knowledge.chunking import LARGEST, SMALLEST

if TYPE_CHECKING:  # as in app.cli.connected
    from app.wiring import Services

POLL_SECONDS = 0.5


def register(commands: typer.Typer) -> None:
    commands.command("chunking")(chunking)


def chunking(
    kb: Annotated[str, typer.Argument(help="Its name or id.")],
    size: Annotated[int | None, typer.Option(help=f"Characters of a chunk, {SMALLEST} to {LARGEST}.")] = None,
    overlap: Annotated[int | None, typer.Option(help="Characters that neighbours share.")] = None,
    join_small: Annotated[
        bool | None, typer.Option("--join-small/--no-join-small", help="Small sections share a chunk.")
    ] = None,
    row_by_row: Annotated[
        bool | None, typer.Option("--row-by-row/--no-row-by-row", help="Each row of a table is a chunk.")
    ] = None,
    rechunk: Annotated[
        bool, typer.Option("--rechunk/--no-rechunk", help="Cut the documents that are there anew.")
    ] = True,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show how documents are cut; with options, cut them so from now on, and wait until those there are."""
    given = {"size": size, "overlap": overlap, "join_small": join_small, "row_by_row": row_by_row}
    changes = {name: value for name, value in given.items() if value is not None}

    async def work(http: httpx.AsyncClient, here: "Services | None") -> dict[str, Any]:
        path = f"/v1/knowledge-bases/{quote(kb, safe='')}/chunking"
        if changes:
            await requested(http, "PATCH", path, json={**changes, "rechunk": rechunk})
        if here is not None and changes:
            from app.cli.local import take_in_received

            await take_in_received(here, kb)
        while True:
            found = await requested(http, "GET", path)
            if not (changes and found["documents"]["under_way"]):
                return found
            await asyncio.sleep(POLL_SECONDS)

    found = run(with_service(settings_for(data), work))
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else _line(found))


def _line(found: dict[str, Any]) -> str:
    options = {"small sections share a chunk": found["join_small"], "a chunk for each row": found["row_by_row"]}
    chosen = [f"size {found['size']}", f"overlap {found['overlap']}", *(name for name, on in options.items() if on)]
    documents = found["documents"]
    return f"{', '.join(chosen)}; {documents['as_chosen']} of {documents['total']} documents are cut so."
