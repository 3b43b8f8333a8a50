"""``copilot worker``: takes messages from the queue and runs the pipeline; sweeps up what messages forgot.

Dramatiq's threads only hand over: all work happens on one event loop, which owns every connection.
"""

import asyncio
import logging
import os
import signal
import socket
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import dramatiq

from app.jobs.queue import INGEST_ACTOR, INGEST_QUEUE, broker
from app.processes.runtime import mark_ready
from app.settings import Settings
from app.wiring import Services, running_services
from knowledge.errors import InvalidInput, Unavailable

THREADS = 2  # documents at a time: one is read while another is embedded
SWEEP_SECONDS = 3.0
IDLE = timedelta(seconds=8)  # a received document that nobody took for this long has lost its message
HALF_FILE_SECONDS = 3600
STOP_SECONDS = 1  # `copilot up` allows 2.5 in all

log = logging.getLogger(__name__)


async def run_worker(settings: Settings, *, redis_url: str | None = None, chroma_url: str | None = None) -> None:
    """Work until SIGTERM or SIGINT; documents in hand are given back. Raises InvalidInput ``setting_missing``."""
    redis = redis_url or settings.redis_url
    if not redis:
        raise InvalidInput(
            "There is no Redis. Set COPILOT_REDIS_URL, or start everything with “copilot up”.", code="setting_missing"
        )
    async with running_services(settings, redis_url=redis, chroma_url=chroma_url) as services:
        await Worker(services, redis).run()


class Worker:
    """One process's share of the work."""

    def __init__(self, services: Services, redis_url: str) -> None:
        self._services = services
        self._broker = broker(redis_url)
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

        @dramatiq.actor(broker=self._broker, queue_name=INGEST_QUEUE, actor_name=INGEST_ACTOR)
        def ingest_document(tenant: str, document_id: str) -> None:  # noqa: ARG001 (the message names its tenant)
            asyncio.run_coroutine_threadsafe(self._ingest(document_id), loop).result()

        threads = dramatiq.Worker(self._broker, worker_threads=THREADS)
        threads.start()
        mark_ready(self._services.settings.data)
        log.info("worker ready owner=%s", self._owner)
        try:
            while not self._stop.is_set():
                await self._sweep()
                await self._pause(SWEEP_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.to_thread(threads.stop, STOP_SECONDS * 1000)

    async def _ingest(self, document_id: str) -> None:
        task = asyncio.current_task()
        if task is None or self._stop.is_set():
            return
        self._tasks.add(task)
        try:
            await self._services.pipeline.run(document_id, owner=self._owner)
        finally:
            self._tasks.discard(task)

    async def _sweep(self) -> None:
        """Messages for documents that have none, vectors that nobody needs, half-written files of dead uploads."""
        try:
            if await asyncio.to_thread(self._broker.do_qsize, INGEST_QUEUE) == 0:
                for tenant, document_id in await self._services.parts.versions.waiting(idle=IDLE):
                    await asyncio.to_thread(self._send, tenant, document_id)
            await self._services.pipeline.sweep()
            await asyncio.to_thread(_drop_half_files, self._services.settings.data / "files")
        except (Unavailable, ConnectionError, dramatiq.errors.BrokerError) as down:
            log.warning("sweep postponed: %s", down)

    def _send(self, tenant: str, document_id: str) -> None:
        self._broker.get_actor(INGEST_ACTOR).send(tenant, document_id)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return


def _drop_half_files(folder: Path) -> None:
    for part in folder.glob("*/incoming/*"):
        if time.time() - part.stat().st_mtime > HALF_FILE_SECONDS:
            part.unlink(missing_ok=True)
