"""``copilot kb snapshot, restore, publications, undo``: a knowledge base as a file, and as it was before."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.connected import with_service
from app.cli.main import Data, Json, run, settings_for
from app.cli.remote import problem_of, requested
from knowledge.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from app.wiring import Services

NAMES_SHOWN = 3
PIECE = 1 << 20

Named = Annotated[str, typer.Argument(help="Knowledge base.")]


def register(commands: typer.Typer) -> None:
    for command in (snapshot, restore, publications, undo):
        commands.command()(command)


def snapshot(
    kb: Named,
    out: Annotated[Path, typer.Option(help="File to write; one that is there is replaced.")],
    vectors: Annotated[bool, typer.Option(help="With the vectors, so that none have to be made again.")] = True,
    data: Data = None,
) -> None:
    """Write what is live in a knowledge base to one file."""

    async def work(http: httpx.AsyncClient, _: "Services | None") -> int:
        return await _saved(http, f"/v1/knowledge-bases/{kb}/snapshot", out, vectors=vectors)

    typer.echo(f"{out}: {run(with_service(settings_for(data), work)):,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that “snapshot” wrote.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="What it is called.", show_default="as it was")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a new knowledge base of a snapshot."""

    async def work(http: httpx.AsyncClient, here: "Services | None") -> dict[str, Any]:
        with file.open("rb") as stream:
            made = await requested(http, "POST", "/v1/snapshots", params={"name": name}, content=_pieces(stream))
        if here is not None and made["waiting"]:
            from app.cli.local import take_in_received

            await take_in_received(here, made["id"])
        return made

    made = run(with_service(settings_for(data), work))
    if as_json:
        typer.echo(json.dumps(made, ensure_ascii=False))
        return
    typer.echo(f"{made['name']}: {made['documents']} documents, {made['chunks']} chunks")
    for note in made["notes"]:
        typer.echo(NOTES[note])


def publications(kb: Named, data: Data = None, as_json: Json = False) -> None:
    """What was published in a knowledge base lately, newest first."""
    path = f"/v1/knowledge-bases/{kb}/publications"
    found = run(with_service(settings_for(data), lambda http, _: requested(http, "GET", path)))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table("since", "until", "by", "documents", "could be undone")
    for each in found["publications"]:
        names = [document["name"] for document in each["documents"][:NAMES_SHOWN]]
        more = f" … {each['total']} in all" if each["total"] > len(names) else ""
        cells = (each["since"], each["until"], each["by"] or "", ", ".join(names) + more, str(each["undoable"]))
        table.add_row(*map(escape, cells))
    Console().print(table if found["publications"] else "Nothing was published yet.")


def undo(
    kb: Named,
    since: Annotated[str, typer.Option(help="From this moment on.", show_default="the last publication")] = "",
    until: Annotated[str, typer.Option(help="Up to this moment.", show_default="now")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Undo the last publication of a knowledge base, or all in a time; moments as “publications” prints them."""
    if until and not since:
        raise InvalidInput("Say since when: --since.", code="undo_without_since")
    span = {"since": since or None, "until": until or None}

    async def work(http: httpx.AsyncClient, here: "Services | None") -> dict[str, Any]:
        done = await requested(http, "POST", f"/v1/knowledge-bases/{kb}/undo", json=span)
        if here is not None:
            from app.cli.local import take_in_received

            await take_in_received(here, kb)
        return done

    done = run(with_service(settings_for(data), work))
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False))
        return
    typer.echo(f"{done['restored']} as before, {done['withdrawn']} taken out, {done['left']} left as they are")


NOTES = {
    "snapshot_other_model": "Its vectors are of another embedding model; they are made anew.",
    "snapshot_other_synonyms": "The synonyms here are others than those of the snapshot, and stay.",
}


async def _pieces(stream: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := stream.read(PIECE):
        yield piece


async def _saved(http: httpx.AsyncClient, path: str, out: Path, *, vectors: bool) -> int:
    """Written beside and renamed, so that half a file is never there; → bytes."""
    part = out.with_name(f".{out.name}.part")
    try:
        async with http.stream("GET", path, params={"vectors": vectors}, timeout=None) as answer:
            if answer.is_error:
                await answer.aread()
                raise problem_of(answer)
            with part.open("wb") as stream:
                size = sum([stream.write(piece) async for piece in answer.aiter_bytes()])
        part.replace(out)
    except httpx.HTTPError as exc:
        raise Unavailable(f"The service at {http.base_url} does not answer.", code="service_unavailable") from exc
    finally:
        part.unlink(missing_ok=True)
    return size
