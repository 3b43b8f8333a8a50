"""Every turn from every process: those that are written here from memory, the others from their streams."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress

from app.chat.elsewhere import Elsewhere
from app.chat.frames import Frame, framed, text_in
from app.chat.history import Conversations
from app.chat.running import RunningTurn, RunningTurns
from app.chat.service import ChatService, interrupted
from app.chat.streams import LEASE_SECONDS, Entry, Owned, TurnStreams
from app.chat.turns import Turn
from knowledge.errors import NotFound, Unavailable

FINE_SECONDS = 0.025  # between two frames of a turn that another process reads
COARSE_SECONDS = 0.5  # of one that nobody else reads: what a crash may cost of it
READ_SECONDS = 10.0  # a word that somebody reads is good for so long
SWEEP_SECONDS = 5.0
BEAT_SECONDS = LEASE_SECONDS / 3

log = logging.getLogger(__name__)


class SharedTurns:
    """Owned by the application; ``tasks`` lives as long as it does."""

    def __init__(
        self, service: ChatService, conversations: Conversations, streams: TurnStreams, tasks: asyncio.TaskGroup
    ) -> None:
        self.here = RunningTurns(service, tasks, on_grown=self._grown)
        self._conversations = conversations
        self._streams = streams
        self._elsewhere = Elsewhere(streams, conversations)
        self._tasks = tasks
        self._dirty: dict[str, RunningTurn] = {}
        self._published: dict[str, int] = {}  # turn → the number of its newest frame that others can see
        self._read: dict[str, float] = {}  # turn → until when somebody elsewhere reads it
        self._bell = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin to share."""
        await self._try(self._streams.beat())
        loops = (self._publishing(), self._beating(), self._listening(), self._sweeping())
        self._loops = [self._tasks.create_task(loop) for loop in loops]

    async def close(self) -> None:
        """End every turn of this process, and tell the others how."""
        await self.here.close()
        for loop in self._loops:
            loop.cancel()
        await self._try(self._publish(list(self._dirty.values())))
        await self._try(self._streams.leave())

    def start(self, turn: Turn) -> None:
        """Begin to answer."""
        self.here.start(turn)

    async def require(self, tenant: str, turn_id: str) -> None:
        """Raises NotFound ``turn_not_found``."""
        if self.here.find(tenant, turn_id) is None and not await self._elsewhere.exists(tenant, turn_id):
            raise NotFound("This answer is not under way any more.", code="turn_not_found")

    def frames(self, tenant: str, turn_id: str, *, after: int = 0) -> AsyncGenerator[list[Frame], None]:
        """Its frames, wherever it is written, after :meth:`require`."""
        where = self.here if self.here.find(tenant, turn_id) is not None else self._elsewhere
        return where.frames(tenant, turn_id, after=after)

    async def stop(self, tenant: str, turn_id: str) -> None:
        """Stop writing, wherever it is written. Raises NotFound ``turn_not_found``, Unavailable."""
        if self.here.find(tenant, turn_id) is not None:
            self.here.stop(tenant, turn_id)
            return
        await self.require(tenant, turn_id)
        await self._streams.say("stop", turn_id)

    # --- what this process does for the others ---

    def _grown(self, running: RunningTurn) -> None:
        if self.here.by_id(running.turn.id) is not running:  # it is forgotten
            return
        self._dirty[running.turn.id] = running
        if running.ended or running.turn.id not in self._published or self._is_read(running):
            self._bell.set()

    def _is_read(self, running: RunningTurn) -> bool:
        return self._read.get(running.turn.id, 0.0) > time.monotonic()

    async def _publishing(self) -> None:
        """What is new of the turns that are written here: finely where somebody reads, else now and then."""
        everything_at = time.monotonic() + COARSE_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, everything_at - time.monotonic())):
                    await self._bell.wait()
            self._bell.clear()
            everything = time.monotonic() >= everything_at
            if everything:
                everything_at = time.monotonic() + COARSE_SECONDS
            some = [running for running in self._dirty.values() if everything or self._is_urgent(running)]
            if some:
                await self._try(self._publish(some))
            await asyncio.sleep(FINE_SECONDS)

    def _is_urgent(self, running: RunningTurn) -> bool:
        return running.ended or running.turn.id not in self._published or self._is_read(running)

    async def _publish(self, some: list[RunningTurn]) -> None:
        entries, reached = [], {}
        for running in some:
            turn = running.turn
            shown = self._published.get(turn.id)
            newer = running.after(shown or 0)
            if shown is None or not newer:
                entries.append(Entry(turn.ask.tenant, turn.id, None, shown or 0))
            if newer:
                entries.append(Entry(turn.ask.tenant, turn.id, _joined(newer), shown or 0))
            reached[turn.id] = newer[-1] if newer else Frame(shown or 0, b"")
            self._dirty.pop(turn.id, None)
        try:
            lost = await self._streams.publish(entries)
        except Unavailable:
            for running in some:
                self._dirty.setdefault(running.turn.id, running)
            raise
        for running in some:
            if running.turn.id in lost:  # all of it once more
                log.warning("turn lost by the store id=%s", running.turn.id)
                self._published.pop(running.turn.id, None)
                self._dirty[running.turn.id] = running
                reached.pop(running.turn.id)
        for turn_id, frame in reached.items():
            self._published[turn_id] = frame.number
            if frame.last:
                self._published.pop(turn_id)
                self._read.pop(turn_id, None)

    async def _beating(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self._try(self._streams.beat())

    async def _listening(self) -> None:
        async with aclosing(self._streams.words()) as words:
            async for word, turn_id in words:
                running = self.here.by_id(turn_id)
                if word == "forget":
                    self._forget(turn_id)
                elif running is None or running.ended:
                    continue
                elif word == "stop":
                    self.here.stop(running.turn.ask.tenant, turn_id)
                elif word == "read":
                    self._read[turn_id] = time.monotonic() + READ_SECONDS
                    self._dirty.setdefault(turn_id, running)  # also to see whether the store still has it
                    self._bell.set()

    def _forget(self, turn_id: str) -> None:
        self.here.forget(turn_id)
        for known in (self._dirty, self._published, self._read):
            known.pop(turn_id, None)

    async def _sweeping(self) -> None:
        """Turns whose process died are ended, here or in another process: by whoever is first.

        A store that was away may have let the leases of living processes end; they renew them before the next round.
        """
        away = False
        while True:
            try:
                found = await self._streams.abandoned()
                await self._end([] if away else found)
                away = False
            except Unavailable as error:
                log.warning("abandoned turns not ended: %s", error.params.get("reason"))
                away = True
            await asyncio.sleep(SWEEP_SECONDS)

    async def _end(self, abandoned: list[Owned]) -> None:
        for tenant, turn_id in abandoned:
            frames = await self._streams.read(tenant, turn_id, after=0) or []
            number = frames[-1].number + 1 if frames else 1
            try:
                conversation = (await self._conversations.turn(tenant, turn_id)).conversation_id
            except NotFound:
                conversation = ""
            failed = interrupted(turn_id, conversation)
            if await self._streams.end(tenant, turn_id, framed([(number, failed)])):
                log.warning("turn interrupted id=%s", turn_id)
                await self._conversations.interrupt(turn_id, partial=text_in(frames))

    async def _try(self, work: Awaitable[None]) -> None:
        """Sharing that fails costs the others, not this process's readers."""
        try:
            await work
        except Unavailable as error:
            log.warning("turns not shared: %s", error.params.get("reason", error.error_code))


def _joined(frames: list[Frame]) -> Frame:
    return Frame(frames[-1].number, b"".join(frame.data for frame in frames), frames[-1].last)
