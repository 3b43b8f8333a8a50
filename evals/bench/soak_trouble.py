"""What goes wrong in a soak, by chance: calls that fail, connections that end, tokens that are worth nothing, deaths.

A message whose call is cut may have been shown (``drop``, ``stall_after``) or not (``reset``, ``stall``): a bot can't
know. It says so with the next message, and people ask for it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bots.sandbox.gateway import Gateway

IDEMPOTENT = ("qps", "busy", "unknown_error", "reset", "drop", "stall", "stall_after", "slow")
FAULTS: dict[str, tuple[str, ...]] = {
    "card_streaming": IDEMPOTENT,
    "card_create_and_deliver": (*IDEMPOTENT, "scope", "undelivered", "unpublished"),
    "card_update": IDEMPOTENT,
    "webhook": ("session_gone", "too_fast", "busy", "drop", "reset", "stall", "stall_after", "slow"),
    "group_send": ("qps", "busy", "drop", "slow"),
    "single_send": ("qps", "busy", "drop", "slow"),
    "token": ("busy", "reset", "short_token", "slow"),
    "open": ("busy", "no_ticket", "html", "reset"),
    "connect": ("busy", "auth_failed"),
    "upload": ("busy", "reset", "slow"),
    "download": ("busy", "reset", "slow"),
}
LONGEST_S = 4.0  # that a fault stays
SLOW_S = 1.5


@dataclass(slots=True)
class Trouble:
    """``pause``: seconds between two things that go wrong, on average; ``kill`` ends a bot and starts another."""

    gateway: Gateway
    chance: random.Random
    pause: float
    kill: Callable[[], Awaitable[None]]
    kill_every: float
    made: Counter[str] = field(default_factory=Counter)

    async def make(self, seconds: float) -> None:
        """For so long; then all is well again."""
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._faults())
                tasks.create_task(self._kills())
        except TimeoutError:
            self.gateway.clear_faults()

    async def _faults(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / self.pause))
            if self.chance.random() < 0.25:
                self._to_the_connection()
            else:
                await self._in_calls()

    async def _in_calls(self) -> None:
        route = self.chance.choice(list(FAULTS))
        action = self.chance.choice(FAULTS[route])
        self.made[f"{route}: {action}"] += 1
        how: dict[str, Any] = {"probability": self.chance.choice((0.5, 1.0)), "count": self.chance.randint(1, 6)}
        self.gateway.fault(route, action=action, delay=SLOW_S if action == "slow" else 0, **how)
        await asyncio.sleep(self.chance.uniform(0.5, LONGEST_S))
        self.gateway.clear_faults()

    def _to_the_connection(self) -> None:
        what = self.chance.choice(("revoke", "expire", "disconnect", "close", "abort", "freeze"))
        self.made[what] += 1
        connection = self.chance.choice(self.gateway.connections) if self.gateway.connections else None
        match what:
            case "revoke":
                self.gateway.tokens.revoke_all()
            case "expire":
                sessions = self.gateway.robots.sessions
                sessions.update({name: replace(session, until=0) for name, session in sessions.items()})
            case "disconnect" if connection:
                self.gateway.push_system("disconnect", connection)
            case "close" if connection:
                self.gateway.close(connection, self.chance.choice((1000, 1001, 1011)))
            case "abort" if connection:
                self.gateway.abort(connection)
            case "freeze" if connection:
                self.gateway.freeze(connection)

    async def _kills(self) -> None:
        while True:
            await asyncio.sleep(self.kill_every * self.chance.uniform(0.8, 1.2))
            self.made["kill -9"] += 1
            await self.kill()
