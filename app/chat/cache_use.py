"""Whether a tenant has its answers kept, and what that was good for. Counted from the turns themselves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.chat.tables import cache_switches, second_looks, turns
from knowledge.database import Database, now

DAYS = 30


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Since a moment. ``written`` were made anew; ``shared`` of them were somebody else's, made at the same time.

    ``saved_tokens`` is what the replayed and shared answers had cost. ``looked_true`` and ``looked_false`` are those of
    a sample of the evidence hits: see :mod:`app.chat.second_looks`.
    """

    since: datetime
    exact: int
    evidence: int
    written: int
    shared: int
    saved_tokens: int
    looked_true: int
    looked_false: int

    @property
    def share(self) -> float:
        """Of the answers that were given from the cache, 0 to 1."""
        given = self.exact + self.evidence + self.written
        return (self.exact + self.evidence) / given if given else 0.0


_ON = select(cache_switches.c.on).where(cache_switches.c.tenant == bindparam("tenant"))


class AnswerCacheUse:
    """``default`` holds for tenants that never switched."""

    def __init__(self, database: Database, *, default: bool = True) -> None:
        self._database = database
        self._default = default

    async def on(self, tenant: str) -> bool:
        switched = await self._database.rows(_ON, {"tenant": tenant})
        return bool(switched[0].on) if switched else self._default

    async def switch(self, tenant: str, *, on: bool, by: str) -> None:
        values = {"on": on, "changed_by": by, "changed_at": now()}
        changed = update(cache_switches).where(cache_switches.c.tenant == tenant).values(**values)
        try:
            async with self._database.write() as connection:
                if (await connection.execute(changed)).rowcount == 0:
                    await connection.execute(insert(cache_switches).values(tenant=tenant, **values))
        except IntegrityError:  # somebody else switched at the same time
            async with self._database.write() as connection:
                await connection.execute(changed)

    async def since(self, tenant: str, *, days: int = DAYS) -> CacheUse:
        moment = now() - timedelta(days=days)
        by_kind = (
            select(
                _count(turns.c.cached == "exact"),
                _count(turns.c.cached == "evidence"),
                _count(turns.c.cached.is_(None)),
                _count(turns.c.cached.is_(None) & (turns.c.saved_tokens > 0)),
                func.coalesce(func.sum(turns.c.saved_tokens), 0),
            )
            .where(turns.c.tenant == tenant, turns.c.created_at >= moment)
            .where(turns.c.status == "done", turns.c.refused.is_(False), turns.c.curated.is_(None))
        )
        looked = select(_count(second_looks.c.right), _count(second_looks.c.right.is_(False))).where(
            second_looks.c.tenant == tenant, second_looks.c.created_at >= moment
        )
        async with self._database.read() as connection:
            counted = (await connection.execute(by_kind)).one()
            sampled = (await connection.execute(looked)).one()
        return CacheUse(moment, *map(int, (*counted, *sampled)))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
