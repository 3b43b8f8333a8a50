"""The service behind the console's pages: real SQL, search and pipeline; a quick embedder."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.jobs.ports import Handler
from app.jobs.queue import MemoryQueue
from app.jobs.runner import JobRunner
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.ports import Vector
from knowledge.vectors import MemoryVectors
from tests.products import settings_for


class GatedEmbedder(HashingEmbedder):
    """Embeds nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def embed_passages(self, texts: list[str]) -> Vector:  # type: ignore[override]
        assert self.gate.wait(timeout=60)
        return super().embed_passages(texts)


@dataclass
class Server:
    """The service on a port of its own, in a thread with its own loop, which also does a worker's work."""

    data: Path
    overrides: dict[str, object]
    embedder: GatedEmbedder = field(default_factory=GatedEmbedder)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    handlers: Sequence[Handler[Any]] = ()

    def start(self) -> "Server":
        self._stopping = False
        twins = Twins(embedder=self.embedder, vectors=MemoryVectors(), queue=self.queue, handlers=self.handlers)
        self._app = create_app(settings_for(self.data, **self.overrides), twins=twins)
        self._uvicorn = uvicorn.Server(uvicorn.Config(self._app, port=0, log_level="error", ws="none"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        until = time.monotonic() + 60
        while not self._uvicorn.started:
            assert time.monotonic() < until, "the service did not start"
            time.sleep(0.02)
        return self

    @property
    def url(self) -> str:
        host, port = self._uvicorn.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    def do(self, work: Callable[[Services], Awaitable[object]]) -> object:
        """Something on the service's own loop."""

        async def call() -> object:
            return await work(self._app.state.services)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(timeout=60)

    def close(self) -> None:
        self.embedder.gate.set()
        self._stopping = True
        asyncio.run_coroutine_threadsafe(self._worked_out(), self._loop).result(timeout=60)
        self._uvicorn.should_exit = True
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            self._worker = tasks.create_task(self._work(self._app))
            await self._uvicorn.serve()

    async def _worked_out(self) -> None:
        await self._worker

    async def _work(self, app: FastAPI) -> None:
        while not self._stopping:
            while self.queue.sent:
                queue, _ = self.queue.sent.pop(0)
                await JobRunner(app.state.services.jobs, "test").drain(queue)
            await asyncio.sleep(0.02)
