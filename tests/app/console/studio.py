"""The studio as a visitor has it: pages, the service behind them, and a worker that works when it is told to."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app import console
from app.jobs.queue import MemoryQueue
from app.jobs.runner import JobRunner
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.vectors import MemoryVectors
from tests.products import settings_for
from tests.studio_kinds import CutoutHandler, NewcomerHandler, TitlesHandler, photo

PRICES = {"currency": "CNY", "image": 0.05, "models": {"other": {"input": 1}}}
HOSTILE = "<img src=x onerror=alert>"
ROOT = Path(console.__file__).parents[2]


@dataclass
class Studio:
    """A browser, the service behind it, and a worker that works when it is told to."""

    http: httpx.AsyncClient
    services: Services

    async def picture(self, **options: Any) -> str:
        sent = await self.http.post("/v1/artifacts", files={"file": ("mug.jpg", photo((300, 225), **options))})
        return str(sent.json()["id"])

    async def job(self, kind: str, request: Mapping[str, Any], *, run: bool = True) -> str:
        made = await self.http.post("/v1/jobs", json={"kind": kind, "request": request})
        assert made.status_code == 202, made.text
        if run:
            await self.work()
        return str(made.json()["id"])

    async def work(self) -> None:
        for queue in ("text", "image"):
            await JobRunner(self.services.jobs, "test").drain(queue)


@asynccontextmanager
async def studio(data: Path, *texts: str, **overrides: object) -> AsyncIterator[Studio]:
    handlers = [CutoutHandler(), TitlesHandler(*texts), NewcomerHandler()]
    twins = Twins(embedder=HashingEmbedder(), vectors=MemoryVectors(), queue=MemoryQueue(), handlers=handlers)
    app = create_app(settings_for(data, **{"prices": PRICES, **overrides}), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield Studio(http, app.state.services)


PRODUCT = {"product.name": "保温杯", "product.facts": "材质：304不锈钢\n容量: 500ml", "product.goods": "general"}
