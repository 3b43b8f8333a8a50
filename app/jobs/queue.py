"""The queue: Dramatiq on Redis, carrying ids only. The ledger's row is the truth; a message says "look at job 42".

A message wakes a worker, which takes the job whose turn it is. So the order is decided by the ledger (tenants in turn,
then priority and age), and a lost or doubled message costs nothing but a moment.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerError
from dramatiq.middleware import AgeLimit

from knowledge.errors import Unavailable

NAMESPACE = "copilot"
QUEUES = ("text", "image", "ingest")  # what workers take; `delivery` is the channels' own processes'
DELIVERY = "delivery"
# A message that waited an hour is dropped: the workers' sweep finds the job in SQL anyway.
MAX_AGE_MS = 3_600_000


class JobQueue(Protocol):
    """Says that a queue has work. Blocking. Raises Unavailable ``queue_unavailable``."""

    def wake(self, queue: str, job_id: str) -> None: ...

    def close(self) -> None: ...


def broker(redis_url: str, queues: Sequence[str] = (*QUEUES, DELIVERY)) -> RedisBroker:
    """A broker with short heartbeats; the ledger, not the broker, brings back what a killed worker held."""
    made = RedisBroker(  # type: ignore[no-untyped-call]
        url=redis_url,
        namespace=NAMESPACE,
        heartbeat_timeout=10_000,
        maintenance_chance=100_000,
        middleware=[AgeLimit()],
    )
    for queue in queues:
        made.declare_queue(queue)
    return made


def actor_name(queue: str) -> str:
    """The fixed name of a queue's only actor."""
    return f"work_{queue}"


class DramatiqQueue:
    """:class:`JobQueue` for every process that sends."""

    def __init__(self, redis_url: str) -> None:
        self._broker = broker(redis_url)

    def wake(self, queue: str, job_id: str) -> None:
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=queue,
            actor_name=actor_name(queue),
            args=(job_id,),
            kwargs={},
            options={"max_age": MAX_AGE_MS},
        )
        with _queue_errors():
            self._broker.enqueue(message)

    def close(self) -> None:
        self._broker.close()


class MemoryQueue:
    """The twin: remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def wake(self, queue: str, job_id: str) -> None:
        self.sent.append((queue, job_id))

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def _queue_errors() -> Generator[None]:
    try:
        yield
    except (redis.RedisError, BrokerError) as exc:
        raise Unavailable(
            "The queue does not answer. The job was written down and will be started when it does.",
            code="queue_unavailable",
        ) from exc
