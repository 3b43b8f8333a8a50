"""How long a model is waited for."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Self, TypeVar

from app.llm import refusals

T = TypeVar("T")

GRACE_S = 2.0  # for usage and [DONE] after finish_reason; some servers send neither and stay connected


class Patience:
    """How long the reader waits: until the first text, then from one piece to the next.

    One timer for all of it. When it goes off it looks whether there is more time by now; a timer for every piece would
    be a tenth of what a piece costs.
    """

    def __init__(self, first_token: float, between_tokens: float) -> None:
        self._between_tokens = between_tokens
        self._phase = "first_token"
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + first_token
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._late = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._set(None)

    async def wait(self, coming: Awaitable[T]) -> T:
        """Raises :class:`ModelTimeout` when it does not come in time."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (a coroutine runs in one)
        cancelled = task.cancelling()
        self._task = task
        if self._timer is None:
            self._set(self._due)
        try:
            return await coming
        except asyncio.CancelledError:
            if self._late and task.uncancel() <= cancelled:
                raise refusals.too_slow(self._phase) from None
            raise
        finally:
            self._task = None

    def left(self) -> float:
        """Seconds."""
        return self._due - self._loop.time()

    def extend(self, *, heard: bool, finished: bool) -> None:
        if heard:
            self._phase = "between_tokens"
            self._due = self._loop.time() + self._between_tokens
        if finished:
            self._due = min(self._due, self._loop.time() + GRACE_S)
        if self._timer is not None and self._timer.when() > self._due:
            self._set(self._due)

    def _set(self, due: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._task is None:  # nobody waits now; whoever does next sets it again
            return
        if self.left() > 0:
            self._set(self._due)
            return
        self._late = True
        self._task.cancel()
