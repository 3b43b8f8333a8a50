"""How much an app may call: by the second for each API, and by the month for the organisation."""

from collections import deque
from dataclasses import dataclass, field

from bots.sandbox.clock import Clock
from bots.sandbox.wire import OldRefused, Refused

QPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"  # [D] with HTTP 403, not 429
MONTH = "Forbidden.AccessDenied.ApiCountLimitForOrg"  # [D]
_BLOCKED = 600.0  # seconds that a custom robot is silenced for after too many messages [D]


@dataclass(slots=True)
class Usage:
    """What this month has used. Calls of the API; webhook messages, and messages and clicks brought over the stream."""

    month: str
    calls: int = 0
    messages: int = 0


@dataclass(slots=True)
class Window:
    """At most ``most`` in any span of ``seconds`` [D]. Refused ones don't count [?]."""

    clock: Clock
    most: int
    seconds: float = 1.0
    times: deque[float] = field(default_factory=deque)

    def take(self) -> bool:
        now = self.clock.now()
        while self.times and self.times[0] <= now - self.seconds:
            self.times.popleft()
        if len(self.times) >= self.most:
            return False
        self.times.append(now)
        return True


@dataclass(slots=True)
class Limits:
    """Can be changed while it runs; ``webhook_per_minute`` for session webhooks is a switch [?], None: no limit."""

    clock: Clock
    qps: int
    monthly_calls: int
    monthly_messages: int
    robot_per_minute: int = 20  # [D] custom robots
    webhook_per_minute: int | None = None
    _windows: dict[str, Window] = field(default_factory=dict)
    _blocked: dict[str, float] = field(default_factory=dict)
    _usage: Usage | None = None

    @property
    def usage(self) -> Usage:
        if self._usage is None or self._usage.month != self.clock.month():
            self._usage = Usage(self.clock.month())
        return self._usage

    def call(self, route: str, *, old: bool) -> None:
        """Count a call. Raises Refused or, for the old API, OldRefused."""
        if not self._window(route, self.qps, 1.0).take():
            raise OldRefused(90018, "调用频率超限") if old else Refused(403, QPS, "请求被限流")
        if self.usage.calls >= self.monthly_calls:
            raise OldRefused(90020, "调用量超限") if old else Refused(403, MONTH, "本月调用量已用尽")
        self.usage.calls += 1

    def message(self) -> bool:
        """Count a message of a webhook or the stream; False when the month has none left."""
        if self.usage.messages >= self.monthly_messages:
            return False
        self.usage.messages += 1
        return True

    def robot(self, name: str) -> None:
        """Count a message of a custom robot: 20 a minute, then silence for ten. Raises OldRefused."""  # [D]
        self._per_minute(f"robot {name}", self.robot_per_minute)

    def webhook(self, session: str) -> None:
        """Raises OldRefused."""
        if self.webhook_per_minute is not None:
            self._per_minute(f"session {session}", self.webhook_per_minute)

    def _per_minute(self, name: str, most: int) -> None:
        blocked = self._blocked.get(name, 0) > self.clock.now()
        if blocked or not self._window(name, most, 60.0).take():
            if not blocked:
                self._blocked[name] = self.clock.now() + _BLOCKED
            raise OldRefused(410100, "发送速度太快而限流")

    def _window(self, name: str, most: int, seconds: float) -> Window:
        window = self._windows.setdefault(name, Window(self.clock, most, seconds))
        window.most = most
        return window
