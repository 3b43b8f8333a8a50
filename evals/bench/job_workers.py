"""The worker processes of ``copilot bench jobs``: ours, and what everybody would write with Dramatiq.

    python -m evals.bench.job_workers copilot DATA REDIS_URL        or        … dramatiq DATA REDIS_URL

Both work on one queue with as many threads, on jobs that do nothing, until SIGTERM.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from app.database import migrate
from app.jobs.artifacts import Artifacts
from app.jobs.events import RedisEvents
from app.jobs.ledger import Ledger
from app.jobs.ports import JobRequest, Outcome, Quantities, Work
from app.jobs.queue import DramatiqQueue
from app.jobs.service import JobService
from app.processes.runtime import mark_ready
from app.settings import Prices
from app.worker import SLOTS, Worker
from knowledge.catalog import Catalog
from knowledge.database import Database, sqlite_url
from knowledge.models import DEFAULT_TENANT

QUEUE = "text"
PLAIN_NAMESPACE = "bench"


class NothingRequest(JobRequest):
    number: int


class Nothing:
    """The job that does nothing."""

    kind = "nothing"
    queue: Literal["text"] = "text"
    request = NothingRequest

    def estimate(self, request: NothingRequest) -> Quantities:  # noqa: ARG002 (the port's)
        return Quantities()

    async def run(self, request: NothingRequest, work: Work) -> Outcome:  # noqa: ARG002 (the port's)
        return Outcome({"number": request.number})


@asynccontextmanager
async def jobs_of_nothing(data: Path, redis_url: str) -> AsyncIterator[JobService]:
    """The service's jobs in a folder, as the wiring puts them together, with one kind more and no others."""
    database = Database(sqlite_url(data / "copilot.db"))
    queue, events = DramatiqQueue(redis_url), RedisEvents(redis_url)
    try:
        await migrate(database)
        await Catalog(database).ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        artifacts = Artifacts(database, str(data / "artifacts"), secret=b"bench")
        yield JobService(
            ledger=Ledger(database),
            events=events,
            artifacts=artifacts,
            queue=queue,
            prices=Prices(),
            handlers=[Nothing()],
        )
    finally:
        await events.close()
        queue.close()
        await database.close()


def plain_actor(redis_url: str) -> "dramatiq.Actor[[int], None]":
    """An actor that does nothing, on a broker as it comes."""
    broker = RedisBroker(url=redis_url, namespace=PLAIN_NAMESPACE)  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name=QUEUE)
    def nothing(number: int) -> None:
        """Does nothing."""

    return nothing


async def _copilot(data: Path, redis_url: str) -> None:
    async with jobs_of_nothing(data, redis_url) as jobs:
        await Worker(jobs, redis_url, (QUEUE,), sweep=_nothing, data=data).run()


async def _nothing() -> None:
    """What the worker looks after besides."""


def _dramatiq(data: Path, redis_url: str) -> None:
    actor = plain_actor(redis_url)
    worker = dramatiq.Worker(actor.broker, worker_threads=SLOTS[QUEUE])
    worker.start()
    mark_ready(data)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    worker.stop(1000)


def main() -> None:
    which, data, redis_url = sys.argv[1:]
    if which == "copilot":
        asyncio.run(_copilot(Path(data), redis_url))
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        _dramatiq(Path(data), redis_url)


if __name__ == "__main__":
    main()
