"""What taking documents in takes beside the embedding of their chunks, in one run.

The documents of the samples (Markdown, a PDF, a spreadsheet …; the vectors that come along are left aside) are taken in
as ``copilot ingest`` does it: read in processes of their own, cut, compared, written to SQL, the vector ledger and
Chroma, looked at by the conflict radar, and at the end put into the index of words. Then the same texts are embedded
alone, in full batches. They have 10 chunks each; of their Markdown, longer documents are made beside them, of 20.
Seconds by the clock, the best of some rounds; both sides take turns, so that a busy neighbour slows both.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select

from app.cli.backend import FileReport
from app.cli.local import LocalBackend
from app.processes.embedded import embedded_services
from app.samples import FOLDER
from app.settings import Settings
from app.wiring import Services, Twins, running_services
from ingest.sources import SourceFile, expand
from ingest.vector_writer import EMBED_BATCH
from knowledge.embeddings.bundled import BundledEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.tables import chunks

ROUNDS = 3
TOGETHER = 4  # files of the samples in a longer document


@dataclass(frozen=True, slots=True)
class Overhead:
    """Seconds for all documents; ``share`` is what is beside embedding, of it."""

    corpus: str
    documents: int
    chunks: int
    ingested_s: float
    embedded_s: float

    @property
    def share(self) -> float:
        return self.ingested_s / self.embedded_s - 1


async def overheads(most: int, *, yours: Path | None = None, rounds: int = ROUNDS) -> list[Overhead]:
    """Of ``most`` documents at most, into empty knowledge bases with a Chroma server of their own.

    ``yours`` is a folder of documents that are measured, too.
    """
    with TemporaryDirectory(prefix="copilot-bench-") as folder:
        corpora = {"samples": expand([str(FOLDER)]), "longer": _longer(Path(folder))}
        if yours is not None:
            corpora["yours"] = expand([str(yours)])
        settings = Settings(data=Path(folder) / "data")
        embedder = BundledEmbedder(settings.cache_folder, known=Path(folder) / "none")
        async with (
            embedded_services(settings, redis=False, chroma=True) as started,
            running_services(
                settings, chroma_url=started.chroma_url, twins=Twins(embedder=embedder, parser=None)
            ) as services,
        ):
            await _lap(services, "warm-up", corpora["samples"][: min(most, 4)])
            return [await _measured(services, name, files[:most], rounds) for name, files in corpora.items()]


def _longer(folder: Path) -> list[SourceFile]:
    files = sorted(FOLDER.rglob("*.md"))
    made = []
    for number, start in enumerate(range(0, len(files), TOGETHER)):
        made.append(SourceFile(folder / f"{number}.md", f"{number}.md"))
        texts = [file.read_text(encoding="utf-8") for file in files[start : start + TOGETHER]]
        made[-1].path.write_text("\n\n".join(texts), encoding="utf-8")
    return made


async def _measured(services: Services, name: str, files: list[SourceFile], rounds: int) -> Overhead:
    laps = [await _lap(services, f"{name}-{number}", files) for number in range(rounds)]
    ingested, embedded = (round(min(lap[side] for lap in laps), 4) for side in (1, 2))
    return Overhead(name, len(files), laps[0][0], ingested, embedded)


async def _lap(services: Services, kb: str, files: list[SourceFile]) -> tuple[int, float, float]:
    """→ chunks, seconds of taking the documents in, seconds of embedding their chunks alone."""
    failed: list[FileReport] = []

    async def report(done: FileReport) -> None:
        if done.state == "failed":
            failed.append(done)

    began = time.perf_counter()
    await LocalBackend(services).ingest(kb, files, report)
    ingested = time.perf_counter() - began
    assert not failed, failed  # noqa: S101 (a measurement)
    base = await services.parts.catalog.knowledge_base(DEFAULT_TENANT, kb)
    async with services.parts.database.read() as connection:
        texts = list((await connection.execute(select(chunks.c.indexed).where(chunks.c.kb_id == base.id))).scalars())
    began = time.perf_counter()
    for start in range(0, len(texts), EMBED_BATCH):
        services.parts.embedder.embed_passages(texts[start : start + EMBED_BATCH])
    return len(texts), ingested, time.perf_counter() - began
