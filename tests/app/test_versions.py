"""Versions of a document: kept, compared, made live again, and really deleted."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from app.wiring import Services
from knowledge.errors import Conflict, NotFound
from knowledge.models import DEFAULT_TENANT, Document, DocumentStatus
from knowledge.past import KEPT
from knowledge.tables import document_versions, past_chunks
from knowledge.vectors import MemoryVectors, collection_name
from tests.app.jobs_api.calls import served, work
from tests.products import FEES, RETURNS, CountingEmbedder, product, take_in

DEARER = FEES.replace("50000", "60000")
DEAREST = FEES.replace("50000", "70000")
PRICES = """# 价目

| 款号 | 品名 | 价格 |
|---|---|---|
| A-1 | 台灯 | 99 |
| A-2 | 落地灯 | 299 |
| A-3 | 壁灯 | 159 |
"""


async def deposit(services: Services) -> str:
    found = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=10)
    texts = " ".join(passage.text for passage in found.passages)
    return next(price for price in ("50000", "60000", "70000") if price in texts)


async def undo(services: Services, document: Document) -> None:
    await services.knowledge.restore(DEFAULT_TENANT, document.id, by="li")


async def rows_of(services: Services, document: Document) -> tuple[int, int]:
    """How many versions and past chunks there are."""
    counted = []
    async with services.parts.database.read() as connection:
        for table in (document_versions, past_chunks):
            mine = select(func.count()).select_from(table).where(table.c.document_id == document.id)
            counted.append((await connection.execute(mine)).scalar_one())
    return counted[0], counted[1]


async def test_undoing_a_publication_brings_the_version_before_back_at_once_and_embeds_what_is_gone(
    tmp_path: Path,
) -> None:
    embedder, vectors = CountingEmbedder(), MemoryVectors()
    async with product(tmp_path, embedder=embedder, vectors=vectors) as services:
        await take_in(services, "shop", "费用.md", FEES)
        document = await take_in(services, "shop", "费用.md", DEARER)
        before = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await deposit(services) == "60000"
        embedded = embedder.passages

        await undo(services, document)
        assert await deposit(services) == "50000"  # although nothing was embedded yet
        assert embedder.passages == embedded
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert kb.epoch > before.epoch

        await services.pipeline.run(document.id, owner="test")
        assert embedder.passages - embedded == 1
        assert await vectors.ids(collection_name(kb)) == await services.knowledge.catalog.live_ids(kb.id)
        back = await services.knowledge.catalog.document(DEFAULT_TENANT, document.id)
        assert (back.status, back.version, back.size) == (DocumentStatus.LIVE, 3, len(FEES.encode()))
        versions = await services.knowledge.past.of(back)
        assert [(one.number, one.restored_from, one.published_by) for one in versions] == [
            (3, 1, "li"),
            (2, None, None),
            (1, None, None),
        ]


async def test_undoing_twice_goes_back_twice_and_no_further(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        for content in (FEES, DEARER, DEAREST):
            document = await take_in(services, "shop", "费用.md", content)
        prices = []
        for _ in range(2):
            await undo(services, document)
            document = await services.knowledge.catalog.document(DEFAULT_TENANT, document.id)
            prices.append(await deposit(services))
        assert prices == ["60000", "50000"]
        with pytest.raises(Conflict) as refused:
            await undo(services, document)
        assert refused.value.error_code == "nothing_to_undo"
        await services.knowledge.restore(DEFAULT_TENANT, document.id, 3, by=None)
        assert await deposit(services) == "70000"


async def test_the_bytes_of_the_version_that_is_live_again_are_no_work_and_newer_ones_are(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        document = await take_in(services, "shop", "费用.md", DEARER)
        await undo(services, document)
        await take_in(services, "shop", "费用.md", FEES)
        assert (await services.knowledge.catalog.document(DEFAULT_TENANT, document.id)).version == 3
        await take_in(services, "shop", "费用.md", DEARER)
        assert await deposit(services) == "60000"


async def test_only_the_last_versions_are_kept_and_no_chunk_of_older_ones(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        for number in range(KEPT + 3):
            document = await take_in(services, "shop", "费用.md", FEES.replace("50000", f"{number}001"))
        versions = await services.knowledge.past.of(document)
        assert [version.number for version in versions] == list(range(KEPT + 3, 3, -1))
        assert await rows_of(services, document) == (KEPT, KEPT - 1)
        oldest = await services.knowledge.past.chunks(document, 4)
        assert "3001" in " ".join(chunk.text for chunk in oldest)
        with pytest.raises(NotFound) as refused:
            await services.knowledge.past.chunks(document, 3)
        assert refused.value.error_code == "version_not_found"


async def test_a_version_from_before_lists_were_kept_can_be_gone_back_to_once_it_is_replaced(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        document = await take_in(services, "shop", "费用.md", FEES)
        async with services.parts.database.write() as connection:
            await connection.execute(update(document_versions).values(pieces=None))
        assert await services.knowledge.past.chunks(document, 1)  # it is live
        document = await take_in(services, "shop", "费用.md", DEARER)
        await undo(services, document)
        assert await deposit(services) == "50000"


async def test_a_deleted_document_leaves_no_version_and_no_bytes_that_nothing_else_has(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        document = await take_in(services, "shop", "费用.md", DEARER)
        other = await take_in(services, "shop", "同样的费用.md", FEES)
        files = {services.files.path(DEFAULT_TENANT, each) for each in (document.content_hash, other.content_hash)}
        await services.knowledge.delete_document(DEFAULT_TENANT, document.id)
        assert await rows_of(services, document) == (0, 0)
        assert [path.exists() for path in sorted(files)] == [
            path == services.files.path(DEFAULT_TENANT, other.content_hash) for path in sorted(files)
        ]
        with pytest.raises(Conflict) as refused:
            await services.knowledge.restore(DEFAULT_TENANT, document.id, by=None)
        assert refused.value.error_code == "nothing_to_undo"
        await services.knowledge.delete(DEFAULT_TENANT, "shop")
        assert not any(path.exists() for path in files)


async def test_bytes_that_nothing_needs_are_swept_up_after_a_while(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        document = await take_in(services, "shop", "费用.md", FEES)
        stray = services.files.path(DEFAULT_TENANT, "ab" * 32)
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"left by a crash")
        assert await services.pipeline.sweep_files() == 0
        assert await services.pipeline.sweep_files(older_than=-1) == 1
        assert not stray.exists()
        assert services.files.path(DEFAULT_TENANT, document.content_hash).exists()


async def send(http: httpx.AsyncClient, content: str, **fields: str) -> dict[str, Any]:
    sent = {"file": ("价目.md", content.encode())}
    answer = await http.post("/v1/knowledge-bases/shop/documents", files=sent, data=fields)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def test_over_http_versions_are_listed_compared_row_by_row_and_undone(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        path = f"/v1/documents/{(await send(http, PRICES))['id']}"
        await work(services, "ingest")
        edited = PRICES.replace("| 299 |", "| 259 |").replace("| A-3 | 壁灯 | 159 |", "| A-4 | 吊灯 | 399 |")
        await send(http, edited + "\n\n价格含税。\n")
        await work(services, "ingest")

        listed = (await http.get(f"{path}/versions")).json()["versions"]
        assert [(one["number"], one["live"], one["kept"]) for one in listed] == [(2, True, True), (1, False, True)]
        changes = (await http.get(f"{path}/diff", params={"before": 1, "after": 2})).json()["changes"]
        told = [(one["kind"], one["before"], one["after"]) for one in changes]
        assert ("changed", "款号: A-2；品名: 落地灯；价格: 299", "款号: A-2；品名: 落地灯；价格: 259") in told
        assert ("added", None, "款号: A-4；品名: 吊灯；价格: 399") in told
        assert ("removed", "款号: A-3；品名: 壁灯；价格: 159", None) in told
        assert ("added", None, "价格含税。") in told
        assert len(told) == 4

        assert (await http.post(f"{path}/undo")).status_code == 202
        await work(services, "ingest")
        assert (await http.get(path)).json()["status"] == "live"
        assert (await http.get(f"{path}/diff", params={"before": 1, "after": 3})).json()["changes"] == []
        assert (await http.post(f"{path}/undo")).json()["code"] == "nothing_to_undo"
        assert (await http.post(f"{path}/versions/9/restore")).json()["code"] == "version_not_found"


async def test_over_http_a_window_is_given_with_the_upload_changed_and_taken_away(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        sent = await send(http, RETURNS, valid_until="2020-01-01T12:00:00+08:00")
        await work(services, "ingest")
        path = f"/v1/documents/{sent['id']}"
        document = (await http.get(path)).json()
        assert (document["status"], document["validity"], document["answers"]) == ("live", "expired", False)
        changed = await http.patch(path, json={"valid_from": "2019-01-01T12:00:00Z"})
        assert changed.json()["valid_from"] == "2019-01-01T12:00:00+00:00"
        assert changed.json()["valid_until"] == "2020-01-01T04:00:00+00:00"
        assert (await http.patch(path, json={"valid_until": None})).json()["validity"] == "current"
        wrong = await http.patch(path, json={"valid_until": "2018-01-01T12:00:00Z"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "validity_window")
