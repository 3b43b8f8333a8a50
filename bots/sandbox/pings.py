"""SYSTEM pings: sent every so often, and to be echoed."""

import asyncio
import itertools
from dataclasses import dataclass, field

from bots.sandbox.clock import Clock, Timer
from bots.sandbox.connections import Connection
from bots.sandbox.journal import Journal
from bots.sandbox.wire import dump


@dataclass(slots=True)
class Pings:
    """``every`` [?] seconds by the sandbox's clock; the echo is due in ``due`` [?] real ones, else the line is cut."""

    clock: Clock
    journal: Journal
    every: float = 60.0
    due: float = 10.0
    sent: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _open: dict[str, tuple[Connection, str, asyncio.TimerHandle]] = field(default_factory=dict)
    _timers: dict[str, Timer] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """How many were not echoed yet."""
        return len(self._open)

    def keep(self, connection: Connection) -> None:
        """Ping it from now on."""
        self._timers[connection.id] = self.clock.after(self.every, lambda: self._next(connection))

    def forget(self, connection: Connection) -> None:
        if timer := self._timers.pop(connection.id, None):
            timer.cancel()
        for name in [name for name, (other, _, _) in self._open.items() if other is connection]:
            self._open.pop(name)[2].cancel()

    def send(self, connection: Connection) -> None:
        number = next(self._numbers)
        name, opaque = f"ping-{number}", f"opaque-{number}"
        handle = asyncio.get_running_loop().call_later(self.due, self._missed, name)
        self._open[name] = (connection, opaque, handle)
        headers = {"contentType": "application/json", "messageId": name, "topic": "ping", "time": str(self.clock.ms())}
        frame = {"specVersion": "1.0", "type": "SYSTEM", "headers": headers, "data": dump({"opaque": opaque})}
        connection.send(dump(frame))
        self.sent += 1

    def answered(self, connection: Connection, name: str, data: str) -> bool:
        """Whether it was an echo of ours; a wrong one breaks a rule [D]."""
        found = self._open.pop(name, None)
        if found is None:
            return False
        found[2].cancel()
        if found[0] is not connection or found[1] not in data:
            self.journal.violate("ping", f"{name} was not echoed with its opaque")
        return True

    def _next(self, connection: Connection) -> None:
        self.send(connection)
        self.keep(connection)

    def _missed(self, name: str) -> None:
        connection, _, _ = self._open.pop(name)
        if not connection.frozen:
            self.journal.violate("ping", f"{name} was not echoed within {self.due} s")
        connection.abort()
