"""The queue: Dramatiq on Redis, carrying ids only. The document's row is the truth; a message says "look at it"."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerError
from dramatiq.middleware import AgeLimit

from knowledge.errors import Unavailable

NAMESPACE = "copilot"
INGEST_QUEUE = "ingest"
INGEST_ACTOR = "ingest_document"
# A message that waited an hour is dropped: the sweep finds the document in SQL anyway.
MAX_AGE_MS = 3_600_000


class IngestQueue(Protocol):
    """Says that a document wants work. Blocking. Raises Unavailable ``queue_unavailable``."""

    def enqueue(self, tenant: str, document_id: str) -> None: ...


def broker(redis_url: str) -> RedisBroker:
    """A broker with short heartbeats; the sweep in SQL, not the broker, brings back what a killed worker held."""
    made = RedisBroker(  # type: ignore[no-untyped-call]
        url=redis_url,
        namespace=NAMESPACE,
        heartbeat_timeout=10_000,
        maintenance_chance=100_000,
        middleware=[AgeLimit()],
    )
    made.declare_queue(INGEST_QUEUE)
    return made


class DramatiqQueue:
    """:class:`IngestQueue` for processes that only send."""

    def __init__(self, redis_url: str) -> None:
        self._broker = broker(redis_url)

    def enqueue(self, tenant: str, document_id: str) -> None:
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=INGEST_QUEUE,
            actor_name=INGEST_ACTOR,
            args=(tenant, document_id),
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

    def enqueue(self, tenant: str, document_id: str) -> None:
        self.sent.append((tenant, document_id))

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def _queue_errors() -> Generator[None]:
    try:
        yield
    except (redis.RedisError, BrokerError) as exc:
        raise Unavailable(
            "The queue does not answer. The document was received and will be processed when it does.",
            code="queue_unavailable",
        ) from exc
