"""Identical questions in flight share one generation: each reads what it has said so far, and then as it comes.

Whoever asked first has no privilege: the generation is a task of its own, and ends when nobody reads any more. So a
reader that stops takes nothing from the others, and the last one that stops closes the model's connection. Sharing is
within a process: across processes it would take a lock that a killed process keeps, to save one answer.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from app.llm.ports import Delta

Generate = Callable[[], AsyncGenerator[Delta, None]]


@dataclass(slots=True)
class _Flight:
    deltas: list[Delta] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    readers: int = 0
    ended: bool = False
    error: Exception | None = None

    def tell(self) -> None:
        """Wake whoever waits; later waiters wait for the next thing."""
        self.grown.set()
        self.grown = asyncio.Event()


@asynccontextmanager
async def flights() -> AsyncIterator["Flights"]:
    """Owns the generations; on leaving, those still read end too. An error of the block leaves as itself."""
    try:
        async with asyncio.TaskGroup() as tasks:
            made = Flights(tasks)
            try:
                yield made
            finally:
                made.close()
    except BaseExceptionGroup as group:  # generations keep their errors, so it has the block's alone
        raise group.exceptions[0] from None


class Flights:
    """``tasks`` must outlive every reader."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._flights: dict[str, _Flight] = {}

    def close(self) -> None:
        for flight in self._flights.values():
            if flight.task is not None:
                flight.task.cancel()

    def under_way(self, key: str) -> bool:
        return key in self._flights

    async def join(self, key: str, generate: Generate) -> AsyncGenerator[Delta, None]:
        """The deltas of the generation under this key, begun if there is none; its error is everybody's."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = self._tasks.create_task(self._fly(key, flight, generate), name="shared answer")
        flight.readers += 1
        try:
            at = 0
            while True:
                while at < len(flight.deltas):
                    at += 1
                    yield flight.deltas[at - 1]
                if flight.ended:
                    break
                await flight.grown.wait()
            if flight.error is not None:
                raise flight.error
        finally:
            flight.readers -= 1
            if not flight.readers and flight.task is not None and not flight.ended:
                self._forget(key, flight)
                flight.task.cancel()
                await asyncio.wait([flight.task])

    async def _fly(self, key: str, flight: _Flight, generate: Generate) -> None:
        try:
            async with aclosing(generate()) as deltas:
                async for delta in deltas:
                    flight.deltas.append(delta)
                    flight.tell()
        except Exception as error:  # noqa: BLE001 (the edge of a task: it is raised in whoever reads)
            flight.error = error
        finally:
            flight.ended = True
            self._forget(key, flight)
            flight.tell()

    def _forget(self, key: str, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
