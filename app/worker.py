"""``copilot worker``: takes messages from the queue and runs jobs; sweeps up what messages forgot.

Dramatiq's threads only hand over: all work happens on one event loop, which owns every connection.
"""

import asyncio
import logging
import math
import os
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import dramatiq
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.jobs.queue import actor_name, broker
from app.jobs.runner import HEARTBEAT_SECONDS, JobRunner
from app.jobs.service import JobService
from app.processes.chroma_folder import CHROMA, drop_left_segments
from app.processes.runtime import mark_ready
from app.settings import Settings
from app.studio import running_studio
from app.wiring import Services, running_services
from knowledge.database import now
from knowledge.errors import InvalidInput, Unavailable
from knowledge.removals import Removals

# Jobs at a time: of documents two are read while what was read of others is embedded together; text jobs wait for a
# model; pictures that are drawn are drawn together, eight at most.
SLOTS: Mapping[str, int] = {"ingest": 6, "text": 8, "image": 8}
POLL_MS = 200  # an idle worker looks for messages so often; 1 s, as it comes, is felt by who waits for a job to start
SWEEP_SECONDS = 2.0
VECTORS_SECONDS = 60.0  # whoever deletes sees to its vectors itself; to look for others is to look at every one
RARELY_SECONDS = 900
IDLE = timedelta(seconds=8)  # a received document without a job for this long has lost it
HALF_FILE_SECONDS = 3600
STOP_SECONDS = 1  # `copilot up` allows 2.5 in all

log = logging.getLogger(__name__)


async def run_worker(
    settings: Settings,
    queues: Sequence[str] = ("text", "ingest"),
    *,
    redis_url: str | None = None,
    chroma_url: str | None = None,
) -> None:
    """Work until SIGTERM or SIGINT; jobs in hand are given back. Raises InvalidInput."""
    redis = redis_url or settings.redis_url
    if not redis:
        raise InvalidInput(
            "There is no Redis. Set COPILOT_REDIS_URL, or start everything with “copilot up”.", code="setting_missing"
        )
    async with _working(settings, queues, redis, chroma_url) as (jobs, sweep, move):
        with metrics.served(settings.metrics_port, settings.host):
            await Worker(jobs, redis, queues, sweep=sweep, move=move, data=settings.data).run()


