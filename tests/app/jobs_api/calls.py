"""The API of jobs as its callers have it: a service with small kinds of job, and answers taken apart."""

import json
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from app.identity.keys import Scope
from app.jobs.queue import MemoryQueue
from app.jobs.runner import JobRunner
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.ports import Embedder
from knowledge.vectors import MemoryVectors
from tests.app.jobs.kinds import Echo, Picture
from tests.products import settings_for


@asynccontextmanager
async def served(
    data: Path, *, embedder: Embedder | None = None, **overrides: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    twins = Twins(
        embedder=embedder or HashingEmbedder(),
        vectors=MemoryVectors(),
        queue=MemoryQueue(),
        handlers=[Echo(), Picture()],
    )
    app = create_app(settings_for(data, **overrides), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http, app.state.services


def echo(text: str = "你好", **fields: object) -> dict[str, Any]:
    top = {name: fields.pop(name) for name in ("priority", "idempotency_key", "conversation_id") if name in fields}
    return {"kind": "echo", "request": {"text": text, **fields}, **top}


async def create(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/v1/jobs", json=echo(**fields))
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def work(services: Services, queue: str = "text") -> int:
    """What a worker does when it is woken."""
    return await JobRunner(services.jobs, "w").drain(queue)


def png() -> bytes:
    """A red square of 2×2 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = zlib.compress(b"".join(b"\0" + b"\xff\0\0" * 2 for _ in range(2)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def events_of(body: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, name, data) of each event."""
    found = []
    for block in body.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "event" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@asynccontextmanager
async def two_tenants(data: Path, **overrides: object) -> AsyncIterator[tuple[Any, Services]]:
    """A service that asks for keys; → ``call(scope, method, path, …)`` with a key of ours, or of the other tenant."""
    async with served(data, require_keys=True, **overrides) as (http, services):
        await services.parts.catalog.ensure_tenant("other", "Other")
        keys = {}
        for name, tenant, scope in (
            ("read", DEFAULT_TENANT, Scope.READ),
            ("write", DEFAULT_TENANT, Scope.WRITE),
            ("admin", DEFAULT_TENANT, Scope.ADMIN),
            ("other", "other", Scope.ADMIN),
        ):
            _, keys[name] = await services.keys.issue(tenant, name, scope=scope)
        _, keys["chat"] = await services.keys.publish(DEFAULT_TENANT, "site", origins=["https://shop.example"])

        async def call(who: str | None, method: str, path: str, **more: Any) -> httpx.Response:
            headers = dict(more.pop("headers", {}))
            if who:
                headers["Authorization"] = f"Bearer {keys[who]}"
            if who == "chat":
                headers["Origin"] = "https://shop.example"
            return await http.request(method, path, headers=headers, **more)

        yield call, services
