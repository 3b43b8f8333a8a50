"""How long a question takes to be searched in a large knowledge base, beside the same question to Chroma alone.

    copilot bench retrieval --chunks 10000 --chunks 100000        or        python -m evals.bench.retrieval

Every size has a folder, a Chroma server and a tantivy replica of its own, filled through their own ports: rows in SQL
with the vector ledger, vectors made of the samples' own with noise (quality is measured by ``copilot eval``), texts of
three sentences of the samples and a code. Questions start at a fixed pace, whatever became of those before, and are
embedded each time. As in a service, uvloop runs it and Python rarely looks for garbage. Beside: embedding and one
query of Chroma's own client, without words, without what is live.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import chromadb
import numpy as np
import orjson
import typer
import uvloop
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, update

from app.processes.embedded import embedded_services
from app.processes.garbage import settle
from app.samples import FOLDER
from app.settings import Settings
from app.wiring import Services, running_services
from evals import corpora
from evals.bench.footprint import Footprint, footprint
from evals.commands import QUESTIONS
from ingest.sources import SourceFile
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.ports import Vector
from knowledge.tables import chunks, documents, knowledge_bases, vectors
from knowledge.vectors import collection_name

KB = "bench"
CHUNKS_A_DOCUMENT = 100
ROWS = 5_000  # a transaction
AT_ONCE = 4  # batches on their way to Chroma
NOISE = 0.02  # of each of the vector's 384 numbers; neighbours of one sample then have a cosine of .87


@dataclass(frozen=True, slots=True)
class Size:
    """What a knowledge base of ``chunks`` costs. Milliseconds of a search, the question's embedding included."""

    chunks: int
    filled_s: float
    replica_s: float
    p50_ms: float
    p95_ms: float
    stages_ms: dict[str, float]
    plain_p50_ms: float
    plain_p95_ms: float
    visible_s: float
    footprint: Footprint


async def run(sizes: list[int], *, per_second: float, seconds: float) -> list[Size]:
    """One size after the other."""
    return [await _measure(size, per_second, seconds) for size in sizes]


async def _measure(size: int, per_second: float, seconds: float) -> Size:
    with TemporaryDirectory(prefix="copilot-bench-") as folder:
        settings = Settings(data=Path(folder) / "data")
        async with (
            embedded_services(settings, redis=False, chroma=True) as started,
            running_services(settings, chroma_url=started.chroma_url) as services,
        ):
            assert started.chroma_url is not None  # noqa: S101 (it was asked for)
            base = await services.knowledge.create(DEFAULT_TENANT, KB)
            filled = await _timed(_fill(services, base, size))
            kb = await services.parts.catalog.knowledge_base(DEFAULT_TENANT, KB)
            replica = await _timed(services.parts.lexical.at_epoch(kb))
            settle()
            questions = _questions()
            stages: list[dict[str, float]] = []

            async def search(question: str) -> None:
                found = await services.knowledge.search(DEFAULT_TENANT, question, kbs=[KB], limit=8)
                stages.append(found.timings_ms)

            ours = await _at_pace(search, questions, per_second, seconds)
            plain = await _at_pace(await _plain(started.chroma_url, kb, services), questions, per_second, seconds)
            return Size(
                chunks=size,
                filled_s=round(filled, 1),
                replica_s=round(replica, 1),
                p50_ms=_percentile(ours, 50),
                p95_ms=_percentile(ours, 95),
                stages_ms={name: _percentile([lap[name] for lap in stages], 50) for name in stages[0]},
                plain_p50_ms=_percentile(plain, 50),
                plain_p95_ms=_percentile(plain, 95),
                visible_s=round(await _published(services, Path(folder)), 2),
                footprint=footprint(settings.data, started.chroma_port),
            )


# --- filling ---


async def _fill(services: Services, kb: KnowledgeBase, size: int) -> None:
    random = np.random.default_rng(0)
    known = services.parts.embedder.embed_passages(sentences()[:256])
    batches = _batches(kb, size, random)
    limit = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as writing:
        for rows in batches:
            await _write_rows(services, kb, rows)
            await limit.acquire()
            noisy = _noisy(known, len(rows), random)
            task = writing.create_task(_write_vectors(services, kb, [row["id"] for row in rows], noisy))
            task.add_done_callback(lambda _: limit.release())


def _batches(kb: KnowledgeBase, size: int, random: np.random.Generator) -> Iterator[list[dict[str, Any]]]:
    """Rows of ``chunks``; a hundred to a document, each document published at an epoch of its own."""
    said = sentences()
    for start in range(0, size, ROWS):
        picked = random.integers(0, len(said), (min(ROWS, size - start), 3))
        rows = []
        for number, three in enumerate(picked, start):
            document = number // CHUNKS_A_DOCUMENT
            text = f"{''.join(said[at] for at in three)} 编号 HB-{number:07d}"
            rows.append(
                {
                    "id": f"{number:032x}",
                    "tenant": kb.tenant,
                    "kb_id": kb.id,
                    "document_id": f"{document:032x}",
                    "ordinal": number % CHUNKS_A_DOCUMENT,
                    "text": text,
                    "heading": f"第 {document} 份资料",
                    "indexed": text,
                    "indexed_heading": f"第 {document} 份资料",
                    "fingerprint": f"{number:040x}",
                    "epoch": document + 1,
                }
            )
        yield rows


