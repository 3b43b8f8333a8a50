"""Calls that are made again as long as that can do no harm."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bots.dingtalk.errors import CardExists, DeliveryUnknown, Throttled
from bots.dingtalk.ports import Api, Governor, Skipped
from bots.ports import BudgetSpent, ChannelRefused, Purpose
from knowledge.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is made, and the seconds between: doubling from the first, never more than the longest.

    A card that stays open looks broken for ever, so its last call (``final_tries``) gets a quarter of a minute.
    """

    first_s: float = 0.5
    longest_s: float = 8.0
    tries: int = 4
    final_tries: int = 6

    def pauses(self, purpose: Purpose, tries: int | None = None) -> Iterator[float]:
        """A frame is not worth a second try: the next one holds its text."""
        most = {"frame": 1, "final": self.final_tries}.get(purpose, tries or self.tries)
        for made in range(most - 1):
            jitter = random.uniform(0.75, 1.0)  # noqa: S311 (spreads tries, keeps no secret)
            yield min(self.longest_s, self.first_s * 2.0**made) * jitter


class Attempts:
    """The calls of one errand. ``made`` is how many were counted against the month."""

    def __init__(self, governor: Governor, patience: Patience) -> None:
        self._governor = governor
        self._patience = patience
        self.made = 0

    async def make(
        self,
        api: Api,
        purpose: Purpose,
        call: Callable[[], Awaitable[T]],
        *,
        repeatable: bool,
        tries: int | None = None,
    ) -> T:
        """Wait for a turn and call, again after failures that a second call may mend.

        ``repeatable``: the call has one effect however often it is made. Others are not made again once they may have
        been done. Raises ChannelRefused, Unavailable, BudgetSpent; for the purpose "open" DeliveryUnknown also when it
        was an earlier attempt that may have been done: what is there must be ended.
        """
        pauses = self._patience.pauses(purpose, tries)
        doubt: DeliveryUnknown | None = None
        while True:
            try:
                await self._governor.take(api, purpose)
                self.made += 1
                return await call()
            except CardExists:
                raise
            except (ChannelRefused, BudgetSpent) as failure:
                raise doubt or failure from None
            except Unavailable as failure:
                if isinstance(failure, DeliveryUnknown) and purpose == "open":
                    doubt = failure
                if isinstance(failure, Throttled):
                    self._governor.throttled(api)
                if isinstance(failure, DeliveryUnknown) and not repeatable:
                    raise
                if isinstance(failure, Skipped) or (pause := next(pauses, None)) is None:
                    raise doubt or failure from None
            await asyncio.sleep(pause)
