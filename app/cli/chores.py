"""Jobs of a process that has no workers beside it: it does them itself, while it waits for its next call."""

import asyncio
from uuid import uuid4

from app.jobs.runner import HEARTBEAT_SECONDS, JobRunner
from app.jobs.service import JobService

LOOK_SECONDS = 0.5  # between two looks for new jobs
QUEUES = ("text", "image")


class Chores:
    """``run`` ends by being cancelled; what is under way is given back then."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        self._runner = JobRunner(jobs, f"cli:{uuid4().hex[:8]}")

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat())
                for queue in QUEUES:
                    tasks.create_task(self._work(queue))
        finally:
            await self._runner.stop()

    async def _work(self, queue: str) -> None:
        while True:
            await self._jobs.ledger.sweep()
            await self._runner.drain(queue)
            await asyncio.sleep(LOOK_SECONDS)

    async def _beat(self) -> None:
        while True:
            await self._runner.beat()
            await asyncio.sleep(HEARTBEAT_SECONDS)
