"""The sample knowledge base of a first start: taken in through the running service, with a progress bar.

``python -m app.samples`` embeds its chunks ahead of time, so that nobody's first start waits for it.
"""

import asyncio
import json
import sys
from functools import lru_cache
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

import knowledge
from app.processes.runtime import Running
from ingest.sources import expand
from knowledge.errors import Unavailable

SAMPLES = "samples"
FOLDER = Path(knowledge.__file__).parent / "samples"
POLL_SECONDS = 0.3


@lru_cache(maxsize=1)
def suggestions() -> dict[str, list[str]]:
    """Questions a newcomer can click, by language; each is answered by the samples."""
    found: dict[str, list[str]] = json.loads((Path(__file__).parent / "samples.json").read_text(encoding="utf-8"))
    return found


def indexed_texts() -> list[str]:
    """What is embedded of each chunk of the samples, in the order of their files."""
    from ingest.chunk import chunk, indexed_text
    from ingest.loaders import load

    found = []
    for source in expand([str(FOLDER)]):
        loaded = load(source.path, name=source.name, max_bytes=source.path.stat().st_size)
        found += [indexed_text(loaded.title or source.name, one) for one in chunk(loaded, document_id=source.name)]
    return found


async def first_run(running: Running) -> None:
    """Fill an installation that has no knowledge base yet; does nothing for any other."""
    async with httpx.AsyncClient(base_url=running.url, timeout=60) as http:
        known = (await http.get("/v1/knowledge-bases")).json().get("knowledge_bases")
        if known != []:
            return
        try:
            await _upload(http)
            await _watch(http)
        except httpx.HTTPError as exc:
            raise Unavailable(
                "The sample documents could not be taken in; start with --no-samples, or try again.",
                code="samples_failed",
            ) from exc


async def _upload(http: httpx.AsyncClient) -> None:
    (await http.post("/v1/knowledge-bases", json={"name": SAMPLES})).raise_for_status()
    for source in expand([str(FOLDER)]):
        with source.path.open("rb") as stream:
            path = f"/v1/knowledge-bases/{SAMPLES}/documents"
            answer = await http.post(path, files={"file": stream}, data={"name": source.name})
            answer.raise_for_status()


async def _watch(http: httpx.AsyncClient) -> None:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with progress:
        task = progress.add_task("示例资料入库 · taking in the sample documents", total=None)
        while True:
            path = f"/v1/knowledge-bases/{SAMPLES}/documents"
            documents = (await http.get(path, params={"limit": 500})).json()["documents"]
            waiting = [document for document in documents if document["status"] in ("received", "processing")]
            progress.update(task, total=len(documents), completed=len(documents) - len(waiting))
            if not waiting:
                return
            await asyncio.sleep(POLL_SECONDS)


def _embed_ahead() -> int:
    from knowledge.embeddings import known_vectors
    from knowledge.settings import KnowledgeSettings
    from knowledge.wiring import make_embedder

    known_vectors.SAMPLES.unlink(missing_ok=True)
    settings = KnowledgeSettings(embedder="bundled")
    return known_vectors.write(known_vectors.SAMPLES, indexed_texts(), make_embedder(settings))


if __name__ == "__main__":
    sys.stdout.write(f"{_embed_ahead()} vectors\n")
