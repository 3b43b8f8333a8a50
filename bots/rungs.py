"""Which rung of the ladder an answer gets, and the calls that its end is promised while it is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bots.dingtalk.governor import Governor
from bots.dingtalk.ladder import COARSE_SECONDS, Rules, Step, choose
from bots.ports import BudgetSpent

CLOSING_CALLS = 2  # the last frame, and the buttons
_CARDS = ("stream", "coarse", "final")


class Rungs:
    """By the rules that are set and the month as it stands."""

    def __init__(self, governor: Governor, rules: Rules) -> None:
        self._governor = governor
        self._rules = rules

    @asynccontextmanager
    async def step(self, reply_id: str) -> AsyncIterator[Step]:
        """The step of an answer, for as long as it is open."""
        step = choose(self._rules, await self._governor.standing())
        try:
            yield await self._promised(reply_id, step)
        finally:
            await self._governor.release(reply_id)

    async def _promised(self, reply_id: str, step: Step) -> Step:
        if step.rung not in _CARDS:
            return step
        calls = CLOSING_CALLS if step.frame_seconds else 1
        try:
            await self._governor.promise(reply_id, calls, frames_per_second=step.frames_per_second)
        except BudgetSpent:  # others were quicker
            return Step("markdown", "month_spent")
        return step


def pace(step: Step, begun: str) -> float | None:
    """Seconds between two frames. A card that was begun before a crash, on the rung ``begun``, stays what it is: one
    that grows and gets its buttons with its end, or one that has them from the beginning."""
    return None if begun == "final" else step.frame_seconds or COARSE_SECONDS
