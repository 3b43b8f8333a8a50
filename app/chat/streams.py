"""Turns that processes share: their frames, who writes them, and words to whoever does.

The process that writes a turn has a lease; a turn whose writer has none any more is abandoned, and whoever finds it
ends its stream. Nothing here is needed for an answer: without Redis each process serves the turns that it writes.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from app.chat.frames import Frame

LEASE_SECONDS = 10.0
BLOCK_SECONDS = 2.0
KEPT_SECONDS = 3600  # a stream, after its last frame

Word: TypeAlias = Literal["stop", "read", "forget"]
Owned: TypeAlias = tuple[str, str]
"""Tenant and turn id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame of a turn on its way; None says that the turn is being written. ``after`` is the number of the frame
    before it."""

    tenant: str
    turn_id: str
    frame: Frame | None
    after: int = 0


class TurnStreams(Protocol):
    """Calls raise Unavailable ``streams_unavailable`` while the store is away."""

    async def publish(self, entries: Sequence[Entry]) -> set[str]:
        """Add frames to the streams of turns that this process writes. One whose number is there already is dropped.

        → turns that the store has lost frames of, where nothing was added: they are to be published from the beginning.
        """

    async def read(self, tenant: str, turn_id: str, *, after: int) -> list[Frame] | None:
        """Frames with higher numbers, waiting up to two seconds for the first; None: there is no such turn."""

    async def exists(self, tenant: str, turn_id: str) -> bool:
        """Whether there is such a turn."""

    async def beat(self) -> None:
        """Renew this process's lease."""

    async def say(self, word: Word, turn_id: str) -> None:
        """Tell whichever process writes a turn."""

    def words(self) -> AsyncGenerator[tuple[str, str], None]:
        """What others say, from now on: (word, turn id)."""

    async def abandoned(self) -> list[Owned]:
        """Turns that have not ended and whose writer has no lease."""

    async def end(self, tenant: str, turn_id: str, frame: Frame) -> bool:
        """End an abandoned turn's stream; → whether this call did. ``frame`` has the next number."""

    async def forget(self, turns: Sequence[Owned]) -> None:
        """Delete the streams of turns, and tell every process to forget them."""

    async def leave(self) -> None:
        """Give up the lease: this process ends."""

    async def close(self) -> None: ...


@dataclass(slots=True)
class Shelf:
    """What the twins of several processes have in common."""

    frames: defaultdict[Owned, list[Frame]] = field(default_factory=lambda: defaultdict(list))
    owners: dict[Owned, str] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    heard: list[asyncio.Queue[tuple[str, str]]] = field(default_factory=list)
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)


class MemoryStreams:
    """The twin. Processes are names that share a shelf; one that is taken off ``alive`` has died."""

    def __init__(self, shelf: Shelf | None = None, *, process: str = "here") -> None:
        self.shelf = shelf or Shelf()
        self.process = process

    async def publish(self, entries: Sequence[Entry]) -> set[str]:
        async with self.shelf.grown:
            lost = {entry.turn_id for entry in entries if not self._add(entry)}
            self.shelf.grown.notify_all()
        return lost

    def _add(self, entry: Entry) -> bool:
        key = (entry.tenant, entry.turn_id)
        known = self.shelf.frames.get(key, [])
        if (known[-1].number if known else 0) < entry.after:
            return False
        frames = self.shelf.frames[key]
        if entry.frame is None:
            self.shelf.owners[key] = self.process
        elif not frames or (entry.frame.number > frames[-1].number and not frames[-1].last):
            frames.append(entry.frame)
            if entry.frame.last:
                self.shelf.owners.pop(key, None)
        return True

    async def read(self, tenant: str, turn_id: str, *, after: int) -> list[Frame] | None:
        if (tenant, turn_id) not in self.shelf.frames:
            return None
        frames = self.shelf.frames[tenant, turn_id]
        async with self.shelf.grown:
            try:
                async with asyncio.timeout(BLOCK_SECONDS):
                    await self.shelf.grown.wait_for(lambda: bool(frames) and frames[-1].number > after)
            except TimeoutError:
                return []
        return [frame for frame in frames if frame.number > after]

    async def exists(self, tenant: str, turn_id: str) -> bool:
        return (tenant, turn_id) in self.shelf.frames

    async def beat(self) -> None:
        self.shelf.alive.add(self.process)

    async def say(self, word: Word, turn_id: str) -> None:
        for queue in self.shelf.heard:
            queue.put_nowait((word, turn_id))

    async def words(self) -> AsyncGenerator[tuple[str, str], None]:
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.shelf.heard.append(queue)
        while True:
            yield await queue.get()

    async def abandoned(self) -> list[Owned]:
        return [turn for turn, owner in self.shelf.owners.items() if owner not in self.shelf.alive]

    async def end(self, tenant: str, turn_id: str, frame: Frame) -> bool:
        frames = self.shelf.frames[tenant, turn_id]
        if frames and frames[-1].last:
            return False
        await self.publish([Entry(tenant, turn_id, frame)])
        return frames[-1] is frame

    async def forget(self, turns: Sequence[Owned]) -> None:
        async with self.shelf.grown:
            for turn in turns:
                self.shelf.frames.pop(turn, None)
                self.shelf.owners.pop(turn, None)
            self.shelf.grown.notify_all()
        for _, turn_id in turns:
            await self.say("forget", turn_id)

    async def leave(self) -> None:
        self.shelf.alive.discard(self.process)

    async def close(self) -> None:
        """Nothing to close."""
