"""Documents in: what is embedded, what is found, and what an interrupted or failed run leaves behind."""

import asyncio
import threading
from pathlib import Path

import pytest

from ingest.loaders.source import silent
from ingest.parsing import DirectParser, IsolatedParser
from knowledge.errors import Unavailable
from knowledge.models import DEFAULT_TENANT, DocumentStatus
from knowledge.ports import Vector
from knowledge.vectors import MemoryVectors, collection_name
from tests.products import FEES, RETURNS, CountingEmbedder, product, take_in


async def names(services, question: str) -> list[str]:  # type: ignore[no-untyped-def]
    found = await services.knowledge.search(DEFAULT_TENANT, question, kbs=["shop"], limit=5)
    return [passage.document for passage in found.passages]


async def test_a_document_is_found_after_it_was_taken_in(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        document = await take_in(services, "shop", "规则/退换货.md", RETURNS)
        await take_in(services, "shop", "费用.md", FEES)
        assert document.status is DocumentStatus.LIVE
        assert document.version == 1
        assert (await names(services, "签收后几天内可以无理由退货"))[0] == "规则/退换货.md"
        assert (await names(services, "旗舰店保证金是多少"))[0] == "费用.md"


async def test_the_same_bytes_again_are_no_work(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    async with product(tmp_path, embedder=embedder) as services:
        await take_in(services, "shop", "费用.md", FEES)
        before = embedder.passages
        again = await take_in(services, "shop", "费用.md", FEES)
        assert embedder.passages == before
        assert again.version == 1


async def test_one_changed_paragraph_embeds_at_most_three_chunks(tmp_path: Path) -> None:
    sections = [
        f"## 第 {n} 节\n\n" + f"第 {n} 节的规则是编号 R-{n:03d} 的条款，适用于全部店铺。" * 12 for n in range(30)
    ]
    embedder = CountingEmbedder()
    async with product(tmp_path, embedder=embedder) as services:
        await take_in(services, "shop", "长文.md", "# 总则\n\n" + "\n\n".join(sections))
        before = embedder.passages
        sections[14] = sections[14].replace("全部店铺", "旗舰店铺", 1)
        await take_in(services, "shop", "长文.md", "# 总则\n\n" + "\n\n".join(sections))
        assert before > 30
        assert 1 <= embedder.passages - before <= 3


async def test_an_edited_price_is_found_and_the_old_one_is_gone(tmp_path: Path) -> None:
    vectors = MemoryVectors()
    async with product(tmp_path, vectors=vectors) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "费用.md", FEES.replace("50000", "60000"))
        found = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=10)
        texts = " ".join(passage.text for passage in found.passages)
        assert "60000" in texts
        assert "50000" not in texts
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await vectors.ids(collection_name(kb)) == await services.knowledge.catalog.live_ids(kb.id)


async def test_a_deleted_document_is_found_no_more_and_leaves_no_vector(tmp_path: Path) -> None:
    vectors = MemoryVectors()
    async with product(tmp_path, vectors=vectors) as services:
        document = await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退换货.md", RETURNS)
        await services.knowledge.delete_document(DEFAULT_TENANT, document.id)
        assert "费用.md" not in await names(services, "旗舰店保证金是多少")
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await vectors.ids(collection_name(kb)) == await services.knowledge.catalog.live_ids(kb.id)
        back = await take_in(services, "shop", "费用.md", FEES)
        assert back.status is DocumentStatus.LIVE
        assert (await names(services, "旗舰店保证金是多少"))[0] == "费用.md"


