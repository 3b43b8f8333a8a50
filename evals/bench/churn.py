"""A busy day in a knowledge base, as quickly as it goes: do edits and deletions slow the questions down?

    copilot bench churn --rounds 24 --changes 600        or        python -m evals.bench.churn --folder kept

Documents of twenty passages are taken in and changed through the service and the pipeline, with a Chroma server and a
tantivy replica of their own; the worker's housekeeping and questions go on meanwhile. 600 changes an hour are one in
six seconds, all day: of 1,000 documents each is published again a dozen times, a fifth of it changed. After every hour
questions are timed with nothing else going on, and what is found by vector is set beside comparing everything.
Questions are embedded; passages have synthetic vectors. With ``--folder`` a day may be had in pieces: the next call
goes on after the last whole hour (as a new process: its memory is not what it would have been).
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import orjson
import typer
from rich.console import Console

from app.processes.embedded import embedded_services
from app.settings import Settings
from app.wiring import Twins, running_services
from evals.bench.churn_day import hour, opened, resumed
from evals.bench.churn_report import Hour, Verdict, cells, judged, tables
from evals.bench.churn_shop import Shop, SyntheticPassages
from evals.bench.churn_stage import Stage
from evals.bench.footprint import Footprint
from knowledge.wiring import make_embedder


async def run(
    *, chunks: int, rounds: int, changes: int, per_second: float, seed: int = 1, folder: Path | None = None
) -> tuple[list[Hour], Verdict]:
    """Up to hour ``rounds``, from the one that the folder has seen last."""
    console = Console(stderr=True, width=180)
    with TemporaryDirectory(prefix="copilot-bench-") as thrown_away:
        where = folder or Path(thrown_away)
        where.mkdir(parents=True, exist_ok=True)
        hours = _kept(where)
        async with _stage(where) as stage:
            if hours:
                await resumed(stage)
            else:
                hours.append(await opened(stage, chunks))
                _keep(where, stage.shop, hours)
            while hours[-1].hour < rounds:
                stage.shop.round += 1
                hours.append(await hour(stage, changes, per_second, random.Random(f"{seed}/{stage.shop.round}")))
                _keep(where, stage.shop, hours)
                console.print("  ".join(cells(hours[-1])), markup=False, highlight=False)
        return hours, judged(hours)


@asynccontextmanager
async def _stage(where: Path) -> AsyncIterator[Stage]:
    settings = Settings(data=where / "data")
    embedder = SyntheticPassages(make_embedder(settings))
    async with (
        embedded_services(settings, redis=False, chroma=True) as started,
        running_services(settings, chroma_url=started.chroma_url, twins=Twins(embedder=embedder)) as services,
    ):
        (where / "files").mkdir(exist_ok=True)
        shop = Shop.read(where / "shop.json")
        yield Stage(services, embedder, shop, settings.data, started.chroma_port, where / "files")


# --- from one call to the next ---


def _kept(where: Path) -> list[Hour]:
    """Those that are behind us."""
    file = where / "hours.json"
    if not file.exists():
        return []
    return [
        Hour(**{**row, "footprint": Footprint(**row["footprint"]), "wrong": tuple(row["wrong"])})
        for row in orjson.loads(file.read_bytes())
    ]


def _keep(where: Path, shop: Shop, hours: list[Hour]) -> None:
    shop.write(where / "shop.json")
    (where / "hours.json").write_bytes(orjson.dumps([asdict(hour) for hour in hours]))


def main(
    rounds: Annotated[int, typer.Option(help="Hours of the day.")] = 24,
    changes: Annotated[int, typer.Option(help="Changes an hour.")] = 600,
    chunks: Annotated[int, typer.Option(help="How many passages there are.")] = 20_000,
    per_second: Annotated[float, typer.Option(help="Questions a second meanwhile.")] = 5,
    seed: Annotated[int, typer.Option(help="Of what happens when.")] = 1,
    folder: Annotated[Path | None, typer.Option(help="Keep everything there, and go on from it the next time.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """A day of edits, deletions and undoings: do questions get slower, is what is found right, what grows?"""
    hours, verdict = asyncio.run(
        run(chunks=chunks, rounds=rounds, changes=changes, per_second=per_second, seed=seed, folder=folder)
    )
    if as_json:
        typer.echo(orjson.dumps({"hours": [asdict(hour) for hour in hours], "verdict": verdict.json()}).decode())
    else:
        Console(width=180).print(*tables(hours))
        typer.echo(verdict.line())
    raise typer.Exit(0 if verdict.good else 1)


if __name__ == "__main__":
    typer.run(main)
