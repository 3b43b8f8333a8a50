"""What is measured in a busy day, and how it is looked at: quiet questions, and whether what is found is right."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import select

from app.samples import FOLDER
from app.wiring import Services
from evals import corpora
from evals.bench.churn_report import Hour, rows_of
from evals.bench.churn_shop import Shop, code
from evals.bench.footprint import footprint
from evals.commands import QUESTIONS
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.ports import Embedder
from knowledge.tables import chunks as chunks_table
from knowledge.vectors import collection_name

KB = "churn"
ASKED = 100  # questions that are timed
NEAREST = 50  # as many as a search has of every stage
COMPARED = 40  # questions for the recall


@dataclass(eq=False)
class Stage:
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


async def look(stage: Stage, numbers: list[int], *, there: bool) -> None:
    for number in numbers:
        found = await stage.services.knowledge.search(DEFAULT_TENANT, f"编号 {code(number)}", kbs=[KB], limit=8)
        if any(code(number) in passage.text for passage in found.passages) != there:
            stage.wrong.append(f"{'not found' if there else 'found'}: {code(number)}")


async def told(stage: Stage, changes: int, took: float) -> Hour:
    asked = questions()
    for question in asked[:5]:
        await search(stage, question)
    laps = [await search(stage, f"{asked[at % len(asked)]} {time.perf_counter_ns() % 100_000}") for at in range(ASKED)]
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


async def search(stage: Stage, question: str) -> dict[str, float]:
    """Milliseconds by stage; ``rest`` is rows from SQL and their order."""
    found = await stage.services.knowledge.search(DEFAULT_TENANT, question, kbs=[KB], limit=8)
    laps = found.timings_ms
    return {**laps, "rest": laps["total"] - laps["embed"] - max(laps["dense"], laps["lexical"])}


async def _recall(stage: Stage, kb: KnowledgeBase) -> float:
    """Of the nearest by comparing the question with everything that is live, how many Chroma names."""
    query = select(chunks_table.c.id, chunks_table.c.indexed).where(chunks_table.c.kb_id == kb.id)
    async with stage.services.parts.database.read() as connection:
        rows = (await connection.execute(query)).all()
    live = await asyncio.to_thread(stage.embedder.embed_passages, [row.indexed for row in rows])
    shares = []
    for question in questions()[:COMPARED]:
        vector = await asyncio.to_thread(stage.embedder.embed_query, question)
        nearest = {rows[at].id for at in np.argsort(-(live @ vector))[:NEAREST]}
        found = await stage.services.parts.vectors.query(collection_name(kb), vector, NEAREST)
        shares.append(len(nearest & {hit.chunk_id for hit in found}) / len(nearest))
    return float(np.mean(shares))


def questions() -> list[str]:
    return [question.text for question in corpora.read("samples", QUESTIONS, documents=FOLDER).questions]


def _percentile(values: list[float], which: int) -> float:
    return round(float(np.percentile(values, which)), 1)
