"""``copilot demo``: questions about the sample documents, pictures of a sample product; only the pictures are kept."""

import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli.ask import show_end, stream_to
from app.cli.backend import FileReport
from app.cli.jobs import keep, make
from app.cli.main import run, settings_for
from app.settings import Settings
from ingest.sources import expand

PHOTO = Path(str(resources("app.imaging") / "samples" / "mug.jpg"))
TOUR: Sequence[tuple[str, Mapping[str, str]]] = (("white_background", {}), ("scene", {"template": "oak_table"}))


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the pictures.", file_okay=False, show_default="./copilot-demo")
    ] = Path("copilot-demo"),
) -> None:
    """A tour: asks the sample documents, cites, and makes listing pictures of a sample product."""
    with tempfile.TemporaryDirectory(prefix="copilot-demo-") as folder:
        settings = settings_for(Path(folder), url="")
        run(_questions(settings))
        run(_pictures(settings, out))


async def _questions(settings: Settings) -> None:
    from app.cli.local import local_backend
    from app.samples import FOLDER, SAMPLES, suggestions

    console = Console(highlight=False)
    found = suggestions()
    files = expand([str(FOLDER)])
    async with local_backend(settings) as backend:
        with console.status(f"{len(files)} sample documents …"):

            async def quiet(_: FileReport) -> None:
                """The status line says enough."""

            await backend.ingest(SAMPLES, files, quiet)
        for question in (*found["zh"][:3], found["en"][0]):
            console.print(f"\n[bold]{question}[/]")
            done, passages = await stream_to(console, backend.ask(question, [SAMPLES], None))
            show_end(console, question, done, passages)


async def _pictures(settings: Settings, out: Path) -> None:
    from app.cli.studio import studio

    console = Console(highlight=False)
    console.print(f"\n[bold]{PHOTO.name}[/] → listing pictures")
    async with studio(settings) as made:
        for kind, fields in TOUR:
            job = await make(made, kind, PHOTO, dict(fields), console)
            if job["error"]:
                console.print(f"[red]{kind}: {job['error']['message']} [{job['error']['code']}][/]", markup=True)
                continue
            (path,) = await keep(made, job, out)
            seconds = job["cost"]["quantities"]["seconds"]
            console.print(
                f"  {path.resolve()}  [dim]{kind}, {job['result']['engine']}, {seconds:.1f} s[/]", soft_wrap=True
            )
