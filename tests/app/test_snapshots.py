"""A snapshot is a file from which the same is found again; one that is broken makes nothing."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.wiring import Services
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import collection_name
from tests.app.jobs_api.calls import code_of, served, two_tenants, work
from tests.products import FEES, RETURNS, CountingEmbedder, take_in

PARCELS = "# 物流\n\n空派到美国 8 至 12 天，押金不退的订单不发货。\n"
QUESTIONS = ("旗舰店的保证金是多少？", "数码类目的佣金", "退货运费谁出？多久退款？", "押金要交多少", "空派到美国几天")
WINDOW = {"valid_from": "2020-01-01T00:00:00+00:00", "valid_until": "2020-02-01T00:00:00+00:00"}


async def filled(services: Services) -> None:
    await services.parts.synonyms.write(DEFAULT_TENANT, "保证金 = 押金", by=None)
    for name, text in (("费用.md", FEES), ("规则/退货.md", RETURNS), ("物流.md", PARCELS)):
        await take_in(services, "shop", name, text)
    await work(services, "ingest")  # the jobs that were written for them


async def hits(services: Services, kb: str) -> list[list[tuple[Any, ...]]]:
    found = []
    for question in QUESTIONS:
        passages = (await services.knowledge.search(DEFAULT_TENANT, question, kbs=[kb], limit=10)).passages
        found.append([(each.document, each.text, each.place, round(each.score, 6), each.scores) for each in passages])
    return found


async def taken(http: httpx.AsyncClient, **params: Any) -> bytes:
    answer = await http.get("/v1/knowledge-bases/shop/snapshot", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return answer.content


async def restored(http: httpx.AsyncClient, data: bytes, name: str = "copy") -> dict[str, Any]:
    answer = await http.post("/v1/snapshots", params={"name": name}, content=data)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_restored_snapshot_finds_what_its_knowledge_base_found_then_and_embeds_nothing(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    async with served(tmp_path / "a", embedder=embedder) as (http, services):
        await filled(services)
        expected, data = await hits(services, "shop"), await taken(http)
        await take_in(services, "shop", "费用.md", FEES.replace("50000", "99999"))
        embedded = embedder.passages
        made = await restored(http, data)
        assert (made["documents"], made["waiting"], made["notes"]) == (3, 0, [])
        assert await hits(services, "copy") == expected
        assert await hits(services, "shop") != expected
        assert embedder.passages == embedded
        kb = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "copy")
        assert await services.parts.vectors.ids(collection_name(kb)) == await services.knowledge.catalog.live_ids(kb.id)
        assert await services.pipeline.sweep() == 0
    async with served(tmp_path / "b") as (http, services):  # another installation has the synonyms from it, too
        await restored(http, data, name="")
        assert await hits(services, "shop") == expected


async def test_what_a_restored_knowledge_base_has_can_be_changed_taken_back_and_taken_in_again(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await filled(services)
        await restored(http, await taken(http))
        again = await take_in(services, "copy", "费用.md", FEES)
        assert again.version == 1  # the same bytes are no work
        changed = await take_in(services, "copy", "费用.md", FEES.replace("50000", "60000"))
        assert changed.version == 2
        undone = await http.post(f"/v1/documents/{changed.id}/undo")
        assert undone.status_code == 202
        await work(services, "ingest")
        assert await hits(services, "copy") == await hits(services, "shop")


async def test_windows_come_along_and_what_is_not_live_does_not(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        expired = await take_in(services, "shop", "促销.md", "# 促销\n\n全场八折。\n")
        await http.patch(f"/v1/documents/{expired.id}", json=WINDOW)
        await take_in(services, "shop", "坏.pdf", b"%PDF-1.4 broken")
        await restored(http, await taken(http))
        listed = (await http.get("/v1/knowledge-bases/copy/documents")).json()["documents"]
        assert [(each["name"], each["validity"], each["status"]) for each in listed] == [("促销.md", "expired", "live")]
        assert {name: listed[0][name] for name in WINDOW} == WINDOW


async def test_without_vectors_or_with_those_of_another_model_a_worker_makes_them(tmp_path: Path) -> None:
    class Other(HashingEmbedder):
        model_id = "another-model"

    async with served(tmp_path / "a") as (http, services):
        await filled(services)
        expected, bare, full = await hits(services, "shop"), await taken(http, vectors=False), await taken(http)
        assert len(bare) < len(full)
        made = await restored(http, bare)
        assert (made["waiting"], made["notes"]) == (3, [])
        assert await work(services, "ingest") == 3
        assert await hits(services, "copy") == expected
    async with served(tmp_path / "b", embedder=Other()) as (http, services):
        assert (await restored(http, full))["notes"] == ["snapshot_other_model"]
        assert await work(services, "ingest") == 3
        assert await hits(services, "copy") == expected


async def test_a_tenant_with_synonyms_of_its_own_keeps_them_and_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await filled(services)
        data = await taken(http)
        await services.parts.synonyms.write(DEFAULT_TENANT, "运费 = 邮费", by=None)
        assert (await restored(http, data))["notes"] == ["snapshot_other_synonyms"]
        assert await services.parts.synonyms.lines(DEFAULT_TENANT) == "运费 = 邮费"


def changed(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The same ZIP with other members."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    change(members)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, content)
    return made.getvalue()


def manifest(**fields: Any) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | fields).encode()

    return change


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    """A member that was changed by somebody who knows how the manifest is made."""

    def apply(members: dict[str, bytes]) -> None:
        import hashlib

        members[name] = change(members[name])
        told = json.loads(members["manifest.json"])
        told["members"][name] = hashlib.sha256(members[name]).hexdigest()
        members["manifest.json"] = json.dumps(told).encode()

    return apply


def _swap(members: dict[str, bytes]) -> None:
    members["chunks.jsonl"] = members["chunks.jsonl"].replace(b"50000", b"10000")


BROKEN: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "a price that was changed": (_swap, "snapshot_invalid"),
    "another format": (manifest(format="something"), "snapshot_invalid"),
    "a newer version": (manifest(version=2), "snapshot_newer"),
    "settings of the future": (manifest(settings={"colour": "red"}), "snapshot_newer"),
    "wrong counts": (manifest(chunks=3), "snapshot_invalid"),
    "no synonyms": (lambda members: members.pop("synonyms.txt") and None, "snapshot_invalid"),
    "a file too many": (lambda members: members.update({"../evil": b"x"}), "snapshot_invalid"),
    "half of the vectors": (rewritten("vectors.f32", lambda data: data[: len(data) // 2]), "snapshot_invalid"),
    "vectors that are none": (rewritten("vectors.f32", lambda data: b"\xff" * len(data)), "snapshot_invalid"),
    "a chunk of no document": (
        rewritten("chunks.jsonl", lambda data: data.replace(b'"document": 0', b'"document": 7')),
        "snapshot_invalid",
    ),
    "a page that is text": (
        rewritten("chunks.jsonl", lambda data: data.replace(b'"page": null', b'"page": "one"')),
        "snapshot_invalid",
    ),
    "a column of the future": (
        rewritten("chunks.jsonl", lambda data: data.replace(b'"page": null', b'"colour": 1, "page": null')),
        "snapshot_newer",
    ),
    "half a character": (
        rewritten("chunks.jsonl", lambda data: data.replace(b'"heading": "', b'"heading": "\\ud800')),
        "snapshot_invalid",
    ),
    "synonyms that are none": (rewritten("synonyms.txt", lambda data: b"one"), "synonyms_invalid"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_or_foreign_file_is_refused_and_makes_nothing(tmp_path: Path, case: str) -> None:
    async with served(tmp_path / "a") as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        data = await taken(http)
    change, code = BROKEN[case]
    async with served(tmp_path / "b") as (http, services):
        answer = await http.post("/v1/snapshots", content=changed(data, change))
        assert code_of(answer) == (422, code)
        assert (await http.get("/v1/knowledge-bases")).json()["knowledge_bases"] == []
        assert not any((tmp_path / "b" / "files" / DEFAULT_TENANT / "incoming").iterdir())


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 half a zip", b"price,1\n"])
async def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    async with served(tmp_path) as (http, _):
        answer = await http.post("/v1/snapshots", content=data)
        assert code_of(answer) in ((422, "snapshot_invalid"), (422, "snapshot_missing"))


async def test_a_name_that_is_taken_is_refused_and_a_bomb_is_too_large(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        data = await taken(http)
        assert code_of(await http.post("/v1/snapshots", content=data)) == (409, "knowledge_base_exists")
        bomb = changed(data, lambda members: members.update({"vectors.f32": bytes(200 << 20)}))
        assert code_of(await http.post("/v1/snapshots?name=b", content=bomb)) == (422, "snapshot_too_large")


async def test_snapshots_are_the_tenants_and_restoring_takes_a_key_that_may_write(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        await take_in(services, "shop", "费用.md", FEES)
        path = "/v1/knowledge-bases/shop/snapshot"
        assert (await call("other", "GET", path)).json()["code"] == "knowledge_base_not_found"
        data = (await call("read", "GET", path)).content
        assert (await call("read", "POST", "/v1/snapshots", content=data)).status_code == 403
        assert (await call("other", "POST", "/v1/snapshots", content=data)).status_code == 201
        theirs = (await call("other", "POST", "/v1/knowledge-bases/shop/search", json={"query": "旗舰店保证金"})).json()
        assert "50000" in theirs["passages"][0]["text"]
