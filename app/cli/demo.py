"""``copilot demo``: the samples and a few questions, in a folder that is thrown away afterwards."""

import tempfile
from pathlib import Path

import typer
from rich.console import Console

from app.cli.ask import show_end, stream_to
from app.cli.backend import FileReport
from app.cli.main import run, settings_for
from app.settings import Settings
from ingest.sources import expand


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo() -> None:
    """Take in the sample documents and answer a few questions about them; nothing is kept."""
    with tempfile.TemporaryDirectory(prefix="copilot-demo-") as folder:
        run(_demo(settings_for(Path(folder), url="")))


async def _demo(settings: Settings) -> None:
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
