"""Brings ended jobs to their channels: woken by the queue ``delivery``, and by looking into SQL now and then.

Dramatiq's thread only hands over: whatever a message said, the table of deliveries says what is to be done.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import dramatiq

from app.jobs.deliveries import LEASE, Deliveries, Delivery, LeaseLost
from app.jobs.queue import DELIVERY, actor_name, broker
from bots.dispatcher import left_to_the_next_round

AT_ONCE = 4  # deliveries of a process; most of each is waiting for the platform
SWEEP_SECONDS = 2.0
BEAT_SECONDS = LEASE.total_seconds() / 3
GRACE_SECONDS = 2.0  # what is under way when the process ends may come to its end
POLL_MS = 200  # how often an idle thread looks for messages
STOP_MS = 1000

log = logging.getLogger(__name__)


class Brings(Protocol):
    """Whoever brings: :class:`bots.delivery.Courier`."""

    @property
    def channels(self) -> tuple[str, ...]: ...

    async def deliver(self, delivery: Delivery) -> None: ...


class DeliveryWorker:
    """One process's share of the deliveries. Without a ``redis_url`` it only looks for itself."""

    def __init__(self, courier: Brings, deliveries: Deliveries, *, owner: str, redis_url: str | None = None) -> None:
        self._courier = courier
        self._deliveries = deliveries
        self._owner = owner
        self._redis_url = redis_url
        self._news = asyncio.Event()
        self._stopping = False
        self._busy: set[asyncio.Task[None]] = set()
        self._held: dict[tuple[str, str], Delivery] = {}

    async def run(self) -> None:
        """Until :meth:`stop`, or until it is cancelled: then what is under way is given back."""
        async with _woken(self._redis_url, self._news.set), asyncio.TaskGroup() as tasks:
            beating = tasks.create_task(self._beat())
            while not self._stopping:
                self._news.clear()
                with left_to_the_next_round("deliveries"):
                    for _ in range(await self._room()):
                        self._begin(tasks)
                await self._wait()
            await self._end()
            beating.cancel()

    def stop(self) -> None:
        """Take nothing more; what is under way ends within moments, or is given back."""
        self._stopping = True
        self._news.set()

    async def _room(self) -> int:
        """How many more can be begun now."""
        free = AT_ONCE - len(self._busy)
        return min(free, await self._deliveries.waiting(self._courier.channels)) if free > 0 else 0

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        if not self._stopping:
            task = tasks.create_task(self._drain())
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def _end(self) -> None:
        if self._busy:
            _, late = await asyncio.wait(self._busy, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _drain(self) -> None:
        with left_to_the_next_round("delivery"):
            while not self._stopping and (delivery := await self._deliveries.take(self._courier.channels, self._owner)):
                await self._one(delivery)

    async def _one(self, delivery: Delivery) -> None:
        self._held[delivery.job_id, delivery.channel] = delivery
        try:
            await self._courier.deliver(delivery)
        except asyncio.CancelledError:
            with _overtaken(delivery):
                await self._deliveries.give_back(delivery)
            raise
        finally:
            del self._held[delivery.job_id, delivery.channel]

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            for delivery in list(self._held.values()):
                with left_to_the_next_round("heartbeat"), _overtaken(delivery):
                    await self._deliveries.beat(delivery)


@contextmanager
def _overtaken(delivery: Delivery) -> Generator[None]:
    """Whoever brings it notices with the next step."""
    try:
        yield
    except LeaseLost:
        log.info("delivery overtaken job=%s", delivery.job_id)


@asynccontextmanager
async def _woken(redis_url: str | None, wake: Callable[[], None]) -> AsyncGenerator[None]:
    """Call ``wake`` on this loop for every message of the queue."""
    if redis_url is None:
        yield
        return
    loop, link = asyncio.get_running_loop(), broker(redis_url, (DELIVERY,))

    @dramatiq.actor(broker=link, queue_name=DELIVERY, actor_name=actor_name(DELIVERY))
    def heard(job_id: str) -> None:  # noqa: ARG001 (what is due, the table says)
        loop.call_soon_threadsafe(wake)

    threads = dramatiq.Worker(link, queues={DELIVERY}, worker_timeout=POLL_MS, worker_threads=1)
    threads.start()
    try:
        yield
    finally:
        await asyncio.shield(asyncio.to_thread(_close, threads, link))


def _close(threads: dramatiq.Worker, link: dramatiq.Broker) -> None:
    threads.stop(STOP_MS)
    link.close()
