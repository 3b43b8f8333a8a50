"""What every answer cache does: the twin, and a real Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from app.chat.cache import MOST_QUESTIONS, AnswerCache, CachedAnswer, KeptQuestion, MemoryCache, cosine, packed
from app.chat.redis_cache import RedisCache
from app.processes.embedded import embedded_services
from app.settings import Settings
from knowledge.models import Passage, Place, StageScores

PASSAGE = Passage("c", "d", "费用.md", "shop", "保证金", 1.5, Place("费用 > 保证金", page=2), StageScores(dense=0.9))
ANSWER = CachedAnswer("50000 元[1]", (PASSAGE,), {"prompt_tokens": 100, "completion_tokens": 20})
KEPT = KeptQuestion("旗舰店的保证金是多少？", "50000 元[1]", "AAAA", {"prompt_tokens": 100})


@asynccontextmanager
async def real_redis(folder: Path) -> AsyncIterator[str]:
    async with embedded_services(Settings(data=folder), redis=True, chroma=False) as started:
        assert started.redis_url is not None
        yield started.redis_url


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnswerCache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    async with real_redis(tmp_path) as url:
        redis = RedisCache(url)
        yield redis
        await redis.close()


async def test_what_was_put_comes_back_whole(cache: AnswerCache) -> None:
    await cache.put("shop", "key", ANSWER)
    await cache.keep("shop", "evidence", KEPT)
    assert await cache.get("shop", "key") == ANSWER
    assert await cache.questions("shop", "evidence") == [KEPT]


async def test_another_tenant_or_key_has_nothing(cache: AnswerCache) -> None:
    await cache.put("shop", "key", ANSWER)
    await cache.keep("shop", "evidence", KEPT)
    assert await cache.get("other", "key") is None
    assert await cache.get("shop", "other") is None
    assert await cache.questions("other", "evidence") == []
    assert await cache.questions("shop", "other") == []


async def test_the_same_question_is_kept_once_and_there_is_an_end_to_how_many(cache: AnswerCache) -> None:
    newer = KeptQuestion(" 旗舰店的保证金是多少?", "60000 元[1]")
    await cache.keep("shop", "evidence", KEPT)
    await cache.keep("shop", "evidence", newer)
    assert await cache.questions("shop", "evidence") == [newer]
    for number in range(MOST_QUESTIONS + 5):
        await cache.keep("shop", "evidence", KeptQuestion(f"问题 {number}", "答"))
    assert len(await cache.questions("shop", "evidence")) == MOST_QUESTIONS
    await cache.keep("shop", "evidence", KEPT)  # what is there can still be renewed
    assert KEPT in await cache.questions("shop", "evidence")


async def test_purging_forgets_one_tenants_answers_and_says_how_many(cache: AnswerCache) -> None:
    for tenant in ("shop", "shop*", "sho"):
        await cache.put(tenant, "key", ANSWER)
        await cache.keep(tenant, "evidence", KEPT)
    assert await cache.purge("sho*") == 0
    assert await cache.purge("shop") == 2
    assert await cache.purge("shop") == 0
    assert await cache.get("shop", "key") is None
    assert await cache.questions("shop", "evidence") == []
    assert await cache.get("shop*", "key") == ANSWER
    assert await cache.questions("sho", "evidence") == [KEPT]


async def test_a_redis_that_is_down_is_a_miss() -> None:
    down = RedisCache("redis://127.0.0.1:9")
    await down.put("shop", "key", ANSWER)
    await down.keep("shop", "evidence", KEPT)
    assert await down.get("shop", "key") is None
    assert await down.questions("shop", "evidence") == []
    assert await down.purge("shop") == 0
    await down.close()


async def test_a_redis_that_holds_garbage_is_a_miss(tmp_path: Path) -> None:
    async with real_redis(tmp_path) as url:
        for garbage in (b"\xff\xfe", b"{}", b'{"answer": 1}', b"null", b"[]"):
            await holds_garbage(url, garbage)


async def holds_garbage(url: str, garbage: bytes) -> None:
    cache, redis = RedisCache(url), Redis.from_url(url)
    await redis.delete("copilot:shop:answer:key", "copilot:shop:evidence:evidence")
    await redis.set("copilot:shop:answer:key", garbage)
    await redis.hset("copilot:shop:evidence:evidence", "field", garbage)
    assert await cache.get("shop", "key") is None
    assert await cache.questions("shop", "evidence") == []
    await redis.delete("copilot:shop:answer:key", "copilot:shop:evidence:evidence")
    await redis.rpush("copilot:shop:answer:key", garbage)
    await redis.rpush("copilot:shop:evidence:evidence", garbage)
    assert await cache.get("shop", "key") is None
    assert await cache.questions("shop", "evidence") == []
    await cache.keep("shop", "evidence", KEPT)
    await redis.aclose()
    await cache.close()


def test_a_vector_is_packed_closely_enough_and_one_of_another_size_is_unknown() -> None:
    one, other = np.eye(4, dtype=np.float32)[0], np.full(4, 0.5, dtype=np.float32)
    assert cosine(packed(one), other) == pytest.approx(0.5, abs=1e-3)
    assert cosine(packed(one), other[:3]) is None
    assert cosine(packed(None), one) is None
    assert cosine("not base64!", one) is None
