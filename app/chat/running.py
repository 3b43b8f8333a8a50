"""Turns under way in this process: each runs in a task of its own and keeps its events for whoever reads them.

A reader may come late, leave, or come back (``after`` an event number); the answer goes on without it. Stop cancels
the task, which closes the model's connection, and keeps what was said so far.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from app.chat.events import Done, Event, Failed
from app.chat.service import ChatService
from app.chat.turns import Turn
from knowledge.errors import NotFound

log = logging.getLogger(__name__)

KEPT = 256


@dataclass(slots=True)
class _Running:
    turn: Turn
    events: list[Event] = field(default_factory=list)
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: asyncio.Task[None] | None = None
    begun: bool = False
    stopped: bool = False

    @property
    def ended(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], Done | Failed)


class RunningTurns:
    """Owned by the application; ``tasks`` lives as long as it does. ``kept`` ended turns can be read again."""

    def __init__(self, service: ChatService, tasks: asyncio.TaskGroup, *, kept: int = KEPT) -> None:
        self._service = service
        self._kept = kept
        self._tasks = tasks
        self._turns: dict[str, _Running] = {}

    def start(self, turn: Turn) -> None:
        """Begin to answer."""
        running = _Running(turn)
        self._turns[turn.id] = running
        running.task = self._tasks.create_task(self._run(running), name=f"turn {turn.id}")
        self._forget_old()

    async def read(self, tenant: str, turn_id: str, *, after: int = 0) -> AsyncGenerator[list[tuple[int, Event]], None]:
        """Events from number ``after`` + 1 on, in batches of what is there. Raises NotFound ``turn_not_found``."""
        running = self._of(tenant, turn_id)
        while True:
            batch = list(enumerate(running.events[after:], after + 1))
            if batch:
                after += len(batch)
                yield batch
            elif running.ended:
                return
            else:
                async with running.grown:
                    await running.grown.wait_for(lambda seen=after: len(running.events) > seen)  # type: ignore[misc]

    def require(self, tenant: str, turn_id: str) -> None:
        """Raises NotFound ``turn_not_found``."""
        self._of(tenant, turn_id)

    def close(self) -> None:
        """End every turn, because the process ends."""
        for running in self._turns.values():
            if running.task is not None:
                running.task.cancel()

    def stop(self, tenant: str, turn_id: str) -> None:
        """Stop writing; the turn ends in Done with what was said. Raises NotFound ``turn_not_found``."""
        running = self._of(tenant, turn_id)
        if running.task is not None and not running.ended and not running.stopped:  # a second one would end its end
            running.stopped = True
            if running.begun:  # a task that is cancelled before its first step would say nothing at all
                running.task.cancel()

    async def _run(self, running: _Running) -> None:
        running.begun = True
        try:
            await self._answer(running)
        except Exception:  # the edge of a task: a stream always ends in an event
            log.exception("turn crashed id=%s", running.turn.id)
            await self._append(running, await self._crashed(running.turn))

    async def _answer(self, running: _Running) -> None:
        try:
            if running.stopped:
                raise asyncio.CancelledError  # noqa: TRY301 (it ends as any other that is stopped)
            async with aclosing(self._service.answer(running.turn)) as events:
                async for event in events:
                    await self._append(running, event)
        except asyncio.CancelledError:
            if not running.stopped:
                raise
            if running.task is not None:
                running.task.uncancel()
            await self._append(running, await self._service.finish(running.turn, stopped=True))

    async def _crashed(self, turn: Turn) -> Failed:
        try:
            return await self._service.crash(turn)
        except Exception:  # as above: the database that it should be written to may be what is away
            log.exception("crash not kept id=%s", turn.id)
            return Failed(turn.id, turn.conversation_id, "internal", "Something went wrong here. Try again.")

    async def _append(self, running: _Running, event: Event) -> None:
        running.events.append(event)
        async with running.grown:
            running.grown.notify_all()

    def _of(self, tenant: str, turn_id: str) -> _Running:
        running = self._turns.get(turn_id)
        if running is None or running.turn.ask.tenant != tenant:
            raise NotFound("This answer is not under way here any more.", code="turn_not_found")
        return running

    def _forget_old(self) -> None:
        ended = [turn_id for turn_id, running in self._turns.items() if running.ended]
        for turn_id in ended[: max(0, len(ended) - self._kept)]:
            del self._turns[turn_id]
