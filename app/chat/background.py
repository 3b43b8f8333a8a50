"""Work that nobody waits for, and that ends with the services."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


class Background:
    """``tasks`` outlives whatever is begun. What is begun raises nothing."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._begun: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[None, None, None], *, name: str) -> None:
        task = self._tasks.create_task(work, name=name)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    def close(self) -> None:
        """Have it end where it stands."""
        for task in self._begun:
            task.cancel()


@asynccontextmanager
async def background() -> AsyncIterator[Background]:
    """On leaving, what was begun ends too. An error of the block leaves as itself."""
    try:
        async with asyncio.TaskGroup() as tasks:
            made = Background(tasks)
            try:
                yield made
            finally:
                made.close()
    except BaseExceptionGroup as group:  # what was begun raises nothing, so it has the block's alone
        raise group.exceptions[0] from None
