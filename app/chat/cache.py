"""The exact cache: an answer is kept under everything it was made from, so that it cannot be stale.

The key is (tenant, knowledge bases with their epochs, prompt version, model, day, normalised question). Equal epochs
mean equal evidence, so a hit needs no retrieval. The day is in it because the prompt says what day it is. Only whole
answers to self-contained questions are kept: no refusals, failures, stopped or cut ones, no follow-ups.
"""

import hashlib
import json
import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from knowledge.database import now
from knowledge.models import Passage

SECONDS = 24 * 3600

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """What is needed to replay an answer as ordinary events."""

    answer: str
    evidence: tuple[Passage, ...]


class AnswerCache(Protocol):
    """A cache helps or is absent: a store that is down is a miss, never an error."""

    async def get(self, tenant: str, key: str) -> CachedAnswer | None: ...

    async def put(self, tenant: str, key: str, answer: CachedAnswer) -> None: ...

    async def close(self) -> None: ...


def exact_key(tenant: str, epochs: Mapping[str, int], *, prompt: str | None, model: str, question: str) -> str:
    """A hash of all that the answer depends on; ``epochs`` by knowledge base id."""
    made_from = [tenant, sorted(epochs.items()), prompt, model, now().astimezone().date().isoformat()]
    return hashlib.sha256(json.dumps([*made_from, normalised(question)]).encode()).hexdigest()


def normalised(question: str) -> str:
    """Width, case, white space and the mark at the end do not matter; everything else does."""
    folded = " ".join(unicodedata.normalize("NFKC", question).lower().split())
    return folded.rstrip("?!.。 ")


class MemoryCache:
    """The twin, and the cache of a single call."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], CachedAnswer] = {}

    async def get(self, tenant: str, key: str) -> CachedAnswer | None:
        return self._answers.get((tenant, key))

    async def put(self, tenant: str, key: str, answer: CachedAnswer) -> None:
        self._answers[tenant, key] = answer

    async def close(self) -> None:
        """Nothing to close."""


class RedisCache:
    """``copilot:{tenant}:answer:{key}`` in Redis, for a day."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._redis: Any = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)

    async def get(self, tenant: str, key: str) -> CachedAnswer | None:
        from redis.exceptions import RedisError

        try:
            stored = await self._redis.get(_name(tenant, key))
            return None if stored is None else _ANSWER.validate_json(stored)
        except (RedisError, OSError, ValidationError) as error:
            log.warning("answer cache not read: %s", type(error).__name__)
            return None

    async def put(self, tenant: str, key: str, answer: CachedAnswer) -> None:
        from redis.exceptions import RedisError

        try:
            await self._redis.set(_name(tenant, key), json.dumps(asdict(answer)), ex=SECONDS)
        except (RedisError, OSError) as error:
            log.warning("answer cache not written: %s", type(error).__name__)

    async def close(self) -> None:
        await self._redis.aclose()


_ANSWER = TypeAdapter(CachedAnswer)


def _name(tenant: str, key: str) -> str:
    return f"copilot:{tenant}:answer:{key}"
