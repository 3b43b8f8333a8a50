"""Turns in Redis: ``copilot:{tenant}:turn:{id}`` is a stream, an entry's id the number of its last event.

``copilot:turns:running`` is a hash of turns that have not ended, with who writes them; ``copilot:turns:process:{id}``
is a process's lease. Numbers only grow, and nothing follows the end: the script sees to that, so that a writer that was
thought dead and the one who ended its turn cannot both have the last word.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from app.chat.frames import Frame
from app.chat.streams import BLOCK_SECONDS, KEPT_SECONDS, LEASE_SECONDS, Entry, Owned, Word
from knowledge.errors import Unavailable

RUNNING = "copilot:turns:running"
WORDS = "copilot:turns:words"
MOST_READERS = 5_000  # of a process; a Redis as it comes takes 10,000 connections

AT_ONCE = 100  # entries in a call of the script; nothing else is done in Redis meanwhile

# KEYS: running, then the stream of each entry. ARGV: process, seconds, then of each entry: turn, number ("": being
# written), data, last, number before it. → of each entry -1 when what comes before it is lost.
_ADD = """
local function add(stream, turn, number, data, last, before)
  local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  local at = newest and tonumber(string.match(newest[1], '^%d+')) or 0
  if newest and newest[2][3] == 'l' then return 0 end
  if at < tonumber(before) then return -1 end
  if number == '' then
    redis.call('HSET', KEYS[1], turn, ARGV[1])
    if not newest then
      redis.call('XADD', stream, '0-1', 'd', '')
      redis.call('EXPIRE', stream, ARGV[2])
    end
    return 1
  end
  if newest and at >= tonumber(number) then return 0 end
  if last == '1' then
    redis.call('XADD', stream, number .. '-1', 'd', data, 'l', '1')
    redis.call('HDEL', KEYS[1], turn)
    redis.call('EXPIRE', stream, ARGV[2])
  else
    redis.call('XADD', stream, number .. '-1', 'd', data)
    if not newest then redis.call('EXPIRE', stream, ARGV[2]) end
  end
  return 1
end
local added = {}
for entry = 1, #KEYS - 1 do
  local of = 5 * entry - 2
  added[entry] = add(KEYS[entry + 1], ARGV[of], ARGV[of + 1], ARGV[of + 2], ARGV[of + 3], ARGV[of + 4])
end
return added
"""

log = logging.getLogger(__name__)


class RedisStreams:
    """See :class:`app.chat.streams.TurnStreams`."""

    def __init__(self, url: str, *, process: str | None = None, lease_seconds: float = LEASE_SECONDS) -> None:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self.process = process or uuid4().hex
        self._lease_ms = round(lease_seconds * 1000)
        how: dict[str, Any] = {"socket_timeout": 10, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 1)}
        self._redis: Any = Redis.from_url(url, **how)
        # Each who waits holds a connection; they must not take away those that frames are written by.
        self._waiting: Any = Redis.from_url(url, **how, max_connections=MOST_READERS)
        self._add = self._redis.register_script(_ADD)

    async def publish(self, entries: Sequence[Entry]) -> set[str]:
        lost = set()
        with _errors():
            for at in range(0, len(entries), AT_ONCE):
                some = entries[at : at + AT_ONCE]
                added = await self._added(some)
                lost |= {entry.turn_id for entry, result in zip(some, added, strict=True) if result == -1}
        return lost

    async def _added(self, entries: Sequence[Entry]) -> list[int]:
        keys: list[str] = [RUNNING]
        args: list[str | int | bytes] = [self.process, KEPT_SECONDS]
        for entry in entries:
            keys.append(_name(entry.tenant, entry.turn_id))
            args += _arguments(entry)
        added: list[int] = await self._add(keys, args)
        return added

    async def read(self, tenant: str, turn_id: str, *, after: int) -> list[Frame] | None:
        key, block = _name(tenant, turn_id), round(BLOCK_SECONDS * 1000)
        with _errors():
            found = await self._waiting.xread({key: f"{after}-1"}, block=block, count=200)
            if not found and not await self._redis.exists(key):
                return None
        entries = found[0][1] if found else []
        return [
            Frame(int(number.partition(b"-")[0]), fields[b"d"], b"l" in fields)
            for number, fields in entries
            if fields[b"d"] or b"l" in fields
        ]

    async def exists(self, tenant: str, turn_id: str) -> bool:
        with _errors():
            return bool(await self._redis.exists(_name(tenant, turn_id)))

    async def beat(self) -> None:
        with _errors():
            await self._redis.set(_lease(self.process), "1", px=self._lease_ms)

    async def say(self, word: Word, turn_id: str) -> None:
        with _errors():
            await self._redis.publish(WORDS, f"{word} {turn_id}")

    async def words(self) -> AsyncGenerator[tuple[str, str], None]:
        """Does not end and does not raise: what is said while Redis is away is not heard."""
        while True:
            try:
                with _errors():
                    async with self._redis.pubsub() as channel:
                        await channel.subscribe(WORDS)
                        while True:
                            message = await channel.get_message(ignore_subscribe_messages=True, timeout=5)
                            if message is not None:
                                word, _, turn_id = message["data"].decode().partition(" ")
                                yield word, turn_id
            except Unavailable as error:
                log.warning("words of other processes not heard: %s", error.params.get("reason"))
                await asyncio.sleep(1)

    async def abandoned(self) -> list[Owned]:
        with _errors():
            running = await self._redis.hgetall(RUNNING)
            owners = {owner.decode() for owner in running.values()}
            gone = {owner for owner in owners if not await self._redis.exists(_lease(owner))}
        return [_owned(turn.decode()) for turn, owner in running.items() if owner.decode() in gone]

    async def end(self, tenant: str, turn_id: str, frame: Frame) -> bool:
        with _errors():
            ended = await self._added([Entry(tenant, turn_id, frame)]) == [1]
            await self._redis.hdel(RUNNING, _field(tenant, turn_id))
        return ended

    async def forget(self, turns: Sequence[Owned]) -> None:
        with _errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for tenant, turn_id in turns:
                    pipeline.delete(_name(tenant, turn_id))
                    pipeline.hdel(RUNNING, _field(tenant, turn_id))
                    pipeline.publish(WORDS, f"forget {turn_id}")
                await pipeline.execute()

    async def leave(self) -> None:
        with _errors():
            await self._redis.delete(_lease(self.process))

    async def close(self) -> None:
        await self._redis.aclose()
        await self._waiting.aclose()


@contextmanager
def _errors() -> Generator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        reason = type(error).__name__
        raise Unavailable("Redis does not answer.", code="streams_unavailable", reason=reason) from error


def _arguments(entry: Entry) -> list[str | int | bytes]:
    frame, turn = entry.frame, _field(entry.tenant, entry.turn_id)
    if frame is None:
        return [turn, "", b"", 0, entry.after]
    return [turn, frame.number, frame.data, int(frame.last), entry.after]


def _name(tenant: str, turn_id: str) -> str:
    return f"copilot:{tenant}:turn:{turn_id}"


def _lease(process: str) -> str:
    return f"copilot:turns:process:{process}"


def _field(tenant: str, turn_id: str) -> str:
    return f"{tenant} {turn_id}"


def _owned(name: str) -> Owned:
    tenant, _, turn_id = name.rpartition(" ")
    return tenant, turn_id
