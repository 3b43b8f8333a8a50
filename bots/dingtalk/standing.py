"""How the month stands: what is used, what is promised, when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.channels.calls import Counted, Quota, forecast, used_by_day


@dataclass(frozen=True, slots=True)
class Terms:
    """What DingTalk allows an app: calls of each API a second, and calls and messages a month."""

    qps: int = 20
    monthly_calls: int = 5000
    monthly_messages: int = 3000

    @property
    def reserve(self) -> int:
        """Calls a second that frames leave to the openings and ends of answers."""
        return max(1, self.qps // 4)

    def limit(self, quota: Quota) -> int:
        return self.monthly_calls if quota == "calls" else self.monthly_messages


@dataclass(frozen=True, slots=True)
class Standing:
    """The month so far. ``promised`` calls are for the ends of ``answers`` that are open, which send together
    ``frames_per_second``; ``ends_on`` is None where a quota lasts the month."""

    calls_used: int = 0
    calls_limit: int = 5000
    messages_used: int = 0
    messages_limit: int = 3000
    promised: int = 0
    answers: int = 0
    frames_per_second: float = 0.0
    throttled: int = 0
    ends_on: date | None = None
    messages_end_on: date | None = None

    @property
    def calls_left(self) -> int:
        """Those that nobody has been promised."""
        return max(0, self.calls_limit - self.calls_used - self.promised)

    @property
    def messages_left(self) -> int:
        return max(0, self.messages_limit - self.messages_used)


@dataclass(frozen=True, slots=True)
class Promises:
    """Those of all open answers: how many answers, the calls of their ends, and the frames a second they send."""

    answers: int = 0
    calls: int = 0
    frames_per_second: float = 0.0


def standing(terms: Terms, counted: Sequence[Counted], promises: Promises, *, today: date) -> Standing:
    """``counted`` may begin before this month."""
    by_day = {quota: used_by_day(counted, quota) for quota in _QUOTAS}
    month = [each for each in counted if each.day.replace(day=1) == today.replace(day=1)]
    used = {quota: sum(used_by_day(month, quota).values()) for quota in _QUOTAS}
    return Standing(
        calls_used=used["calls"],
        calls_limit=terms.monthly_calls,
        messages_used=used["messages"],
        messages_limit=terms.monthly_messages,
        promised=promises.calls,
        answers=promises.answers,
        frames_per_second=round(promises.frames_per_second, 3),
        throttled=sum(each.throttled for each in month),
        ends_on=forecast(by_day["calls"], terms.monthly_calls, today),
        messages_end_on=forecast(by_day["messages"], terms.monthly_messages, today),
    )


_QUOTAS: tuple[Quota, ...] = ("calls", "messages")
