"""Several children as one: started together, watched, and all of them ended when one dies or we are asked to stop.

No child is started again. A store that dies takes the others' connections along, an API that dies has a reason that a
restart would hide; whoever wants restarts has systemd or Docker do them, for the whole.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias, TypeVar

from app.processes.children import Child, ChildSpec, OnLine, Stage, spawn
from app.processes.runtime import RecordedChild

T = TypeVar("T")
OnChange: TypeAlias = Callable[[list[RecordedChild]], None]

# Seconds from SIGTERM to SIGKILL, by stage. Their sum and KILL_SECONDS stay below the 5 s in which all must be gone.
GRACE = {Stage.SERVICE: 2.5, Stage.STORE: 1.2}
KILL_SECONDS = 0.4


class StopRequested(Exception):
    """Somebody asked us to stop: not an error."""


class Supervisor:
    """Inside :func:`supervised`. ``children`` are those that were started, in that order."""

    def __init__(self, on_line: OnLine, on_change: OnChange) -> None:
        self.children: list[Child] = []
        self._on_line = on_line
        self._on_change = on_change
        self._stop_requested = False
        self._news = asyncio.Event()

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child and write it down at once; it is not ready yet."""
        child = await spawn(spec, on_line=self._on_line, on_end=self._news.set)
        self.children.append(child)
        self._note_change()
        return child

    async def start_ready(self, specs: Sequence[ChildSpec]) -> list[Child]:
        """Start several side by side and wait for all. Raises ChildDied or ChildSilent for the first that fails."""
        children = [await self.start(spec) for spec in specs]
        await _all([child.until_ready() for child in children])
        return children

    async def abandon(self, child: Child) -> None:
        """Forget a child that did not start, so that another can take its place."""
        child.signal(signal.SIGKILL)
        await child.ended()
        child.let_go()
        self.children.remove(child)
        self._note_change()

    async def guard(self, work: Awaitable[T]) -> T:
        """Do ``work``. Breaks it off with ChildDied when a child dies, with StopRequested when asked to stop."""
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(self._interruption())
                result = await work
                watch.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return result

    def request_stop(self) -> None:
        """Stop in good order; asked again, kill at once. May be called by a signal handler of the loop."""
        if self._stop_requested:
            self._signal(self.children, signal.SIGKILL)
        self._stop_requested = True
        self._news.set()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to those who take too long, stage by stage."""
        for stage, grace in GRACE.items():
            children = [child for child in self.children if child.spec.stage is stage]
            self._signal(children, signal.SIGTERM)
            await _all_ended(children, grace)
            self._signal(children, signal.SIGKILL)
        await _all_ended(self.children, KILL_SECONDS)
        for child in self.children:
            child.let_go()

    async def _interruption(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._stop_requested:
                raise StopRequested
            for child in self.children:
                # One that was not ready yet is reported by whoever waits for it.
                if child.ready_after is not None and not child.running:
                    raise await child.death()

    def _note_change(self) -> None:
        self._on_change([RecordedChild(child.spec.name, child.mark) for child in self.children])

    @staticmethod
    def _signal(children: Sequence[Child], number: signal.Signals) -> None:
        for child in children:
            child.signal(number)


@asynccontextmanager
async def supervised(
    *, on_line: OnLine, on_change: OnChange, stop_on: Sequence[signal.Signals] = ()
) -> AsyncIterator[Supervisor]:
    """A supervisor whose children are gone when the block is left, however it is left.

    Signals of ``stop_on`` ask it to stop: see :meth:`Supervisor.guard`.
    """
    supervisor = Supervisor(on_line, on_change)
    with _handled(stop_on, supervisor.request_stop):
        try:
            yield supervisor
        finally:
            await supervisor.stop()


@contextmanager
def _handled(signals: Sequence[signal.Signals], handler: Callable[[], None]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    # nohup works by ignoring SIGHUP, and means it.
    signals = [number for number in signals if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    for number in signals:
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _all(work: Sequence[Awaitable[None]]) -> None:
    """Side by side; the first error ends the rest."""

    async def one(awaitable: Awaitable[None]) -> None:
        await awaitable

    try:
        async with asyncio.TaskGroup() as tasks:
            for awaitable in work:
                tasks.create_task(one(awaitable))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _all_ended(children: Sequence[Child], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            for child in children:
                await child.ended()
    except TimeoutError:
        return
