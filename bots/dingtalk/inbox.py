"""Messages that came in and are not answered yet: one queue a conversation, kept until they are done.

A message is acknowledged as soon as it is here; however often it is delivered, it is accepted once. One consumer at a
time has a conversation, among all processes, and it takes one message after the other; its lease ends when it does not
beat, and another consumer gets the message that the first one died of.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Protocol
from uuid import uuid4

from bots.dingtalk import inbox_scripts as lua
from bots.dingtalk.scripts import Scripts
from knowledge.errors import CopilotError

LEASE_SECONDS = 10.0
BEAT_SECONDS = 2.5
SEEN_SECONDS = 86_400
MOST_WAITING = 50  # of a conversation
POLL_SECONDS = 1.0


class InboxFull(CopilotError):
    """So many messages of this conversation wait that one more is refused; a redelivery of it may be accepted."""

    code: ClassVar[str] = "inbox_full"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that was taken. ``attempt`` counts how often: from 2 on somebody has died of it, or with it."""

    robot: str
    message_id: str
    conversation: str
    payload: bytes
    attempt: int = 1


class Inbox(Protocol):
    """The messages of one robot. ``owner`` names a consumer, and nobody else in any process; it may have several
    conversations. Everything raises Unavailable when the store is away."""

    async def accept(self, message_id: str, conversation: str, payload: bytes) -> bool:
        """Put a message at the end of its conversation's queue; False: it was seen in the last 24 hours.

        Raises InboxFull.
        """

    async def take(self, conversation: str, owner: str) -> Waiting | None:
        """The oldest message of a conversation, under a lease; None when there is none, or another owner has it.

        The same message again until it is done.
        """

    async def beat(self, conversation: str, owner: str, message_id: str) -> bool:
        """Keep the lease while a message is worked on; False: somebody else is at it, or has been.

        A store that has forgotten the message has no one else to give it to.
        """

    async def done(self, conversation: str, owner: str, message_id: str) -> bool:
        """Drop the message that was taken. The lease is kept as long as others wait in the conversation.

        False: the lease was lost, and who has it now will see to the message.
        """

    async def give_back(self, conversation: str, owner: str) -> None:
        """End the lease as if the message had not been taken: this process stops."""

    async def unattended(self) -> list[str]:
        """Conversations with messages that nobody is at, longest waiting first."""

    async def busy(self) -> set[str]:
        """Conversations with messages that are not done, whether somebody is at them or not."""

    async def woken(self, seconds: float = POLL_SECONDS) -> None:
        """Wait until this process accepts a message, but no longer than so many seconds: others accept them too."""

    async def close(self) -> None: ...


def full() -> InboxFull:
    return InboxFull("Too many messages of this conversation wait for an answer.", limit=MOST_WAITING)


