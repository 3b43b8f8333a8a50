"""What taking documents in takes beside the embedding of their chunks, document by document in one run.

A document is taken in as ``copilot ingest`` does it (read in a process of its own, cut, compared, written to SQL, the
vector ledger and Chroma, looked at by the conflict radar, and found by its words at the end); then the same texts are
embedded alone, in batches of the same size. Seconds by the clock: both sides take turns, so that a busy neighbour slows
both.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sqlalchemy import select

from app.processes.embedded import embedded_services
from app.settings import Settings
from app.wiring import Services, running_services
from evals.bench.retrieval import sentences
from ingest.pipeline import EMBED_BATCH
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.tables import chunks

DOCUMENTS = 12
SECTIONS = 40  # of a document; a section of five sentences is a chunk or two


@dataclass(frozen=True, slots=True)
class Overhead:
    """Seconds for all documents but the first, which warms up; ``share`` is what is beside embedding, of it."""

    documents: int
    chunks: int
    ingested_s: float
    embedded_s: float

    @property
    def share(self) -> float:
        return self.ingested_s / self.embedded_s - 1


async def overhead(documents: int = DOCUMENTS) -> Overhead:
    """Into an empty knowledge base with a Chroma server of its own."""
    with TemporaryDirectory(prefix="copilot-bench-") as folder:
        settings = Settings(data=Path(folder) / "data")
        async with (
            embedded_services(settings, redis=False, chroma=True) as started,
            running_services(settings, chroma_url=started.chroma_url) as services,
        ):
            base = await services.knowledge.create(DEFAULT_TENANT, "bench")
            files = _written(Path(folder), documents + 1)
            laps = [await _lap(services, base, file) for file in files][1:]
    return Overhead(
        documents,
        sum(lap[0] for lap in laps),
        round(sum(lap[1] for lap in laps), 2),
        round(sum(lap[2] for lap in laps), 2),
    )


async def _lap(services: Services, base: KnowledgeBase, file: Path) -> tuple[int, float, float]:
    """→ chunks, seconds of taking a document in, seconds of embedding them alone."""
    began = time.perf_counter()
    received = await services.knowledge.add_file(base, file.name, file)
    await services.pipeline.run(received.document.id, owner="bench")
    await services.parts.lexical.at_epoch(await services.parts.catalog.knowledge_base(DEFAULT_TENANT, base.id))
    ingested = time.perf_counter() - began
    mine = select(chunks.c.indexed).where(chunks.c.document_id == received.document.id)
    async with services.parts.database.read() as connection:
        texts = list((await connection.execute(mine)).scalars())
    began = time.perf_counter()
    for start in range(0, len(texts), EMBED_BATCH):
        services.parts.embedder.embed_passages(texts[start : start + EMBED_BATCH])
    return len(texts), ingested, time.perf_counter() - began


def _written(folder: Path, count: int) -> list[Path]:
    random, said = np.random.default_rng(0), sentences()
    files = []
    for number in range(count):
        picked = random.integers(0, len(said), (SECTIONS, 5))
        parts = [f"## 第 {at} 条\n\n{''.join(said[one] for one in five)}" for at, five in enumerate(picked)]
        files.append(folder / f"规则-{number}.md")
        files[-1].write_text(f"# 规则 {number}\n\n" + "\n\n".join(parts), encoding="utf-8")
    return files
