"""Turns under way in this process: each runs in a task of its own and keeps its events for whoever reads them.

A reader may come late, leave, or come back (``after`` an event number); the answer goes on without it. Stop cancels
the task, which closes the model's connection, and keeps what was said so far.
"""

import asyncio
import logging
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from operator import attrgetter

from app.chat.events import Done, Event, Failed
from app.chat.frames import Frame, framed, without
from app.chat.service import ChatService, interrupted
from app.chat.turns import Turn
from knowledge.errors import NotFound

log = logging.getLogger(__name__)

KEPT = 256
TAIL = 64  # frames that are held ready, at least

_number = attrgetter("number")


@dataclass(slots=True)
class RunningTurn:
    """``frames`` are the last of its events, from number ``framed_from`` + 1 on, as far as somebody wanted their bytes.

    Who is further behind gets what it missed as one frame. A frame takes more memory than the piece of text in it.
    """

    turn: Turn
    events: list[Event] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    framed_from: int = 0
    task: asyncio.Task[None] | None = None
    begun: bool = False
    stopped: bool = False
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], Done | Failed)

    def add(self, event: Event) -> None:
        self.events.append(event)
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def grown(self) -> None:
        """When there is one event more."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def after(self, number: int) -> list[Frame]:
        """What there is after an event, encoded once for everybody who keeps up."""
        done = self.frames[-1].number if self.frames else 0
        if len(self.events) > done:
            self.frames.append(self._framed(done, len(self.events)))
            self._forget_old_frames()
        if number < self.framed_from:
            return [self._framed(number, self.framed_from), *self.frames]
        at = bisect_right(self.frames, number, key=_number)
        newer = self.frames[at:]
        cut = newer and number > (self.frames[at - 1].number if at else self.framed_from)
        return [without(newer[0], number), *newer[1:]] if cut else newer

    def _framed(self, after: int, until: int) -> Frame:
        return framed(list(enumerate(self.events[after:until], after + 1)))

    def _forget_old_frames(self) -> None:
        if len(self.frames) > 2 * TAIL:
            self.framed_from = self.frames[-TAIL - 1].number
            del self.frames[:-TAIL]


class RunningTurns:
    """Owned by the application; ``tasks`` lives as long as it does. ``kept`` ended turns can be read again.

    ``on_grown`` is told of every beginning and every event.
    """

    def __init__(
        self,
        service: ChatService,
        tasks: asyncio.TaskGroup,
        *,
        kept: int = KEPT,
        on_grown: Callable[[RunningTurn], None] = lambda _: None,
    ) -> None:
        self._service = service
        self._kept = kept
        self._tasks = tasks
        self._on_grown = on_grown
        self._turns: dict[str, RunningTurn] = {}
        self._ended: deque[str] = deque()

    def start(self, turn: Turn) -> None:
        """Begin to answer."""
        running = RunningTurn(turn)
        self._turns[turn.id] = running
        running.task = self._tasks.create_task(self._run(running), name=f"turn {turn.id}")
        self._on_grown(running)
        self._forget_old()

    async def read(self, tenant: str, turn_id: str, *, after: int = 0) -> AsyncGenerator[list[tuple[int, Event]], None]:
        """Events from number ``after`` + 1 on, in batches of what is there. Raises NotFound ``turn_not_found``."""
        running = self.require(tenant, turn_id)
        while True:
            batch = list(enumerate(running.events[after:], after + 1))
            if batch:
                after += len(batch)
                yield batch
            elif running.ended:
                return
            else:
                await running.grown()

    async def frames(self, tenant: str, turn_id: str, *, after: int = 0) -> AsyncGenerator[list[Frame], None]:
        """The same as frames, in batches of what is there. Raises NotFound ``turn_not_found``."""
        running = self.require(tenant, turn_id)
        while True:
            batch = running.after(after)
            if batch:
                after = batch[-1].number
                yield batch
                if batch[-1].last:
                    return
            elif running.ended:
                return
            else:
                await running.grown()

    @property
    def under_way(self) -> int:
        """How many turns are being answered."""
        return sum(not running.ended for running in self._turns.values())

    def find(self, tenant: str, turn_id: str) -> RunningTurn | None:
        """One of this process."""
        running = self._turns.get(turn_id)
        return running if running is not None and running.turn.ask.tenant == tenant else None

    def require(self, tenant: str, turn_id: str) -> RunningTurn:
        """Raises NotFound ``turn_not_found``."""
        running = self.find(tenant, turn_id)
        if running is None:
            raise NotFound("This answer is not under way here any more.", code="turn_not_found")
        return running

    def forget(self, turn_id: str) -> None:
        """Stop it and keep nothing of it; whoever reads it gets its end."""
        running = self._turns.pop(turn_id, None)
        if running is not None:
            self._stop(running)

    def by_id(self, turn_id: str) -> RunningTurn | None:
        """Of whatever tenant, for what processes tell each other."""
        return self._turns.get(turn_id)

    async def close(self) -> None:
        """End every turn, because the process ends; what was said is kept."""
        under_way = [running for running in self._turns.values() if not running.ended]
        for running in under_way:
            if running.task is not None:
                running.task.cancel()
        for running in under_way:
            if running.task is not None:
                await asyncio.wait([running.task])
            if not running.ended:
                self._append(running, await self._interrupted(running.turn))

    def stop(self, tenant: str, turn_id: str) -> None:
        """Stop writing; the turn ends in Done with what was said. Raises NotFound ``turn_not_found``."""
        self._stop(self.require(tenant, turn_id))

    def _stop(self, running: RunningTurn) -> None:
        if running.task is not None and not running.ended and not running.stopped:  # a second one would end its end
            running.stopped = True
            if running.begun:  # a task that is cancelled before its first step would say nothing at all
                running.task.cancel()

    async def _run(self, running: RunningTurn) -> None:
        running.begun = True
        try:
            await self._answer(running)
        except Exception:  # the edge of a task: a stream always ends in an event
            log.exception("turn crashed id=%s", running.turn.id)
            self._append(running, await self._crashed(running.turn))

    async def _answer(self, running: RunningTurn) -> None:
        try:
            if running.stopped:
                raise asyncio.CancelledError  # noqa: TRY301 (it ends as any other that is stopped)
            async with aclosing(self._service.answer(running.turn)) as events:
                async for event in events:
                    self._append(running, event)
        except asyncio.CancelledError:
            if not running.stopped:
                raise
            if running.task is not None:
                running.task.uncancel()
            self._append(running, await self._service.finish(running.turn, stopped=True))

    async def _crashed(self, turn: Turn) -> Failed:
        try:
            return await self._service.crash(turn)
        except Exception:  # as above: the database that it should be written to may be what is away
            log.exception("crash not kept id=%s", turn.id)
            return Failed(turn.id, turn.conversation_id, "internal", "Something went wrong here. Try again.")

    async def _interrupted(self, turn: Turn) -> Failed:
        try:
            return await self._service.interrupt(turn)
        except Exception:  # as above
            log.exception("end not kept id=%s", turn.id)
            return interrupted(turn.id, turn.conversation_id)

    def _append(self, running: RunningTurn, event: Event) -> None:
        running.add(event)
        if running.ended:
            self._ended.append(running.turn.id)
        self._on_grown(running)

    def _forget_old(self) -> None:
        while len(self._ended) > self._kept:
            self._turns.pop(self._ended.popleft(), None)
