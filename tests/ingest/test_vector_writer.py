"""Small documents share batches; what befalls one of them is no other's trouble."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.wiring import Services
from ingest.pipeline import Outcome
from ingest.vector_writer import EMBED_BATCH, WRITE_BATCH
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.errors import Unavailable
from knowledge.models import DEFAULT_TENANT, DocumentStatus
from knowledge.ports import Vector
from tests.products import product

MANY = 100


class Slow(HashingEmbedder):
    """Embeds when it may, and notes the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.may, self.asked = threading.Semaphore(0), threading.Event()
        self.batches: list[list[str]] = []
        self.down = False

    def embed_passages(self, texts):  # type: ignore[no-untyped-def]
        self.batches.append(list(texts))
        self.asked.set()
        self.may.acquire(timeout=10)
        if self.down:
            raise Unavailable("It does not answer.", code="embedder_unavailable")
        return super().embed_passages(texts)


async def received(services: Services, folder: Path, count: int, *, sections: int = 1) -> list[str]:
    kb = await services.knowledge.ensure(DEFAULT_TENANT, "shop")
    ids = []
    for number in range(count):
        file = folder / f"{number}.md"
        parts = (
            f"## 第 {part} 节\n\n" + f"编号 {number}-{part} 的规则适用于全部店铺。" * 20 for part in range(sections)
        )
        file.write_text(f"# 文件 {number}\n\n" + "\n\n".join(parts), encoding="utf-8")
        ids.append((await services.knowledge.add_file(kb, file.name, file)).document.id)
    return ids


async def all_started(services: Services, ids: list[str], embedder: Slow) -> list["asyncio.Task[Outcome | None]"]:
    """The first two's chunks are being embedded, the others' wait."""
    runs = []
    for document_id in ids:
        embeds = asyncio.Event()

        def report(stage: str, percent: int, embeds: asyncio.Event = embeds) -> None:
            if stage == "embedding":
                embeds.set()

        runs.append(asyncio.ensure_future(services.pipeline.run(document_id, owner="w", report=report)))
        await asyncio.wait_for(embeds.wait(), 10)
        await asyncio.sleep(0.02)
        assert await asyncio.to_thread(embedder.asked.wait, 10)
    return runs


async def statuses(services: Services, ids: list[str]) -> list[DocumentStatus | None]:
    return [await services.parts.versions.status(document_id) for document_id in ids]


async def test_documents_that_wait_are_embedded_together(tmp_path: Path) -> None:
    embedder = Slow()
    async with product(tmp_path, embedder=embedder) as services:
        ids = await received(services, tmp_path, 5)
        runs = await all_started(services, ids, embedder)
        embedder.may.release(MANY)
        outcomes = await asyncio.gather(*runs)
        assert [outcome and outcome.state for outcome in outcomes] == ["live"] * 5
        assert [len(batch) for batch in embedder.batches] == [2, 2, 6]
        found = await services.knowledge.search(DEFAULT_TENANT, "编号 3-0 的规则", kbs=["shop"], limit=1)
        assert found.passages[0].document == "3.md"


async def test_no_batch_is_larger_than_a_batch(tmp_path: Path) -> None:
    embedder = Slow()
    async with product(tmp_path, embedder=embedder) as services:
        ids = await received(services, tmp_path, 4, sections=20)
        runs = await all_started(services, ids, embedder)
        embedder.may.release(MANY)
        await asyncio.gather(*runs)
        assert await statuses(services, ids) == [DocumentStatus.LIVE] * 4
        assert max(len(batch) for batch in embedder.batches) <= EMBED_BATCH


async def test_a_run_that_is_cancelled_while_it_embeds_for_others_costs_them_nothing(tmp_path: Path) -> None:
    embedder = Slow()
    async with product(tmp_path, embedder=embedder) as services:
        ids = await received(services, tmp_path, 5)
        first, second, third, *others = await all_started(services, ids, embedder)
        embedder.asked.clear()
        embedder.may.release()
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        assert await asyncio.to_thread(embedder.asked.wait, 10)
        third.cancel()
        embedder.may.release(MANY)
        with pytest.raises(asyncio.CancelledError):
            await third
        await asyncio.gather(first, second, *others)
        assert await statuses(services, ids) == [
            DocumentStatus.LIVE,
            DocumentStatus.LIVE,
            DocumentStatus.RECEIVED,
            DocumentStatus.LIVE,
            DocumentStatus.LIVE,
        ]


async def test_what_is_embedded_is_written_with_what_is_known_to_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Slow()
    written: list[int] = []
    async with product(tmp_path, embedder=embedder) as services:
        upsert = services.parts.vectors.upsert

        async def counted(collection: str, ids: Sequence[str], vectors: Vector) -> None:
            written.append(len(ids))
            await upsert(collection, ids, vectors)

        monkeypatch.setattr(services.parts.vectors, "upsert", counted)
        ids = await received(services, tmp_path, 6, sections=20)
        runs = await all_started(services, ids, embedder)
        embedder.may.release(MANY)
        await asyncio.gather(*runs)
        assert await statuses(services, ids) == [DocumentStatus.LIVE] * 6
        assert len(written) < len(embedder.batches)
        assert max(written) >= WRITE_BATCH


async def test_what_waits_to_be_written_with_others_does_not_wait_when_they_are_gone(tmp_path: Path) -> None:
    embedder = Slow()
    async with product(tmp_path, embedder=embedder) as services:
        ids = await received(services, tmp_path, 5, sections=20)
        runs = await all_started(services, ids, embedder)
        embedder.asked.clear()
        embedder.may.release()
        assert await asyncio.to_thread(embedder.asked.wait, 10)  # the third one is embedded, as two more wait
        finished, _ = await asyncio.wait(runs, timeout=0.05)
        assert not finished
        for run in runs[1:]:
            run.cancel()
        embedder.may.release(MANY)
        await asyncio.gather(*runs, return_exceptions=True)
        assert await statuses(services, ids) == [DocumentStatus.LIVE] + [DocumentStatus.RECEIVED] * 4


async def test_a_document_that_was_deleted_meanwhile_leaves_no_vector_and_the_others_go_live(tmp_path: Path) -> None:
    embedder = Slow()
    async with product(tmp_path, embedder=embedder) as services:
        ids = await received(services, tmp_path, 3)
        runs = await all_started(services, ids, embedder)
        await services.parts.versions.delete(await services.knowledge.catalog.document(DEFAULT_TENANT, ids[1]))
        embedder.may.release(MANY)
        outcomes = await asyncio.gather(*runs)
        assert [outcome and outcome.state for outcome in outcomes] == ["live", "superseded", "live"]
        assert await services.parts.vector_ledger.known(ids[1]) == []


async def test_an_embedder_that_is_down_postpones_every_document_of_the_batch(tmp_path: Path) -> None:
    embedder = Slow()
    async with product(tmp_path, embedder=embedder) as services:
        ids = await received(services, tmp_path, 3)
        runs = await all_started(services, ids, embedder)
        embedder.down = True
        embedder.may.release(MANY)
        outcomes = await asyncio.gather(*runs)
        assert [outcome and outcome.reason for outcome in outcomes] == ["embedder_unavailable"] * 3
        assert await statuses(services, ids) == [DocumentStatus.RECEIVED] * 3
