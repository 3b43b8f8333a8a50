"""Chunks changed by people, over HTTP: at once, as versions, kept over the next upload where they still apply."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.wiring import Services
from knowledge.chunk_edits import MOST_CHARACTERS
from knowledge.models import DEFAULT_TENANT, Document
from knowledge.past import KEPT
from knowledge.vectors import MemoryVectors, collection_name
from tests.app.jobs_api.calls import code_of, served, two_tenants, work
from tests.products import CountingEmbedder, take_in

# Each section is a chunk of its own: too long to share one.
SECTIONS = {
    "退货期限": "国内站订单签收后 7 个自然日内可以无理由退货。" + "退回运费由买家承担，赠品一并退回。" * 9,
    "退款时效": "仓库质检通过后 3 个工作日内原路退款。" + "质检不通过的，平台会在当天通知买家补充材料。" * 8,
    "保证金": "旗舰店保证金为 50000 元。" + "专营店的金额以后台页面所示为准，退店后退还。" * 8,
}


def text_of(**changed: str) -> str:
    sections = SECTIONS | changed
    return "# 规则\n\n" + "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())


async def chunks_of(http: httpx.AsyncClient, document: Document) -> list[dict[str, Any]]:
    answer = await http.get(f"/v1/documents/{document.id}/chunks")
    assert answer.json()["total"] == len(answer.json()["chunks"])
    return list(answer.json()["chunks"])


async def found(http: httpx.AsyncClient, query: str) -> str:
    answer = await http.post("/v1/knowledge-bases/shop/search", json={"query": query, "limit": 20})
    return "\n".join(passage["text"] for passage in answer.json()["passages"])


async def changed(http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = await http.request(method, f"/v1/chunks/{path}", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def epoch_of(services: Services) -> int:
    return (await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")).epoch


async def test_a_corrected_chunk_answers_at_once_and_only_it_is_embedded(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    async with served(tmp_path, embedder=embedder) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        first, second, third = await chunks_of(http, document)
        epoch, embedded = await epoch_of(services), embedder.passages
        text = first["text"].replace("7 个自然日", "15 个自然日")
        made = await changed(http, "PATCH", first["id"], {"text": text})
        assert "15 个自然日" in await found(http, "无理由退货")  # although nothing was embedded yet
        assert "7 个自然日" not in await found(http, "无理由退货")
        assert await epoch_of(services) > epoch
        assert [chunk["text"] for chunk in made["chunks"]] == [text]
        assert (made["chunks"][0]["read"], made["chunks"][0]["edited_by"]) == ([first["text"]], "local")
        assert made["chunks"][0]["heading"] == first["heading"]

        await work(services, "ingest")
        assert embedder.passages - embedded == 1
        vectors = services.parts.vectors
        assert isinstance(vectors, MemoryVectors)
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await vectors.ids(collection_name(kb)) == await services.knowledge.catalog.live_ids(kb.id)
        after = await chunks_of(http, document)
        assert [chunk["id"] for chunk in after] == [made["chunks"][0]["id"], second["id"], third["id"]]
        assert (await http.get(f"/v1/documents/{document.id}")).json()["status"] == "live"


async def test_an_edit_is_a_version_with_its_author_and_is_undone(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        (first, *_) = await chunks_of(http, document)
        await changed(http, "PATCH", first["id"], {"text": "签收后 15 天内可以退货。"})
        versions = (await http.get(f"/v1/documents/{document.id}/versions")).json()["versions"]
        assert [(v["number"], v["edit"], v["published_by"]) for v in versions] == [
            (2, "text", "local"),
            (1, None, None),
        ]
        diff = (await http.get(f"/v1/documents/{document.id}/diff?before=1&after=2")).json()["changes"]
        assert any("15 天" in (change["after"] or "") for change in diff)
        assert (await http.post(f"/v1/documents/{document.id}/undo")).status_code == 202
        assert (await chunks_of(http, document))[0]["id"] == first["id"]
        assert (await chunks_of(http, document))[0]["read"] == []
        assert (await http.post(f"/v1/documents/{document.id}/versions/2/restore")).status_code == 202
        assert (await chunks_of(http, document))[0]["read"] == [first["text"]]  # an edit still, not what was read


async def test_a_disabled_chunk_is_not_found_and_stands_where_it_was_until_it_is_enabled(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    async with served(tmp_path, embedder=embedder) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        _, _, deposit = before = await chunks_of(http, document)
        for chunk in before:  # down to a document without one chunk that is found
            await changed(http, "PATCH", chunk["id"], {"disabled": True})
        await work(services, "ingest")
        assert await found(http, "旗舰店保证金") == ""
        shown = await chunks_of(http, document)
        assert [(chunk["id"], chunk["disabled"]) for chunk in shown] == [(chunk["id"], True) for chunk in before]
        assert [chunk["heading"] for chunk in shown] == [chunk["heading"] for chunk in before]
        assert (await http.get(f"/v1/documents/{document.id}")).json()["chunks"] == 0
        assert code_of(await http.patch(f"/v1/chunks/{deposit['id']}", json={"text": "另一段"})) == (
            409,
            "chunk_disabled",
        )
        again = await http.patch(f"/v1/chunks/{deposit['id']}", json={"disabled": True})
        assert (again.status_code, again.json()["chunks"][0]["disabled"]) == (202, True)
        await changed(http, "PATCH", deposit["id"], {"disabled": False})
        assert "50000" in await found(http, "旗舰店保证金")
        assert [chunk["disabled"] for chunk in await chunks_of(http, document)] == [True, True, False]


async def test_what_contradicts_a_disabled_chunk_is_no_conflict_any_more(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "规则.md", "# 费用\n\n旗舰店保证金为 50000 元。")
        other = await take_in(services, "shop", "通知.md", "# 费用\n\n旗舰店保证金为 60000 元。")
        assert (await http.get("/v1/conflicts")).json()["total"] == 1
        (chunk,) = await chunks_of(http, other)
        await changed(http, "PATCH", chunk["id"], {"disabled": True})
        assert (await http.get("/v1/conflicts")).json()["total"] == 0
        await changed(http, "PATCH", chunk["id"], {"disabled": False})
        assert (await http.get("/v1/conflicts")).json()["total"] == 1
        await changed(http, "PATCH", chunk["id"], {"text": "旗舰店保证金为 50000 元。"})
        assert (await http.get("/v1/conflicts")).json()["total"] == 0


async def test_a_chunk_is_split_its_parts_corrected_and_all_reverted(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        before = await chunks_of(http, document)
        made = await changed(
            http, "POST", f"{before[1]['id']}/split", {"texts": ["3 个工作日内退款。", "否则通知买家。"]}
        )
        assert [chunk["ordinal"] for chunk in made["chunks"]] == [1, 2]
        last = made["chunks"][1]
        await changed(http, "PATCH", last["id"], {"text": "否则在当天通知买家。"})
        shown = await chunks_of(http, document)
        assert [chunk["text"] for chunk in shown[1:3]] == ["3 个工作日内退款。", "否则在当天通知买家。"]
        assert shown[1]["id"] == made["chunks"][0]["id"]  # what did not change keeps its vector
        await changed(http, "POST", f"{shown[2]['id']}/revert")
        assert await chunks_of(http, document) == before


async def test_chunks_are_merged_across_edits_and_what_both_say_is_said_once(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        one, two, three = before = await chunks_of(http, document)
        parts = await changed(http, "POST", f"{one['id']}/split", {"texts": ["七天内可退。", "运费由买家承担。"]})
        tail = parts["chunks"][1]["id"]
        await changed(http, "PATCH", two["id"], {"text": "运费由买家承担。三天内退款。"})
        follower = (await chunks_of(http, document))[2]["id"]
        made = await changed(http, "POST", f"{tail}/merge", {"next": follower})
        assert [chunk["text"] for chunk in made["chunks"]] == ["七天内可退。", "运费由买家承担。三天内退款。"]
        assert [chunk["id"] for chunk in await chunks_of(http, document)][-1] == three["id"]
        merged = made["chunks"][1]["id"]
        assert code_of(await http.post(f"/v1/chunks/{three['id']}/merge", json={"next": merged})) == (
            409,
            "chunk_changed",
        )
        await changed(http, "POST", f"{merged}/revert")
        assert await chunks_of(http, document) == before


async def test_of_two_who_change_one_chunk_the_second_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        first, second, _ = await chunks_of(http, document)
        bodies = [{"text": f"第 {n} 个人的话。"} for n in range(2)]
        answers = await asyncio.gather(*(http.patch(f"/v1/chunks/{first['id']}", json=body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [202, 409]
        (refused,) = (answer for answer in answers if answer.status_code == 409)
        assert refused.json()["code"] == "chunk_changed"
        assert len((await http.get(f"/v1/documents/{document.id}/versions")).json()["versions"]) == 2
        await changed(http, "PATCH", second["id"], {"text": "另一个片段，互不相干。"})


async def test_saving_what_is_there_already_is_no_version(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        (first, *_) = await chunks_of(http, document)
        epoch = await epoch_of(services)
        made = await changed(http, "PATCH", first["id"], {"text": first["text"]})
        assert (made["document"]["version"], made["chunks"][0]["read"]) == (1, [])
        await changed(http, "POST", f"{first['id']}/revert")
        assert await epoch_of(services) == epoch


async def test_edits_are_laid_over_the_next_upload_where_the_text_is_the_same_and_lost_where_it_is_not(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        first, second, third = await chunks_of(http, document)
        await changed(http, "PATCH", first["id"], {"text": "签收后 15 天内可以退货。"})
        await changed(http, "PATCH", second["id"], {"disabled": True})
        await changed(http, "PATCH", third["id"], {"text": "保证金一律 10000 元。"})
        await work(services, "ingest")

        await take_in(services, "shop", "规则.md", text_of(保证金=SECTIONS["保证金"].replace("50000", "80000")))
        shown = await chunks_of(http, document)
        assert shown[0]["text"] == "签收后 15 天内可以退货。"
        assert shown[1]["disabled"]
        assert "80000" in shown[2]["text"]
        lost = f"/v1/documents/{document.id}/lost-edits"
        (only,) = (await http.get(lost)).json()["lost_edits"]
        assert only["chunks"] == [{"text": "保证金一律 10000 元。", "disabled": False}]

        await take_in(services, "shop", "规则.md", text_of())  # what it was made of is back
        assert (await chunks_of(http, document))[2]["text"] == "保证金一律 10000 元。"
        assert (await http.get(lost)).json()["lost_edits"] == []
        await take_in(services, "shop", "规则.md", text_of(保证金=SECTIONS["保证金"].replace("50000", "90000")))
        assert (await http.delete(lost)).status_code == 204
        assert (await http.get(lost)).json()["lost_edits"] == []
        assert (await chunks_of(http, document))[0]["text"] == "签收后 15 天内可以退货。"


async def test_what_an_edit_covers_is_kept_longer_than_any_version(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        one, two, three = await chunks_of(http, document)
        await changed(http, "PATCH", one["id"], {"disabled": True})
        await changed(http, "PATCH", two["id"], {"text": "三天内退款。"})
        at = three["id"]
        for number in range(KEPT + 2):
            at = (await changed(http, "PATCH", at, {"text": f"第 {number} 稿。"}))["chunks"][0]["id"]
        assert (await changed(http, "PATCH", one["id"], {"disabled": False}))["chunks"] == [one]
        (_, edited, last) = await chunks_of(http, document)
        assert (await changed(http, "POST", f"{edited['id']}/revert"))["chunks"] == [two]
        assert (await changed(http, "POST", f"{last['id']}/revert"))["chunks"] == [three]


async def test_processing_the_same_bytes_again_keeps_every_edit(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        one, two, three = await chunks_of(http, document)
        await changed(http, "POST", f"{one['id']}/merge", {"next": two["id"]})
        await changed(http, "PATCH", three["id"], {"disabled": True})
        before = await chunks_of(http, document)
        await http.post(f"/v1/documents/{document.id}/reingest")
        await work(services, "ingest")
        assert await chunks_of(http, document) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "refused"),
    [
        ("PATCH", "", {"text": "  。 "}, (422, "chunk_text_empty")),
        ("PATCH", "", {"text": "长" * (MOST_CHARACTERS + 1)}, (422, "chunk_text_too_long")),
        ("PATCH", "", {"text": "a", "disabled": True}, (422, "chunk_change_invalid")),
        ("PATCH", "", {}, (422, "chunk_change_invalid")),
        ("POST", "/split", {"texts": ["一段"]}, (422, "invalid_input")),
        ("POST", "/split", {"texts": ["一段", ""]}, (422, "chunk_text_empty")),
        ("POST", "/merge", {"next": "none"}, (409, "chunk_changed")),
    ],
)
async def test_what_is_no_change_is_refused_and_nothing_is_written(
    tmp_path: Path, method: str, path: str, body: dict[str, Any], refused: tuple[int, str]
) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        before = await chunks_of(http, document)
        answer = await http.request(method, f"/v1/chunks/{before[0]['id']}{path}", json=body)
        assert code_of(answer) == refused
        assert await chunks_of(http, document) == before


async def test_while_new_bytes_are_processed_nothing_is_changed_and_of_a_deleted_document_there_is_no_chunk(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        (first, *_) = await chunks_of(http, document)
        files = {"file": ("规则.md", text_of(保证金="另一种。" * 60).encode())}
        assert (await http.post("/v1/knowledge-bases/shop/documents", files=files)).status_code == 202
        assert code_of(await http.patch(f"/v1/chunks/{first['id']}", json={"text": "改"})) == (
            409,
            "document_under_way",
        )
        await http.delete(f"/v1/documents/{document.id}")
        assert code_of(await http.patch(f"/v1/chunks/{first['id']}", json={"text": "改"})) == (404, "chunk_not_found")


async def test_a_chunk_of_another_tenant_is_not_there_and_readers_change_none(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        (first, *_) = (await call("read", "GET", f"/v1/documents/{document.id}/chunks")).json()["chunks"]
        path = f"/v1/chunks/{first['id']}"
        assert code_of(await call("other", "PATCH", path, json={"disabled": True})) == (404, "chunk_not_found")
        assert code_of(await call("read", "PATCH", path, json={"disabled": True})) == (403, "scope_missing")
        assert code_of(await call("other", "GET", f"/v1/documents/{document.id}/lost-edits"))[0] == 404
        assert (await call("write", "PATCH", path, json={"disabled": True})).status_code == 202
        (version, _) = (await call("read", "GET", f"/v1/documents/{document.id}/versions")).json()["versions"]
        assert version["published_by"].startswith("key:")
