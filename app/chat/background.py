"""Work that nobody waits for, and that ends with the services."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from knowledge.errors import CopilotError

log = logging.getLogger(__name__)


class Background:
    """``tasks`` outlives whatever is begun. What goes wrong is logged: nobody is there to be told."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._begun: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[None, None, None], *, name: str) -> None:
        task = self._tasks.create_task(_quietly(work, name), name=name)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    def close(self) -> None:
        """Have it end where it stands."""
        for task in self._begun:
            task.cancel()


async def _quietly(work: Coroutine[None, None, None], name: str) -> None:
    try:
        await work
    except CopilotError as error:
        log.warning("%s not done: %s", name, error.error_code)
    except Exception:  # the edge of a task: what escapes it ends its group, and all answers under way with it
        log.exception("%s failed", name)


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
