"""The console as a visitor has it: a service, and pages taken apart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from selectolax.lexbor import LexborHTMLParser as HTMLParser
from selectolax.lexbor import LexborNode as Node

from app import console
from app.jobs.queue import MemoryQueue
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import MemoryVectors
from tests.products import settings_for

FOLDER = Path(console.__file__).parent
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
NAVIGATION = [
    "/console",
    "/console/sources",
    "/console/queue",
    "/console/turns",
    "/console/curated",
    "/console/conflicts",
    "/console/studio",
    "/console/prompts",
    "/console/dingtalk",
    "/console/keys",
    "/",
    "/docs",
]
REASONS = ("encrypted", "empty", "needs_ocr", "unsupported", "too_large", "corrupt")


@asynccontextmanager
async def served(data: Path, **overrides: object) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    twins = Twins(embedder=HashingEmbedder(), vectors=MemoryVectors(), queue=MemoryQueue())
    app = create_app(settings_for(data, **overrides), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http, app.state.services


async def see(http: httpx.AsyncClient, path: str, *, status: int = 200) -> HTMLParser:
    answer = await http.get(path)
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"].startswith("text/html")
    return HTMLParser(answer.text)


def one(page: HTMLParser | Node, selector: str) -> Node:
    found = page.css_first(selector)
    assert found is not None, f"{selector} is not on the page"
    return found


def words(page: HTMLParser | Node, selector: str = "main") -> str:
    return " ".join(one(page, selector).text(separator=" ").split())


async def refused(services: Services, name: str, reason: str) -> str:
    """A document that a run ended with this reason."""
    base = await services.knowledge.ensure(DEFAULT_TENANT, "shop")
    versions = services.parts.versions
    document_id, _ = await versions.receive(base, name, content_hash="0" * 64, size=1)
    claim = await versions.claim(document_id, "test")
    assert claim is not None
    await versions.fail(claim, reason, "The loader's own words.")
    return document_id
