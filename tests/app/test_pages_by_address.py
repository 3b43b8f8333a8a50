"""Documents named by their address: asked for over HTTP, fetched by a worker, fetched again only when they changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from app.jobs.queue import MemoryQueue
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import MemoryVectors
from tests.app.jobs_api.calls import work
from tests.ingest.web.site import Page, fetcher, site
from tests.products import settings_for

PAGE = "<html><head><title>退货</title></head><body><h1>退货</h1><p>签收后 7 天内可以无理由退货。</p></body></html>"


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue(), fetcher=fetcher())
    app = create_app(settings_for(data), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            await http.post("/v1/knowledge-bases", json={"name": "shop"})
            yield http, app.state.services


async def add(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    answer = await http.post("/v1/knowledge-bases/shop/documents", json={"url": url})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def test_a_page_is_taken_in_from_its_address_and_says_where_it_is_from(tmp_path: Path) -> None:
    async with site({"/help/returns": Page(PAGE)}) as here, served(tmp_path) as (http, services):
        sent = await add(http, here.url("/help/returns"))
        assert (sent["status"], sent["name"]) == ("received", f"127.0.0.1:{here.port}/help/returns")
        assert sent["job_id"]
        assert here.asked == []  # it is the worker who fetches
        await work(services, "ingest")
        document = (await http.get(f"/v1/documents/{sent['id']}")).json()
        assert (document["status"], document["media_type"]) == ("live", "text/html")
        assert document["origin"]["url"] == here.url("/help/returns")
        assert document["origin"]["seen_at"]
        found = await services.knowledge.search(DEFAULT_TENANT, "几天内可以退货", kbs=["shop"], limit=1)
        assert "7 天" in found.passages[0].text


async def test_a_page_named_again_is_new_only_if_it_has_changed(tmp_path: Path) -> None:
    async with site({"/a": Page(PAGE, headers={"ETag": '"1"'})}) as here, served(tmp_path) as (http, services):
        document_id = (await add(http, here.url("/a")))["id"]
        await work(services, "ingest")
        for body, etag, version in ((PAGE, '"1"', 1), (PAGE, '"2"', 1), (PAGE.replace("7 天", "15 天"), '"3"', 2)):
            here.pages["/a"] = Page(body, headers={"ETag": etag})
            assert (await add(http, here.url("/a")))["id"] == document_id
            await work(services, "ingest")
            document = (await http.get(f"/v1/documents/{document_id}")).json()
            assert (document["status"], document["version"]) == ("live", version)
            assert document["size"] > 100


async def test_a_page_that_cannot_be_had_fails_with_its_reason_and_can_be_tried_again(tmp_path: Path) -> None:
    async with site() as here, served(tmp_path) as (http, services):
        document_id = (await add(http, here.url("/a")))["id"]
        await work(services, "ingest")
        document = (await http.get(f"/v1/documents/{document_id}")).json()
        assert (document["status"], document["reason"]) == ("failed", "address_not_found")
        here.pages["/a"] = Page(b"\x89PNG\r\n\x1a\n" + bytes(100))
        await http.post(f"/v1/documents/{document_id}/reingest")
        await work(services, "ingest")
        document = (await http.get(f"/v1/documents/{document_id}")).json()
        assert (document["status"], document["reason"]) == ("failed", "needs_ocr")
        here.pages["/a"] = Page(PAGE)
        await add(http, here.url("/a"))
        await work(services, "ingest")
        assert (await http.get(f"/v1/documents/{document_id}")).json()["status"] == "live"


async def test_an_address_that_is_refused_is_refused_at_once(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        for url, code in (
            ("http://10.0.0.1/", "address_refused"),
            ("ftp://a.example/", "address_invalid"),
            ("", "invalid_input"),
        ):
            answer = await http.post("/v1/knowledge-bases/shop/documents", json={"url": url})
            assert (answer.status_code, answer.json()["code"]) == (422, code)
        nowhere = await http.post("/v1/knowledge-bases/none/documents", json={"url": "https://a.example/"})
        assert nowhere.json()["code"] == "knowledge_base_not_found"
        neither = await http.post("/v1/knowledge-bases/shop/documents", data={"name": "x"})
        assert neither.status_code == 422