async def _write_rows(services: Services, kb: KnowledgeBase, rows: list[dict[str, Any]]) -> None:
    moment = datetime.now(UTC)
    named = [
        {
            "id": document,
            "tenant": kb.tenant,
            "kb_id": kb.id,
            "name": f"{document}.md",
            "status": "live",
            "content_hash": document,
            "live_hash": document,
            "size": 1,
            "version": 1,
            "created_at": moment,
            "updated_at": moment,
        }
        for document in dict.fromkeys(row["document_id"] for row in rows)
    ]
    ledger = [
        {
            **{key: row[key] for key in ("tenant", "kb_id", "document_id", "fingerprint")},
            "chunk_id": row["id"],
            "model": kb.embedding_model,
            "written": True,
        }
        for row in rows
    ]
    async with services.parts.database.write() as connection:
        await connection.execute(insert(documents), named)
        await connection.execute(insert(chunks), rows)
        await connection.execute(insert(vectors), ledger)
        epoch = rows[-1]["epoch"]
        await connection.execute(update(knowledge_bases).where(knowledge_bases.c.id == kb.id).values(epoch=epoch))


async def _write_vectors(services: Services, kb: KnowledgeBase, ids: list[str], rows: Vector) -> None:
    await services.parts.vectors.upsert(collection_name(kb), ids, rows)


def _noisy(known: Vector, count: int, random: np.random.Generator) -> Vector:
    rows = known[random.integers(0, len(known), count)] + random.normal(0, NOISE, (count, known.shape[1]))
    unit: Vector = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def sentences() -> list[str]:
    """Of the samples, each with its full stop."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.rglob("*.md")))
    return [f"{part.strip()}。" for part in text.replace("\n", "。").split("。") if 12 <= len(part.strip()) <= 120]


# --- asking ---


def _questions() -> list[str]:
    corpus = corpora.read("samples", QUESTIONS, documents=FOLDER)
    return [question.text for question in corpus.questions]


async def _at_pace(
    ask: Callable[[str], Awaitable[None]], questions: list[str], per_second: float, seconds: float
) -> list[float]:
    """Milliseconds of each question from the moment it was due. Every question is a new one to the embedder."""
    taken: list[float] = []
    for question in questions[:5]:
        await ask(question)

    async def one(number: int, due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask(f"{questions[number % len(questions)]} {time.perf_counter_ns() % 100_000}")
        taken.append((time.perf_counter() - due) * 1000)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as asking:
        for number in range(int(per_second * seconds)):
            asking.create_task(one(number, began + number / per_second))
    return taken


async def _plain(url: str, kb: KnowledgeBase, services: Services) -> Callable[[str], Awaitable[None]]:
    """Embedding and Chroma's own client."""
    host, port = url.removeprefix("http://").split(":")
    client = await chromadb.AsyncHttpClient(host=host, port=int(port))
    collection = await client.get_collection(collection_name(kb), embedding_function=None)

    async def ask(question: str) -> None:
        vector = await asyncio.to_thread(services.parts.embedder.embed_query, question)
        await collection.query(query_embeddings=vector[np.newaxis], n_results=8)

    return ask


async def _published(services: Services, folder: Path) -> float:
    """Seconds until a small document that is added now is found."""
    path = folder / "new.md"
    path.write_text("# 新到的通知\n\n仓库临时关闭通知：编号 QX-9917 的货架明天盘点。", encoding="utf-8")
    began = time.perf_counter()
    kb = await services.parts.catalog.knowledge_base(DEFAULT_TENANT, KB)
    source = SourceFile(path, path.name)
    received = await services.knowledge.add_file(kb, source.name, source.path)
    await services.pipeline.run(received.document.id, owner="bench")
    found = await services.knowledge.search(DEFAULT_TENANT, "QX-9917 的货架什么时候盘点？", kbs=[KB], limit=8)
    assert any(passage.document == path.name for passage in found.passages), "not found"  # noqa: S101 (a measurement)
    return time.perf_counter() - began


async def _timed(work: Awaitable[Any]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _percentile(values: list[float], which: int) -> float:
    return round(float(np.percentile(values, which)), 1)


def main(
    chunks_: Annotated[list[int] | None, typer.Option("--chunks", help="A size; may be repeated.")] = None,
    per_second: Annotated[float, typer.Option(help="Questions a second.")] = 10,
    seconds: Annotated[float, typer.Option(help="How long they come.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How long a search takes by the size of the knowledge base, Chroma alone beside."""
    sizes = uvloop.run(run(chunks_ or [10_000, 100_000], per_second=per_second, seconds=seconds))
    if as_json:
        typer.echo(orjson.dumps([asdict(size) for size in sizes]).decode())
        return
    Console(width=160).print(_table(sizes))


def _table(sizes: list[Size]) -> Table:
    table = Table(box=SIMPLE, title="Milliseconds of a search, its question's embedding included")
    for name in (
        "chunks",
        "p50",
        "p95",
        "Chroma alone p50",
        "p95",
        "stages p50",
        "filled",
        "replica",
        "new one found",
        "memory",
        "disk",
    ):
        table.add_column(name, justify="right")
    for size in sizes:
        of = size.footprint
        table.add_row(
            f"{size.chunks:,}",
            str(size.p50_ms),
            str(size.p95_ms),
            str(size.plain_p50_ms),
            str(size.plain_p95_ms),
            " ".join(f"{name} {value}" for name, value in size.stages_ms.items()),
            f"{size.filled_s} s",
            f"{size.replica_s} s",
            f"{size.visible_s} s",
            f"{of.ours_mb} + Chroma {of.chroma_mb} MB",
            " ".join(f"{name} {value}" for name, value in of.disk_mb.items()) + " MB",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
