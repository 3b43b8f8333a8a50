"""What happens to a job, as it happens: a Redis stream per job, and the word that a job was cancelled.

Events are for watching. The ledger is the truth: a reader whose stream is gone with Redis still learns the end from it.
"""

import asyncio
import base64
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from app.jobs.ports import Preview

log = logging.getLogger(__name__)

KEPT = 300  # events a job keeps; older previews are of no use
SECONDS = 86_400
BLOCK_MS = 2_000
MOST_WATCHERS = 5_000  # of a process; a Redis as it comes takes 10,000 connections
_CANCELLATIONS = "copilot:jobs:cancelled"
# One command costs the client two thirds of a pipeline of two.
_APPEND = """
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'event', ARGV[1], 'data', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
"""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """``name`` is state (``data`` has state) or progress (percent, stage, and preview when there is one)."""

    name: str
    data: dict[str, Any]


class JobEvents(Protocol):
    """Where events go and come from. Nothing here raises because Redis is away; it is logged."""

    async def append(self, tenant: str, job_id: str, event: JobEvent) -> None: ...

    async def read(self, tenant: str, job_id: str, *, after: str | None) -> list[tuple[str, JobEvent]]:
        """Events after an id (None: from the beginning), waiting up to two seconds for the first."""

    async def announce_cancel(self, job_id: str) -> None: ...

    def cancellations(self) -> AsyncGenerator[str, None]:
        """Ids of jobs as they are cancelled, from now on."""

    async def close(self) -> None: ...


def progress_event(percent: int, stage: str, preview: Preview | None) -> JobEvent:
    """Pictures travel as data URLs: they are a few kilobytes."""
    data: dict[str, Any] = {"percent": percent, "stage": stage}
    if preview is not None and preview.image is not None:
        data["preview"] = {"image": f"data:{preview.media_type};base64,{base64.b64encode(preview.image).decode()}"}
    elif preview is not None and preview.text is not None:
        data["preview"] = {"text": preview.text}
    return JobEvent("progress", data)


class MemoryEvents:
    """The twin, for one process."""

    def __init__(self) -> None:
        self._events: defaultdict[tuple[str, str], list[JobEvent]] = defaultdict(list)
        self._grown = asyncio.Condition()
        self._cancelled: list[str] = []

    async def append(self, tenant: str, job_id: str, event: JobEvent) -> None:
        async with self._grown:
            self._events[tenant, job_id].append(event)
            self._grown.notify_all()

    async def read(self, tenant: str, job_id: str, *, after: str | None) -> list[tuple[str, JobEvent]]:
        start = int(after.partition("-")[0]) if after else 0
        events = self._events[tenant, job_id]
        async with self._grown:
            try:
                async with asyncio.timeout(BLOCK_MS / 1000):
                    await self._grown.wait_for(lambda: len(events) > start)
            except TimeoutError:
                return []
        return [(f"{number}-0", event) for number, event in enumerate(events[start:], start + 1)]

    async def announce_cancel(self, job_id: str) -> None:
        async with self._grown:
            self._cancelled.append(job_id)
            self._grown.notify_all()

    async def cancellations(self) -> AsyncGenerator[str, None]:
        seen = len(self._cancelled)
        while True:
            async with self._grown:
                await self._grown.wait_for(lambda: len(self._cancelled) > seen)  # noqa: B023 (called before it changes)
            for job_id in self._cancelled[seen:]:
                seen += 1
                yield job_id

    async def close(self) -> None:
        """Nothing to close."""


class RedisEvents:
    """``copilot:{tenant}:job:{id}``, kept for a day."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        # Once more and at once: a connection of before a restart of Redis is noticed only when it is used.
        how: dict[str, Any] = {"socket_timeout": 10, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 1)}
        self._redis: Any = Redis.from_url(url, **how)
        # Each who watches holds a connection while it waits; they must not take away those that events are written by.
        self._watching: Any = Redis.from_url(url, **how, max_connections=MOST_WATCHERS)
        self._append = self._redis.register_script(_APPEND)

    async def append(self, tenant: str, job_id: str, event: JobEvent) -> None:
        from redis.exceptions import RedisError

        told: list[Any] = [event.name, orjson.dumps(event.data), KEPT, SECONDS]
        try:
            await self._append(keys=[_name(tenant, job_id)], args=told)
        except (RedisError, OSError) as error:
            log.warning("job event not written job=%s: %s", job_id, type(error).__name__)

    async def read(self, tenant: str, job_id: str, *, after: str | None) -> list[tuple[str, JobEvent]]:
        from redis.exceptions import RedisError

        try:
            found = await self._watching.xread({_name(tenant, job_id): after or "0"}, block=BLOCK_MS, count=KEPT)
        except (RedisError, OSError) as error:
            log.warning("job events not read job=%s: %s", job_id, type(error).__name__)
            await asyncio.sleep(1)
            return []
        entries = found[0][1] if found else []
        return [
            (number.decode(), JobEvent(fields[b"event"].decode(), orjson.loads(fields[b"data"])))
            for number, fields in entries
        ]

    async def announce_cancel(self, job_id: str) -> None:
        from redis.exceptions import RedisError

        try:
            await self._redis.publish(_CANCELLATIONS, job_id)
        except (RedisError, OSError) as error:  # the worker finds it with its next heartbeat
            log.warning("cancel not announced job=%s: %s", job_id, type(error).__name__)

    async def cancellations(self) -> AsyncGenerator[str, None]:
        from redis.exceptions import RedisError

        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(_CANCELLATIONS)
                    while True:
                        message = await channel.get_message(ignore_subscribe_messages=True, timeout=5)
                        if message is not None:
                            yield message["data"].decode()
            except (RedisError, OSError) as error:
                log.warning("cancellations not heard: %s", type(error).__name__)
                await asyncio.sleep(1)

    async def close(self) -> None:
        await self._redis.aclose()
        await self._watching.aclose()


def _name(tenant: str, job_id: str) -> str:
    return f"copilot:{tenant}:job:{job_id}"
