"""A busy day in a knowledge base, as quickly as it goes: do edits and deletions slow the questions down?

    copilot bench churn --rounds 24 --changes 600        or        python -m evals.bench.churn --folder kept

Documents of twenty passages are taken in and changed through the service and the pipeline, with a Chroma server and a
tantivy replica of their own; the worker's housekeeping and questions go on meanwhile. 600 changes an hour are one in
six seconds, all day: of 1,000 documents each is published again a dozen times. After every hour questions are timed
with nothing else going on, and what is found by vector is set beside comparing everything. Questions are embedded;
passages have synthetic vectors. With ``--folder`` a day may be had in pieces: the next call goes on where one ended.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import orjson
import typer
from rich.console import Console
from sqlalchemy import select

from app.processes.embedded import embedded_services
from app.samples import FOLDER
from app.settings import Settings
from app.wiring import Services, Twins, running_services
from app.worker import SWEEP_SECONDS, Housekeeping
from evals import corpora
from evals.bench.churn_report import Hour, Verdict, cells, judged, rows_of, table
from evals.bench.churn_shop import SECTIONS, Shop, SyntheticPassages, code, kind_of_change
from evals.bench.footprint import Footprint, footprint
from evals.commands import QUESTIONS
from knowledge.chunk_edits import switched
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.ports import Embedder
from knowledge.tables import chunks as chunks_table
from knowledge.vectors import collection_name
from knowledge.wiring import make_embedder

KB = "churn"
BY = "bench"
LOOKED_AFTER = 0.2  # of the changes: whether they are seen at once
SAMPLED = 30  # numbers, true and past ones each, looked for after every hour
ASKED = 100  # questions that are timed
NEAREST = 50  # as many as a search has of every stage
COMPARED = 40  # questions for the recall
RARELY_SECONDS = 20  # an hour of the day takes a minute here, and a worker does what it does rarely four times an hour


@dataclass(eq=False)
class _Stage:
    """What is changed, and where."""

    services: Services
    embedder: Embedder
    shop: Shop
    data: Path
    chroma_port: int | None
    files: Path
    wrong: list[str] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)

    async def kb(self) -> KnowledgeBase:
        return await self.services.parts.catalog.knowledge_base(DEFAULT_TENANT, KB)


async def run(
    *, chunks: int, rounds: int, changes: int, per_second: float, seed: int = 1, folder: Path | None = None
) -> tuple[list[Hour], Verdict]:
    """Up to hour ``rounds``, from the one that the folder has seen last."""
    console = Console(stderr=True, width=250)
    with TemporaryDirectory(prefix="copilot-bench-") as thrown_away:
        where = folder or Path(thrown_away)
        where.mkdir(parents=True, exist_ok=True)
        hours = _kept(where)
        async with _stage(where) as stage:
            if not hours:
                hours.append(await _opened(stage, chunks))
                _keep(where, stage.shop, hours)
            while hours[-1].hour < rounds:
                stage.shop.round += 1
                hours.append(await _hour(stage, changes, per_second, random.Random(f"{seed}/{stage.shop.round}")))
                _keep(where, stage.shop, hours)
                console.print("  ".join(cells(hours[-1])), markup=False, highlight=False)
        return hours, judged(hours)


@asynccontextmanager
async def _stage(where: Path) -> AsyncIterator[_Stage]:
    settings = Settings(data=where / "data")
    embedder = SyntheticPassages(make_embedder(settings))
    async with (
        embedded_services(settings, redis=False, chroma=True) as started,
        running_services(settings, chroma_url=started.chroma_url, twins=Twins(embedder=embedder)) as services,
    ):
        (where / "files").mkdir(exist_ok=True)
        shop = Shop.read(where / "shop.json")
        yield _Stage(services, embedder, shop, settings.data, started.chroma_port, where / "files")


# --- a day ---


async def _opened(stage: _Stage, size: int) -> Hour:
    """Every document taken in for the first time."""
    began = time.perf_counter()
    await stage.services.knowledge.create(DEFAULT_TENANT, KB)
    kb = await stage.kb()
    for _ in range(max(1, size // SECTIONS)):
        await _publish(stage, kb, stage.shop.opened(min(size, SECTIONS)))
    return await _told(stage, 0, time.perf_counter() - began)


async def _hour(stage: _Stage, changes: int, per_second: float, chance: random.Random) -> Hour:
    began = time.perf_counter()
    stage.wrong, stage.busy_ms = [], []
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(_ask(stage, per_second)), tasks.create_task(_housekeep(stage))]
        for _ in range(changes):
            await _change(stage, chance)
        for task in beside:
            task.cancel()
    took = time.perf_counter() - began
    await _spot_checks(stage, chance)
    return await _told(stage, changes, took)


async def _change(stage: _Stage, chance: random.Random) -> None:
    kb, shop = await stage.kb(), stage.shop
    match kind_of_change(chance):
        case "edit":
            name, fresh, old = shop.edited(chance)
            await _publish(stage, kb, name)
        case "replace":
            name, old = shop.deleted(chance)
            await stage.services.knowledge.delete_document(DEFAULT_TENANT, await _id(stage, kb, name))
            name = shop.opened()
            fresh = shop.documents[name]
            await _publish(stage, kb, name)
        case "undo":
            undone = shop.undone(chance)
            if undone is None:
                return
            name, fresh, old = undone
            document = await stage.services.knowledge.restore(DEFAULT_TENANT, await _id(stage, kb, name), by=BY)
            await stage.services.pipeline.run(document.id, owner=BY)
        case _:
            await _switch(stage, chance)
            return
    if chance.random() < LOOKED_AFTER:
        await _look(stage, [chance.choice(fresh)], there=True)
        await _look(stage, [chance.choice(old)], there=False)


async def _switch(stage: _Stage, chance: random.Random) -> None:
    """A chunk is off, then on again."""
    name = chance.choice(list(stage.shop.documents))
    stage.shop.before.pop(name, None)
    number = chance.choice(stage.shop.documents[name])
    found = await stage.services.knowledge.search(DEFAULT_TENANT, code(number), kbs=[KB], limit=8)
    chunk_id = next((one.chunk_id for one in found.passages if code(number) in one.text), None)
    if chunk_id is None:
        stage.wrong.append(f"not found: {code(number)}")
        return
    for disabled in (True, False):
        document, _ = await stage.services.knowledge.change_chunk(
            DEFAULT_TENANT, chunk_id, switched(disabled=disabled), kind="disable" if disabled else "enable", by=BY
        )
        await stage.services.pipeline.run(document.id, owner=BY)
        await _look(stage, [number], there=not disabled)


async def _publish(stage: _Stage, kb: KnowledgeBase, name: str) -> None:
    path = stage.files / "one.md"
    path.write_text(stage.shop.text(name), encoding="utf-8")
    received = await stage.services.knowledge.add_file(kb, name, path)
    await stage.services.pipeline.run(received.document.id, owner=BY)


async def _id(stage: _Stage, kb: KnowledgeBase, name: str) -> str:
    found, _ = await stage.services.parts.catalog.documents(kb, contains=name, limit=1)
    return found[0].id


# --- meanwhile ---


async def _ask(stage: _Stage, per_second: float) -> None:
    """Until cancelled: a question each time one is due."""
    asked = _questions()
    while True:
        began = time.perf_counter()
        await _search(stage, asked[len(stage.busy_ms) % len(asked)])
        stage.busy_ms.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(max(0.0, 1 / per_second - (time.perf_counter() - began)))


async def _housekeep(stage: _Stage) -> None:
    """Until cancelled: what a worker does beside its jobs."""
    housekeeping = Housekeeping(stage.services, rarely=RARELY_SECONDS)
    while True:
        await housekeeping.sweep()
        await stage.services.parts.mover.move()
        await asyncio.sleep(SWEEP_SECONDS)


# --- looking ---


async def _look(stage: _Stage, numbers: list[int], *, there: bool) -> None:
    for number in numbers:
        found = await stage.services.knowledge.search(DEFAULT_TENANT, f"编号 {code(number)}", kbs=[KB], limit=8)
        if any(code(number) in passage.text for passage in found.passages) != there:
            stage.wrong.append(f"{'not found' if there else 'found'}: {code(number)}")


async def _spot_checks(stage: _Stage, chance: random.Random) -> None:
    true = [number for numbers in stage.shop.documents.values() for number in numbers]
    await _look(stage, chance.sample(true, min(SAMPLED, len(true))), there=True)
    await _look(stage, chance.sample(stage.shop.gone, min(SAMPLED, len(stage.shop.gone))), there=False)


async def _told(stage: _Stage, changes: int, took: float) -> Hour:
    asked = _questions()
    for question in asked[:5]:
        await _search(stage, question)
    laps = [await _search(stage, f"{asked[at % len(asked)]} {time.perf_counter_ns() % 100_000}") for at in range(ASKED)]
    totals = [lap["total"] for lap in laps]
    busy = stage.busy_ms or [0.0]
    kb = await stage.kb()
    return Hour(
        hour=stage.shop.round,
        changes=changes,
        took_s=round(took, 1),
        p50_ms=_percentile(totals, 50),
        p95_ms=_percentile(totals, 95),
        stages_ms={
            name: _percentile([lap[name] for lap in laps], 50) for name in ("embed", "dense", "lexical", "rest")
        },
        busy_p50_ms=_percentile(busy, 50),
        busy_p95_ms=_percentile(busy, 95),
        recall=round(await _recall(stage, kb), 4),
        footprint=footprint(stage.data, stage.chroma_port),
        rows=await rows_of(stage.services, kb, stage.data),
        wrong=tuple(stage.wrong),
    )


async def _search(stage: _Stage, question: str) -> dict[str, float]:
    """Milliseconds by stage; ``rest`` is rows from SQL and their order."""
    found = await stage.services.knowledge.search(DEFAULT_TENANT, question, kbs=[KB], limit=8)
    laps = found.timings_ms
    return {**laps, "rest": laps["total"] - laps["embed"] - max(laps["dense"], laps["lexical"])}


async def _recall(stage: _Stage, kb: KnowledgeBase) -> float:
    """Of the nearest by comparing the question with everything that is live, how many Chroma names."""
    query = select(chunks_table.c.id, chunks_table.c.indexed).where(chunks_table.c.kb_id == kb.id)
    async with stage.services.parts.database.read() as connection:
        rows = (await connection.execute(query)).all()
    live = await asyncio.to_thread(stage.embedder.embed_passages, [row.indexed for row in rows])
    shares = []
    for question in _questions()[:COMPARED]:
        vector = await asyncio.to_thread(stage.embedder.embed_query, question)
        nearest = {rows[at].id for at in np.argsort(-(live @ vector))[:NEAREST]}
        found = await stage.services.parts.vectors.query(collection_name(kb), vector, NEAREST)
        shares.append(len(nearest & {hit.chunk_id for hit in found}) / len(nearest))
    return float(np.mean(shares))


def _questions() -> list[str]:
    return [question.text for question in corpora.read("samples", QUESTIONS, documents=FOLDER).questions]


def _percentile(values: list[float], which: int) -> float:
    return round(float(np.percentile(values, which)), 1)


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
        Console(width=250).print(table(hours))
        typer.echo(verdict.line())
    raise typer.Exit(0 if verdict.good else 1)


if __name__ == "__main__":
    typer.run(main)
