"""What every answer cache does: the twin, and a real Redis."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.chat.cache import AnswerCache, CachedAnswer, MemoryCache, RedisCache
from app.processes.embedded import embedded_services
from app.settings import Settings
from knowledge.models import Passage, Place, StageScores

PASSAGE = Passage("c", "d", "费用.md", "shop", "保证金", 1.5, Place("费用 > 保证金", page=2), StageScores(dense=0.9))
ANSWER = CachedAnswer("50000 元[1]", (PASSAGE,))


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnswerCache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    async with embedded_services(Settings(data=tmp_path), redis=True, chroma=False) as started:
        assert started.redis_url is not None
        redis = RedisCache(started.redis_url)
        yield redis
        await redis.close()


async def test_what_was_put_comes_back_whole(cache: AnswerCache) -> None:
    await cache.put("shop", "key", ANSWER)
    assert await cache.get("shop", "key") == ANSWER


async def test_another_tenant_or_key_has_nothing(cache: AnswerCache) -> None:
    await cache.put("shop", "key", ANSWER)
    assert await cache.get("other", "key") is None
    assert await cache.get("shop", "other") is None


async def test_a_redis_that_is_down_is_a_miss() -> None:
    down = RedisCache("redis://127.0.0.1:9")
    await down.put("shop", "key", ANSWER)
    assert await down.get("shop", "key") is None
    await down.close()
