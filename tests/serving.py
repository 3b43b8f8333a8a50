"""The whole API on a socket of this machine, in the test's own loop, for clients that open real connections."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn

from app.chat.answerers import Answerer
from app.jobs.ports import Handler
from app.jobs.queue import MemoryQueue
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.vectors import MemoryVectors
from tests.products import settings_for


@asynccontextmanager
async def listening(
    data: Path, *, answerer: Answerer | None = None, handlers: Sequence[Handler[Any]] = (), **overrides: object
) -> AsyncIterator[tuple[str, Services]]:
    """→ (its URL, what it runs on)."""
    twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue(), answerer, handlers=handlers)
    app = create_app(settings_for(data, **overrides), twins=twins)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve())
        while not (server.started or serving.done()):  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}", app.state.services
        finally:
            server.should_exit = True
            await serving  # also when the test has failed: a cancelled server leaves its socket open
