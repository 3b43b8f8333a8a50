"""When a source is looked at: ``every 30m``, ``every 6h``, ``daily 03:30`` (in the server's own time zone)."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from knowledge.errors import InvalidInput

_EVERY = re.compile(r"every (\d{1,4})\s?(m|min|h)")
_DAILY = re.compile(r"daily (\d{1,2}):(\d{2})")
LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either ``every`` so long after the end of a run, or daily ``at`` a time."""

    every: timedelta | None = None
    at: time | None = None

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Raises InvalidInput ``schedule_invalid``."""
        words = " ".join(text.lower().split())
        if (found := _EVERY.fullmatch(words)) and int(found[1]):
            every = timedelta(minutes=int(found[1])) if found[2] != "h" else timedelta(hours=int(found[1]))
            if every <= LONGEST:
                return cls(every=every)
        if (found := _DAILY.fullmatch(words)) and int(found[1]) < 24 and int(found[2]) < 60:
            return cls(at=time(int(found[1]), int(found[2])))
        raise InvalidInput("Write a schedule as “every 30m”, “every 6h” or “daily 03:00”.", code="schedule_invalid")

    def __str__(self) -> str:
        if self.at is not None:
            return f"daily {self.at:%H:%M}"
        minutes = int((self.every or LONGEST).total_seconds()) // 60
        return f"every {minutes // 60}h" if minutes % 60 == 0 else f"every {minutes}m"

    def next_after(self, moment: datetime) -> datetime:
        """Aware in, aware out, in the zone of ``moment``; of a day without that time (summer time) the one after."""
        if self.at is None:
            return moment + (self.every or LONGEST)
        here = moment.astimezone()
        wanted = here.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0, tzinfo=None)
        for days in (0, 1, 2):
            found = (wanted + timedelta(days=days)).astimezone()
            if found > moment:
                return found.astimezone(moment.tzinfo)
        return moment + timedelta(days=1)
