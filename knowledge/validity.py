"""When a document is valid: from a moment on, and before another; outside of that it is in no answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal, TypeAlias

from knowledge.errors import InvalidInput

Validity: TypeAlias = Literal["current", "scheduled", "expired"]

CHINA = timezone(timedelta(hours=8), "China")
_YEARS = range(1971, 9000)  # whatever the zone, such a moment can be written in any other


@dataclass(frozen=True, slots=True)
class Window:
    """Valid from ``start`` on and before ``end``; None has no such bound. Both know their zone."""

    start: datetime | None = None
    end: datetime | None = None

    def at(self, moment: datetime) -> Validity:
        if self.end is not None and self.end <= moment:
            return "expired"
        return "scheduled" if self.start is not None and moment < self.start else "current"

    def checked(self) -> "Window":
        """Raises InvalidInput ``validity_window`` for one that ends before it begins."""
        moments = [moment for moment in (self.start, self.end) if moment is not None]
        known = all(moment.tzinfo is not None and moment.year in _YEARS for moment in moments)
        if not known or sorted(set(moments)) != moments:
            raise InvalidInput(
                "The time that a document is valid ends after it begins. Change one of the two moments.",
                code="validity_window",
            )
        return self

    def meets(self, other: "Window") -> bool:
        """Whether there is a moment at which both are valid."""
        begins_in_time = self.start is None or other.end is None or self.start < other.end
        return begins_in_time and (other.start is None or self.end is None or other.start < self.end)


ALWAYS = Window()


def written(text: str, *, ends: bool) -> datetime:
    """A moment as people write it, ``2026-11-30`` or ``2026-11-30 12:00``; in China's time unless it names a zone.

    A day on which something ``ends`` is its last: the moment is the midnight after it. Raises ValueError.
    """
    text = text.strip().replace("/", "-")
    moment = datetime.fromisoformat(text)
    if ends and len(text) <= len("2026-11-30"):
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=CHINA)
