"""A real HTTP server on this machine that speaks the common rerank protocol, with SharedWords behind it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from knowledge.rerank import SharedWords

KEY = "sk-right"
MODEL = "test/Reranker_1"


@dataclass
class RerankServer:
    """``answer`` replaces the whole reply (status, body) while it is set; ``requests`` are the bodies received."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    answer: Callable[[], tuple[int, Any]] | None = None
    delay_s: float = 0.0

    async def reply(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(body)
        await asyncio.sleep(self.delay_s)
        if self.answer:
            status, said = self.answer()
            text = said if isinstance(said, str) else json.dumps(said)
            return web.Response(status=status, text=text, content_type="application/json")
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"message": "wrong key"}, status=401)
        scores = await SharedWords().scores(body["query"], body["documents"])
        ranked = sorted(enumerate(scores), key=lambda scored: -scored[1])[: body["top_n"]]
        results = [{"index": index, "relevance_score": score, "document": {"text": ""}} for index, score in ranked]
        return web.json_response({"id": "1", "model": MODEL, "results": results})


@asynccontextmanager
async def rerank_server() -> AsyncIterator[RerankServer]:
    """Serves on a free port until the block is left."""
    server = RerankServer()
    app = web.Application()
    app.router.add_post("/v1/rerank", server.reply)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/rerank"
    try:
        yield server
    finally:
        await runner.cleanup()
