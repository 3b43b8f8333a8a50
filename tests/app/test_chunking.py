"""How a knowledge base is cut: chosen, tried on a document, and carried out by ordinary jobs, document by document."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs_api.calls import code_of, served, two_tenants, work
from tests.products import CountingEmbedder, take_in

PATH = "/v1/knowledge-bases/shop/chunking"
LONG = "# 手册\n\n" + "\n\n".join(
    "".join(f"第{i}条第{j}款说明编号 {i * 97 + j} 的商品怎样办理退货。" for j in range(6)) for i in range(12)
)
SHORT = "# 电话\n\n客服电话 400-810-1234。"
TABLE = "型号,单价\n" + "\n".join(f"HB-{i},{i}.50" for i in range(30))


async def chunks_of(http: httpx.AsyncClient, document_id: str) -> list[dict[str, Any]]:
    return list((await http.get(f"/v1/documents/{document_id}/chunks?limit=500")).json()["chunks"])


async def test_a_new_knowledge_base_has_the_defaults(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        found = (await http.get(PATH)).json()
        assert found["default"] == {"size": 300, "overlap": 60, "join_small": True, "row_by_row": False}
        assert found == {**found["default"], "default": found["default"], "documents": found["documents"]}
        assert found["documents"] == {"total": 0, "as_chosen": 0, "under_way": 0}


async def test_what_is_there_is_cut_anew_by_jobs_and_answers_meanwhile_and_only_new_chunks_are_embedded(
    tmp_path: Path,
) -> None:
    embedder = CountingEmbedder()
    async with served(tmp_path, embedder=embedder) as (http, services):
        long = await take_in(services, "shop", "手册.md", LONG)
        short = await take_in(services, "shop", "电话.md", SHORT)
        before, embedded = await chunks_of(http, long.id), embedder.passages
        answer = await http.patch(PATH, json={"size": 120, "overlap": 20})
        assert answer.status_code == 200
        assert (answer.json()["size"], answer.json()["overlap"]) == (120, 20)
        assert answer.json()["documents"] == {"total": 2, "as_chosen": 0, "under_way": 2}
        assert await chunks_of(http, long.id) == before
        assert await work(services, "ingest") == 2
        assert (await http.get(PATH)).json()["documents"] == {"total": 2, "as_chosen": 2, "under_way": 0}
        after = await chunks_of(http, long.id)
        assert len(after) > 2 * len(before)
        kept = {one["id"] for one in before} & {one["id"] for one in after}
        assert embedder.passages - embedded == len(after) - len(kept)  # nothing of the short document
        assert (await http.get(f"/v1/documents/{short.id}")).json()["status"] == "live"


async def test_without_rechunking_only_what_comes_is_cut_so_and_the_rest_is_counted(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        old = await take_in(services, "shop", "手册.md", LONG)
        before = await chunks_of(http, old.id)
        await http.patch(PATH, json={"size": 120, "overlap": 20, "rechunk": False})
        new = await take_in(services, "shop", "手册 2.md", LONG)
        assert await chunks_of(http, old.id) == before
        assert len(await chunks_of(http, new.id)) > 2 * len(before)
        assert (await http.get(PATH)).json()["documents"] == {"total": 2, "as_chosen": 1, "under_way": 0}
        assert (await http.patch(PATH, json={})).json()["documents"]["under_way"] == 1  # a second try takes the rest


async def test_a_version_that_is_brought_back_is_cut_as_it_was(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", LONG)
        await http.patch(PATH, json={"size": 120, "overlap": 20})
        await work(services, "ingest")
        await http.post(f"/v1/documents/{document.id}/undo")
        await work(services, "ingest")
        assert (await http.get(PATH)).json()["documents"] == {"total": 1, "as_chosen": 0, "under_way": 0}


async def test_rows_are_chunks_of_their_own_where_that_is_chosen(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "价目.csv", TABLE)
        await http.patch(PATH, json={"row_by_row": True})
        await work(services, "ingest")
        assert [one["text"] for one in await chunks_of(http, document.id)][:2] == [
            "型号: HB-0；单价: 0.50",
            "型号: HB-1；单价: 1.50",
        ]


async def test_a_preview_shows_both_sides_and_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", LONG)
        tried = {"document_id": document.id, "size": 120, "overlap": 0}
        seen = (await http.post(f"{PATH}/preview?limit=3", json=tried)).json()
        assert seen["document"] == "手册.md"
        assert len(seen["before"]["chunks"]) == len(seen["after"]["chunks"]) == 3
        assert seen["after"]["total"] > seen["before"]["total"]
        assert seen["after"]["width"]["most"] <= 120
        assert seen["new"] == seen["after"]["total"] - seen["kept"]
        assert (await http.get(PATH)).json()["size"] == 300
        await http.patch(PATH, json={"size": 120, "overlap": 0})
        await work(services, "ingest")
        assert len(await chunks_of(http, document.id)) == seen["after"]["total"]
        same = (await http.post(f"{PATH}/preview", json={"document_id": document.id})).json()
        assert same["new"] == 0
        assert same["kept"] == same["after"]["total"] == same["before"]["total"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"size": 79}, "chunk_size_invalid"),
        ({"size": 1001}, "chunk_size_invalid"),
        ({"size": 150}, "chunk_overlap_invalid"),  # 60 is more than a third of it
        ({"overlap": -1}, "chunk_overlap_invalid"),
        ({"overlap": 101}, "chunk_overlap_invalid"),
        ({"size": "wide"}, "invalid_request"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_changed(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "电话.md", SHORT)
        before = (await http.get(PATH)).json()
        refused = await http.patch(PATH, json=changes)
        tried = await http.post(f"{PATH}/preview", json={"document_id": document.id, **changes})
        if code == "invalid_request":
            assert {refused.status_code, tried.status_code} <= {400, 422}
        else:
            assert code_of(refused) == code_of(tried) == (422, code)
        assert (await http.get(PATH)).json() == before


async def test_a_preview_needs_a_document_of_this_base_that_has_chunks(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        elsewhere = await take_in(services, "other", "电话.md", SHORT)
        for document_id, refusal in (
            (elsewhere.id, (409, "preview_needs_chunks")),
            ("none", (404, "document_not_found")),
        ):
            answer = await http.post(f"{PATH}/preview", json={"document_id": document_id})
            assert code_of(answer) == refusal


async def test_another_tenants_base_is_not_there_and_readers_may_look_but_not_change(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        document = await take_in(services, "shop", "电话.md", SHORT)
        tried = {"document_id": document.id, "size": 120, "overlap": 20}
        for method, path, body in (("GET", PATH, None), ("PATCH", PATH, {}), ("POST", f"{PATH}/preview", tried)):
            other = await call("other", method, path, **({} if body is None else {"json": body}))
            assert code_of(other) == (404, "knowledge_base_not_found")
        assert (await call("read", "POST", f"{PATH}/preview", json=tried)).status_code == 200
        assert (await call("read", "PATCH", PATH, json={"size": 200})).status_code == 403
        assert (await call("write", "PATCH", PATH, json={"size": 200})).status_code == 200


async def test_a_document_that_was_being_read_under_the_old_setting_is_read_again(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", LONG)
        await services.knowledge.reingest(DEFAULT_TENANT, document.id)
        claim = await services.parts.versions.claim(document.id, "another worker")
        assert claim is not None
        assert (await http.patch(PATH, json={"size": 120, "overlap": 20})).json()["documents"]["under_way"] == 1
        await _ingested(services)
        assert (await http.get(PATH)).json()["documents"]["as_chosen"] == 1


async def _ingested(services: Services) -> None:
    while await work(services, "ingest"):
        pass
