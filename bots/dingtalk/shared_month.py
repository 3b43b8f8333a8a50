"""A month's counters in Redis, for all processes: restored from SQL where they are missing, and written there."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.channels.calls import PACE_DAYS, Calls, Counted, next_month, quota_of
from bots.dingtalk import budget_scripts as lua
from bots.dingtalk.scripts import Scripts

KEPT_SECONDS = 40 * 86_400
UNSURE_SECONDS = 5  # before SQL, which was away, is asked again for what it knows of a month

log = logging.getLogger(__name__)


class SharedMonth:
    """``names`` is what keys begin with. Everything raises Unavailable when Redis is away; a SQL that is, is logged."""

    def __init__(self, scripts: Scripts, names: str, app: str, calls: Calls | None) -> None:
        self._scripts = scripts
        self._names = names
        self._app = app
        self._calls = calls
        self._written: dict[tuple[date, str], Counted] = {}
        self._before: tuple[date, list[Counted]] | None = None

    async def run(self, script: str, day: date, args: Sequence[Any] = (), *, more: Sequence[str] = ()) -> Any:
        """A script on the counters of a day's month; ``more`` keys come after its two."""
        keys = [*self._keys(day), *more]
        said = await self._scripts.run(script, keys=keys, args=args)
        while said == lua.UNKNOWN:
            await self._restore(day)
            said = await self._scripts.run(script, keys=keys, args=args)
        return said

    async def add(self, counted: Counted) -> None:
        """Count what was counted elsewhere."""
        await self.run(lua.ADD, counted.day, _fields([counted]))

    async def write_down(self, day: date, counted: Sequence[Counted]) -> None:
        """Bring counters to SQL that changed since they were last brought, and back from it what Redis has lost."""
        new = [each for each in counted if self._written.get((each.day, each.api)) != each]
        if not new or self._calls is None:
            return
        try:
            await self._calls.merge(self._app, new)
        except (SQLAlchemyError, OSError) as error:
            log.warning("calls not written: %s", type(error).__name__)
            return
        self._written.update({(each.day, each.api): each for each in new})
        higher = _higher(await self.written(day) or [], counted)
        if higher:
            await self._raise_to(day, higher)

    async def written(self, day: date) -> list[Counted] | None:
        """The day's month as SQL has it; None when it cannot be asked."""
        first = day.replace(day=1)
        return await self._asked(first, next_month(first))

    async def before(self, day: date) -> list[Counted]:
        """The days before the month, for the pace at its beginning."""
        first = day.replace(day=1)
        if self._before is None or self._before[0] != first:
            found = await self._asked(first - timedelta(days=PACE_DAYS), first)
            if found is None:
                return []
            self._before = (first, found)
        return self._before[1]

    async def _asked(self, since: date, before: date) -> list[Counted] | None:
        if self._calls is None:
            return []
        try:
            return await self._calls.since(self._app, since, before=before)
        except (SQLAlchemyError, OSError) as error:
            log.warning("calls not read: %s", type(error).__name__)
            return None

    async def _restore(self, day: date) -> None:
        found = await self.written(day)
        self._written.clear()
        await self._raise_to(day, found or [], sure=found is not None)
        log.info("calls of the month restored app=%s month=%s", self._app, f"{day:%Y-%m}")

    async def _raise_to(self, day: date, counted: Iterable[Counted], *, sure: bool = True) -> None:
        """The counters are at least these from now on."""
        args = [KEPT_SECONDS if sure else UNSURE_SECONDS, KEPT_SECONDS, *_fields(counted)]
        await self._scripts.run(lua.RAISE, keys=self._keys(day), args=args)

    def _keys(self, day: date) -> list[str]:
        return [f"{self._names}:month:{day:%Y-%m}", f"{self._names}:sure:{day:%Y-%m}"]


def field_of(day: date, api: str) -> str:
    """The name of a counter."""
    return f"{day}|{api}"


def counted_of(pairs: Sequence[bytes]) -> list[Counted]:
    """What HGETALL gives, in order; the sums are left out."""
    named = dict(zip((name.decode() for name in pairs[::2]), map(int, pairs[1::2]), strict=True))
    keys = {tuple(name.split("|")[:2]) for name in named if "|" in name}
    return [
        Counted(date.fromisoformat(day), api, named.get(f"{day}|{api}", 0), named.get(f"{day}|{api}|throttled", 0))
        for day, api in sorted(keys)
    ]


def _higher(stored: Iterable[Counted], counted: Iterable[Counted]) -> list[Counted]:
    """Those stored that are more than what was counted."""
    known = {(each.day, each.api): each for each in counted}
    none = Counted(date.min, "", 0)
    pairs = ((each, known.get((each.day, each.api), none)) for each in stored)
    return [each for each, other in pairs if each.calls > other.calls or each.throttled > other.throttled]


def _fields(counted: Iterable[Counted]) -> list[str | int]:
    """Field, quota and number of each counter that is not nought."""
    fields: list[str | int] = []
    for each in counted:
        if each.calls:
            fields += [field_of(each.day, each.api), quota_of(each.api) or "", each.calls]
        if each.throttled:
            fields += [f"{field_of(each.day, each.api)}|throttled", "", each.throttled]
    return fields