class MemoryInbox:
    """The twin, for one process. ``clock`` is in seconds."""

    def __init__(
        self,
        robot: str = "",
        *,
        lease_seconds: float = LEASE_SECONDS,
        most_waiting: int = MOST_WAITING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._robot = robot
        self._lease_seconds = lease_seconds
        self._most_waiting = most_waiting
        self._clock = clock
        self._accepted = asyncio.Event()
        self._seen: dict[str, float] = {}
        self._done: set[str] = set()
        self._queues: dict[str, deque[tuple[str, bytes]]] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._heads: dict[str, _Head] = {}

    async def accept(self, message_id: str, conversation: str, payload: bytes) -> bool:
        self._forget()
        if message_id in self._seen:
            return False
        queue = self._queues.setdefault(conversation, deque())
        if len(queue) >= self._most_waiting:
            raise full()
        self._seen[message_id] = self._clock() + SEEN_SECONDS
        queue.append((message_id, payload))
        self._accepted.set()
        return True

    async def take(self, conversation: str, owner: str) -> Waiting | None:
        holder = self._holder(conversation)
        queue = self._queues.get(conversation)
        if not queue or holder not in (None, owner):
            return None
        head = self._heads.setdefault(conversation, _Head())
        if holder is None or head.owner is None:
            head.attempt += 1
        head.owner = owner
        self._hold(conversation, owner)
        message_id, payload = queue[0]
        return Waiting(self._robot, message_id, conversation, payload, head.attempt)

    async def beat(self, conversation: str, owner: str, message_id: str) -> bool:
        nobodys = self._holder(conversation) is None and not self._head_owner(conversation)
        if not (self._is_at(conversation, owner) or (nobodys and message_id not in self._done)):
            return False
        self._hold(conversation, owner)
        return True

    async def done(self, conversation: str, owner: str, message_id: str) -> bool:
        if message_id in self._done:
            return True
        if not self._is_at(conversation, owner) or self._queues[conversation][0][0] != message_id:
            return False
        self._queues[conversation].popleft()
        del self._heads[conversation]
        self._done.add(message_id)
        if self._queues[conversation]:
            self._hold(conversation, owner)
        else:
            del self._queues[conversation]
            self._leases.pop(conversation, None)
        return True

    async def give_back(self, conversation: str, owner: str) -> None:
        if self._holder(conversation) == owner:
            del self._leases[conversation]
            if conversation in self._heads:
                self._heads[conversation].attempt -= 1
                self._heads[conversation].owner = None

    async def unattended(self) -> list[str]:
        return [conversation for conversation in self._queues if self._holder(conversation) is None]

    async def busy(self) -> set[str]:
        return set(self._queues)

    async def woken(self, seconds: float = POLL_SECONDS) -> None:
        await _woken(self._accepted, seconds)

    async def close(self) -> None:
        """Nothing to close."""

    def _forget(self) -> None:
        """Messages of yesterday; they are in the order in which they came."""
        while self._seen and next(iter(self._seen.values())) <= self._clock():
            message_id = next(iter(self._seen))
            del self._seen[message_id]
            self._done.discard(message_id)

    def _holder(self, conversation: str) -> str | None:
        owner, until = self._leases.get(conversation, (None, 0.0))
        return owner if until > self._clock() else None

    def _is_at(self, conversation: str, owner: str) -> bool:
        """It has the lease; or it had it last, and nobody took it since."""
        return (self._holder(conversation) or self._head_owner(conversation)) == owner

    def _head_owner(self, conversation: str) -> str | None:
        head = self._heads.get(conversation)
        return None if head is None else head.owner

    def _hold(self, conversation: str, owner: str) -> None:
        self._leases[conversation] = (owner, self._clock() + self._lease_seconds)


@dataclass(slots=True)
class _Head:
    """Of the message at the head of a queue: who took it last, and how often it was taken."""

    owner: str | None = None
    attempt: int = 0


class RedisInbox:
    """``copilot:dingtalk:{robot}:inbox:…`` in Redis, for all processes of a robot."""

    def __init__(
        self, url: str, robot: str, *, lease_seconds: float = LEASE_SECONDS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._scripts = Scripts(url)
        self._robot = robot
        self._names = f"copilot:dingtalk:{{{robot}}}:inbox"
        self._lease_ms = int(lease_seconds * 1000)
        self._most_waiting = most_waiting
        self._accepted = asyncio.Event()

    async def accept(self, message_id: str, conversation: str, payload: bytes) -> bool:
        keys = [self._seen(message_id), self._queue(conversation), self._waiting]
        args = (uuid4().hex, SEEN_SECONDS, self._most_waiting, message_id, payload, conversation)
        said = await self._scripts.run(lua.ACCEPT, keys=keys, args=args)
        if said == lua.FULL:
            raise full()
        if said:
            self._accepted.set()
        return bool(said)

    async def take(self, conversation: str, owner: str) -> Waiting | None:
        found = await self._scripts.run(
            lua.TAKE, keys=self._keys(conversation), args=[owner, self._lease_ms, conversation]
        )
        if not found:
            return None
        message_id, payload, attempt = found
        return Waiting(self._robot, message_id.decode(), conversation, payload, attempt)

    async def beat(self, conversation: str, owner: str, message_id: str) -> bool:
        keys = [*self._keys(conversation), self._seen(message_id)]
        return bool(await self._scripts.run(lua.BEAT, keys=keys, args=[owner, self._lease_ms]))

    async def done(self, conversation: str, owner: str, message_id: str) -> bool:
        keys = [*self._keys(conversation), self._seen(message_id)]
        args = (owner, self._lease_ms, conversation, message_id, SEEN_SECONDS)
        return bool(await self._scripts.run(lua.DONE, keys=keys, args=args))

    async def give_back(self, conversation: str, owner: str) -> None:
        await self._scripts.run(lua.GIVE_BACK, keys=self._keys(conversation), args=[owner])

    async def unattended(self) -> list[str]:
        found = await self._scripts.run(lua.UNATTENDED, keys=[self._waiting], args=[self._lease("")])
        return [conversation.decode() for conversation in found]

    async def busy(self) -> set[str]:
        found = await self._scripts.run(lua.BUSY, keys=[self._waiting])
        return {conversation.decode() for conversation in found}

    async def woken(self, seconds: float = POLL_SECONDS) -> None:
        await _woken(self._accepted, seconds)

    async def close(self) -> None:
        await self._scripts.close()

    def _keys(self, conversation: str) -> list[str]:
        return [
            self._queue(conversation),
            self._lease(conversation),
            f"{self._names}:head:{conversation}",
            self._waiting,
        ]

    def _queue(self, conversation: str) -> str:
        return f"{self._names}:queue:{conversation}"

    def _lease(self, conversation: str) -> str:
        return f"{self._names}:lease:{conversation}"

    def _seen(self, message_id: str) -> str:
        return f"{self._names}:seen:{message_id}"

    @property
    def _waiting(self) -> str:
        return f"{self._names}:waiting"


async def _woken(accepted: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await accepted.wait()
    accepted.clear()
