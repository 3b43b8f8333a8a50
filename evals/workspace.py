"""The product itself, filled with a corpus, in a folder that is thrown away."""

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from app.cli.backend import FileReport
from app.cli.local import LocalBackend, take_in_received
from app.processes.embedded import embedded_services
from app.settings import Settings
from app.wiring import Services, running_services
from evals.corpora import Corpus
from ingest.sources import expand
from knowledge.models import DEFAULT_TENANT
from knowledge.retriever import Retrieval


@dataclass(frozen=True, slots=True)
class Workspace:
    """A filled knowledge base; ``seconds`` is what taking the corpus in took."""

    services: Services
    kb: str
    chunks: int
    seconds: float

    async def search(self, question: str, limit: int) -> Retrieval:
        return await self.services.knowledge.search(DEFAULT_TENANT, question, kbs=[self.kb], limit=limit)


@asynccontextmanager
async def workspace(corpus: Corpus, console: Console) -> AsyncIterator[Workspace]:
    """Take a corpus in through the pipeline, with a Chroma of its own; the settings' embedder is used."""
    with tempfile.TemporaryDirectory(prefix="copilot-eval-") as folder:
        settings = Settings(data=Path(folder) / "data")
        files = Path(folder) / "files"
        if corpus.snapshot is None:
            corpus.write(files)
        async with (
            embedded_services(settings, redis=False, chroma=True) as started,
            running_services(settings, chroma_url=started.chroma_url) as services,
        ):
            with console.status(f"{corpus.name}: taking in {len(corpus.documents)} documents …"):
                began = time.perf_counter()
                chunks = (
                    await _restore(services, corpus) if corpus.snapshot else await _fill(services, corpus.name, files)
                )
                seconds = time.perf_counter() - began
            console.print(f"[dim]{corpus.name}: {len(corpus.documents)} documents, {chunks} chunks, {seconds:.1f} s")
            yield Workspace(services, corpus.name, chunks, seconds)


async def _restore(services: Services, corpus: Corpus) -> int:
    assert corpus.snapshot is not None  # noqa: S101 (who calls has looked)
    made = await services.snapshots.restore(DEFAULT_TENANT, corpus.snapshot, name=corpus.name)
    await take_in_received(services, made.kb.id)
    return made.kb.chunks


async def _fill(services: Services, kb: str, files: Path) -> int:
    chunks = 0

    async def count(done: FileReport) -> None:
        nonlocal chunks
        chunks += done.chunks

    await LocalBackend(services).ingest(kb, expand([str(files)]), count)
    return chunks