async def test_a_refused_document_says_why_and_the_old_version_answers_on(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        refused = await take_in(services, "shop", "费用.md", b"%PDF-1.7\ngarbage")
        assert refused.status is DocumentStatus.FAILED
        assert refused.reason == "corrupt"
        assert refused.message
        assert (await names(services, "旗舰店保证金是多少"))[0] == "费用.md"


class BreakingVectors(MemoryVectors):
    """Goes down after some writes."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.left = writes

    async def upsert(self, collection: str, ids, vectors: Vector) -> None:  # type: ignore[no-untyped-def]
        if self.left == 0:
            raise Unavailable("down", code="vectors_unavailable")
        self.left -= 1
        await super().upsert(collection, ids, vectors)


async def test_a_run_that_broke_off_is_resumed_without_embedding_twice(tmp_path: Path) -> None:
    sections = [f"## 第 {n} 节\n\n" + f"第 {n} 节的规则编号 R-{n:03d}，适用于全部店铺。" * 10 for n in range(80)]
    vectors, embedder = BreakingVectors(writes=1), CountingEmbedder()
    async with product(tmp_path, vectors=vectors, embedder=embedder) as services:
        document = await take_in(services, "shop", "长文.md", "# 总则\n\n" + "\n\n".join(sections))
        assert document.status is DocumentStatus.RECEIVED
        assert await names(services, "R-003") == []
        vectors.left = 1000
        await services.pipeline.run(document.id, owner="second")
        live = await services.knowledge.catalog.document(DEFAULT_TENANT, document.id)
        assert live.status is DocumentStatus.LIVE
        assert embedder.passages == live.chunks + 32  # the batch whose write failed was embedded again


async def test_two_workers_on_one_document_publish_it_once(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    async with product(tmp_path, embedder=embedder) as services:
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        document = await take_in(services, "shop", "费用.md", FEES)
        await services.knowledge.reingest(DEFAULT_TENANT, document.id)
        outcomes = await asyncio.gather(*(services.pipeline.run(document.id, owner=f"w{n}") for n in range(5)))
        assert [outcome is not None for outcome in outcomes].count(True) == 1
        assert embedder.passages == document.chunks


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b\\c.md", "./x//y.md"])
async def test_a_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    async with product(tmp_path) as services:
        document = await take_in(services, "shop", name, FEES)
        assert ".." not in document.name
        assert not document.name.startswith("/")
        assert "\\" not in document.name


class PageByPage:
    """Reports pages, and goes on until it is told that nobody wants the document any more."""

    unpack = DirectParser().unpack

    def __init__(self) -> None:
        self.ended = threading.Event()

    def load(self, path, *, name, max_bytes, progress=silent):  # type: ignore[no-untyped-def]
        try:
            while not self.ended.wait(0.01):
                progress(30, 100)
        finally:
            self.ended.set()

    def close(self) -> None:
        self.ended.set()


async def test_pages_read_are_shown_and_a_cancelled_run_ends_its_reader(tmp_path: Path) -> None:
    parser, reports = PageByPage(), []
    async with product(tmp_path, parser=parser) as services:
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        file = tmp_path / "a.md"
        file.write_text(FEES, encoding="utf-8")
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        received = await services.knowledge.add_file(kb, "a.md", file)
        shown = asyncio.Event()

        def report(stage: str, percent: int) -> None:
            reports.append((stage, percent))
            shown.set()

        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(services.pipeline.run(received.document.id, owner="w", report=report))
            await shown.wait()
            run.cancel()
        assert reports[0] == ("loading", 18)  # 30 % of the 60 that reading page by page is
        assert await asyncio.to_thread(parser.ended.wait, 10)
        assert await services.parts.versions.status(received.document.id) is DocumentStatus.RECEIVED


async def test_documents_are_read_in_a_process_of_their_own(tmp_path: Path) -> None:
    parser = IsolatedParser(slots=1)
    async with product(tmp_path, parser=parser) as services:
        await take_in(services, "shop", "费用.md", FEES)
        refused = await take_in(services, "shop", "坏.pdf", b"%PDF-1.7\ngarbage")
        assert refused.reason == "corrupt"
        assert (await names(services, "旗舰店保证金是多少"))[0] == "费用.md"