class Worker:
    """One process's share of the work. ``sweep`` is done every few seconds beside the ledger's own; ``move`` goes on by
    itself, and may take hours."""

    def __init__(
        self,
        jobs: JobService,
        redis_url: str,
        queues: Sequence[str],
        *,
        sweep: Callable[[], Awaitable[None]],
        data: Path,
        move: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._jobs = jobs
        self._queues = queues
        self._redis_url = redis_url
        self._runner = JobRunner(jobs, f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}")
        self._sweep_more = sweep
        self._move_on = move
        self._data = data
        self._busy: Counter[str] = Counter()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        threads = [self._threads(queue, loop) for queue in self._queues]
        for pool in threads:
            pool.start()
        mark_ready(self._data)
        log.info("worker ready queues=%s", ",".join(self._queues))
        try:
            async with asyncio.TaskGroup() as tasks:
                endless = [tasks.create_task(work()) for work in (self._beat, self._listen)]
                endless.append(tasks.create_task(self._sweep(tasks)))
                if self._move_on is not None:
                    endless.append(tasks.create_task(self._move(self._move_on)))
                await self._stop.wait()
                await self._runner.stop()
                for task in endless:
                    task.cancel()
        finally:
            await asyncio.gather(*(asyncio.to_thread(pool.stop, STOP_SECONDS * 1000) for pool in threads))

    def _threads(self, queue: str, loop: asyncio.AbstractEventLoop) -> dramatiq.Worker:
        link = broker(self._redis_url, [queue])

        @dramatiq.actor(broker=link, queue_name=queue, actor_name=actor_name(queue))
        def work(job_id: str) -> None:  # noqa: ARG001 (whose turn it is, the ledger decides)
            asyncio.run_coroutine_threadsafe(self._drain(queue), loop).result()

        return dramatiq.Worker(link, queues={queue}, worker_timeout=POLL_MS, worker_threads=SLOTS[queue])

    async def _drain(self, queue: str) -> None:
        if self._busy[queue] >= SLOTS[queue]:
            return
        self._busy[queue] += 1
        try:
            with _left_to_the_next_round("jobs"):
                await self._runner.drain(queue)
        finally:
            self._busy[queue] -= 1

    async def _beat(self) -> None:
        while not self._stop.is_set():  # a cancellation may be lost, see _Running.hush
            with _left_to_the_next_round("heartbeat"):
                await self._runner.beat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _move(self, move_on: Callable[[], Awaitable[object]]) -> None:
        """Knowledge bases to the configured embedding model."""
        while not self._stop.is_set():
            with _left_to_the_next_round("move"):
                await move_on()
            await asyncio.sleep(SWEEP_SECONDS)

    async def _listen(self) -> None:
        async for job_id in self._jobs.events.cancellations():
            self._runner.cancel(job_id)

    async def _sweep(self, tasks: asyncio.TaskGroup) -> None:
        """Jobs of dead workers, jobs without a message, and whatever else this worker looks after."""
        while not self._stop.is_set():
            with _left_to_the_next_round("sweep"):
                for job in await self._jobs.ledger.sweep():
                    log.warning("job comes back id=%s attempts=%d", job.id, job.attempts)
                for queue in self._queues:
                    free = SLOTS[queue] - self._busy[queue]
                    for _ in range(await self._jobs.ledger.waiting(queue, at_most=free) if free > 0 else 0):
                        tasks.create_task(self._drain(queue))
                await self._sweep_more()
            await asyncio.sleep(SWEEP_SECONDS)


@contextmanager
def _left_to_the_next_round(what: str) -> Generator[None]:
    """A part that is away for a moment does not end the worker; what was left undone is found later."""
    try:
        yield
    except (Unavailable, SQLAlchemyError, OSError) as down:
        log.warning("%s postponed: %s", what, down)


@asynccontextmanager
async def _working(
    settings: Settings, queues: Sequence[str], redis: str, chroma_url: str | None
) -> AsyncIterator[tuple[JobService, Callable[[], Awaitable[None]], Callable[[], Awaitable[object]]]]:
    """The jobs of this worker, its sweep, and its part in moving. Only who takes documents in loads the embedder."""
    if "ingest" in queues:
        async with running_services(settings, redis_url=redis, chroma_url=chroma_url) as services:
            yield services.jobs, Housekeeping(services).sweep, services.parts.mover.move
    else:
        async with running_studio(settings, redis_url=redis) as jobs:
            yield jobs, _nothing, _nothing


class Housekeeping:
    """Documents that lost their job, sources that are due, vectors that nobody needs, files of dead uploads and of dead
    jobs, and what is not to be kept any longer: conversations, logs, old removals, files of dropped collections.

    Vectors are looked for once a minute, the last two once in ``rarely`` seconds.
    """

    def __init__(self, services: Services, *, rarely: float = RARELY_SECONDS) -> None:
        self._services = services
        self._rarely = rarely
        self._rare_at = time.monotonic()
        self._vectors_at = -math.inf

    async def sweep(self) -> None:
        services = self._services
        for tenant, document_id in await services.parts.versions.waiting(idle=IDLE):
            await services.knowledge.process(await services.knowledge.catalog.document(tenant, document_id))
        if time.monotonic() - self._vectors_at > VECTORS_SECONDS:
            await services.pipeline.sweep()
            self._vectors_at = time.monotonic()
        await services.keeper.begin_due()
        await asyncio.to_thread(_drop_half_files, services.settings.files)
        if time.monotonic() - self._rare_at > self._rarely:
            self._rare_at = time.monotonic()
            if days := services.settings.history_days:
                deleted = await services.eraser.unused(longer_than=timedelta(days=days))
                log.info("conversations deleted count=%d unused for days=%d", deleted, days)
            await services.jobs.artifacts.sweep()
            await services.pipeline.sweep_files()
            await asyncio.to_thread(drop_left_segments, services.settings.data / CHROMA)
            await Removals(services.parts.database).trim()
            await services.receipts.forget(before=now() - timedelta(days=services.settings.call_log_days))


async def _nothing() -> None:
    """What a worker of the studio's queues looks after besides."""


def _drop_half_files(folder: Path) -> None:
    for part in folder.glob("*/incoming/*"):
        if time.time() - part.stat().st_mtime <= HALF_FILE_SECONDS:
            continue
        if part.is_dir():  # an archive's members
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
