"""Steps on Redis that happen whole: one script, one trip, and Unavailable when Redis is away."""

import asyncio
import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from knowledge.errors import Unavailable

log = logging.getLogger(__name__)

CONNECT_SECONDS = 4.0  # a machine of two busy cores has taken two to open one on loopback
ANSWER_SECONDS = 4.0
AT_ONCE = 8  # a script takes Redis a tenth of a millisecond; more connections would only be more to open


class Scripts:
    """A Redis, and the scripts that it has seen. The connection is made when it is first needed."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError as Disconnected

        # Once more and at once: a connection of before a restart of Redis is noticed only when it is used. So a script
        # may be run twice for one call.
        self._redis: Any = Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
        )
        self._known: dict[str, Any] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self, script: str, *, keys: Sequence[str], args: Sequence[str | bytes | int | float] = ()) -> Any:
        """What a Lua script returns. Raises Unavailable ``redis_unavailable``."""
        known = self._known.get(script)
        if known is None:
            known = self._known[script] = self._redis.register_script(script)
        with _cancellation_kept(), _redis_errors():
            async with self._room:
                return await known(keys=keys, args=args)

    async def close(self) -> None:
        await self._redis.aclose()


@contextmanager
def _redis_errors() -> Generator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        log.debug("redis: %s", error)
        raise Unavailable("Redis does not answer.", code="redis_unavailable", reason=type(error).__name__) from error


@contextmanager
def _cancellation_kept() -> Generator[None]:
    """redis-py awaits with ``asyncio.wait_for``, which in Python 3.11 loses a cancellation that comes just when it is
    done (bpo-37658); here it is raised after all."""
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
