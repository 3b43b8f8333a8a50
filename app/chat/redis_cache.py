"""The answer cache in Redis, for a day: ``copilot:{tenant}:answer:{key}`` and ``copilot:{tenant}:evidence:{key}``."""

import hashlib
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from app.chat.cache import MOST_QUESTIONS, SECONDS, CachedAnswer, KeptQuestion, normalised

log = logging.getLogger(__name__)

PURGED_AT_ONCE = 500

_ANSWER = TypeAdapter(CachedAnswer)
_QUESTION = TypeAdapter(KeptQuestion)


class RedisCache:
    """What Redis does not give in a second, or gives in another shape, is not there."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._redis: Any = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)

    async def get(self, tenant: str, key: str) -> CachedAnswer | None:
        with _a_miss_at_worst("read"):
            stored = await self._redis.get(_answer(tenant, key))
            return None if stored is None else _ANSWER.validate_json(stored)
        return None

    async def put(self, tenant: str, key: str, answer: CachedAnswer) -> None:
        with _a_miss_at_worst("written"):
            await self._redis.set(_answer(tenant, key), orjson.dumps(answer), ex=SECONDS)

    async def questions(self, tenant: str, evidence: str) -> list[KeptQuestion]:
        with _a_miss_at_worst("read"):
            return [_QUESTION.validate_json(stored) for stored in await self._redis.hvals(_evidence(tenant, evidence))]
        return []

    async def keep(self, tenant: str, evidence: str, kept: KeptQuestion) -> None:
        name, under = hashlib.sha256(normalised(kept.question).encode()).hexdigest(), _evidence(tenant, evidence)
        with _a_miss_at_worst("written"):
            async with self._redis.pipeline() as together:
                together.hset(under, name, orjson.dumps(kept))
                together.hlen(under)
                together.expire(under, SECONDS)
                added, count, _ = await together.execute()
            if added and count > MOST_QUESTIONS:
                await self._redis.hdel(under, name)

    async def purge(self, tenant: str) -> int:
        purged = 0
        with _a_miss_at_worst("purged"):
            for pattern in (_answer(_literal(tenant), "*"), _evidence(_literal(tenant), "*")):
                names = [name async for name in self._redis.scan_iter(pattern, count=PURGED_AT_ONCE)]
                for at in range(0, len(names), PURGED_AT_ONCE):
                    purged += await self._redis.unlink(*names[at : at + PURGED_AT_ONCE])
        return purged

    async def close(self) -> None:
        await self._redis.aclose()


@contextmanager
def _a_miss_at_worst(doing: str) -> Generator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError, ValidationError) as error:
        log.warning("answer cache not %s: %s", doing, type(error).__name__)


def _literal(tenant: str) -> str:
    """A tenant's id in a pattern means itself."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in tenant.replace("\\", "\\\\"))


def _answer(tenant: str, key: str) -> str:
    return f"copilot:{tenant}:answer:{key}"


def _evidence(tenant: str, key: str) -> str:
    return f"copilot:{tenant}:evidence:{key}"
