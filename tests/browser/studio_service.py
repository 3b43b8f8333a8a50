"""The real service with quick jobs, and a worker that hears of cancelled ones."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

from app.jobs.ports import Handler
from app.jobs.runner import JobRunner
from tests.browser.console_service import Server
from tests.studio_kinds import CutoutHandler, TitlesHandler

PRICES = {"currency": "CNY", "image": 0.05, "models": {"qwen-plus": {"input": 0.8, "output": 2.0}}}


@dataclass
class Studio(Server):
    """``cutout`` and ``titles`` are its kinds of jobs; both queues are worked on at once."""

    cutout: CutoutHandler = field(default_factory=CutoutHandler)
    titles: TitlesHandler = field(default_factory=TitlesHandler)
    more: tuple[Handler[Any], ...] = ()

    def __post_init__(self) -> None:
        self.handlers = (self.cutout, self.titles, *self.more)
        self.overrides = {"prices": PRICES, **self.overrides}

    def close(self) -> None:
        self.cutout.gate.set()
        super().close()

    async def _work(self, app: FastAPI) -> None:
        while not hasattr(app.state, "services"):  # noqa: ASYNC110 (the lifespan tells nobody)
            await asyncio.sleep(0.02)
        jobs = app.state.services.jobs
        runner = JobRunner(jobs, "test")

        async def listen() -> None:
            async for job_id in jobs.events.cancellations():
                runner.cancel(job_id)

        async def drain(queue: str) -> None:
            while not self._stopping:
                if any(name == queue for name, _ in self.queue.sent):
                    self.queue.sent[:] = [sent for sent in self.queue.sent if sent[0] != queue]
                    await runner.drain(queue)
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as tasks:
            ear = tasks.create_task(listen())
            await asyncio.gather(*(drain(queue) for queue in ("ingest", "text", "image")))
            ear.cancel()


Serve = Callable[..., Studio]
