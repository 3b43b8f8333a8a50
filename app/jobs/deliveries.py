"""Finished jobs on their way to a channel: taken by one process at a time, noted step by step, brought once.

A row is written in the transaction that ends its job. ``receipt`` says what of it has been brought already, so that
whoever takes over goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from app.jobs.leases import LeaseLost
from app.jobs.tables import deliveries
from knowledge.database import Database, now

LEASE = timedelta(seconds=30)

__all__ = ["LEASE", "Deliveries", "Delivery", "LeaseLost"]

_DUE_AT = func.coalesce(deliveries.c.not_before, deliveries.c.created_at)
_FREE: dict[str, None] = {"owner": None, "lease_until": None}


@dataclass(frozen=True, slots=True)
class Delivery:
    """The right to bring a job to a channel: of this owner, for this attempt."""

    job_id: str
    channel: str
    tenant: str
    target: Mapping[str, Any]
    owner: str
    attempts: int
    receipt: Mapping[str, Any]


class Deliveries:
    """The table of them. A step of somebody who has lost the delivery changes nothing and raises LeaseLost."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, channels: Sequence[str]) -> int:
        """How many could be taken now."""
        query = select(func.count()).select_from(deliveries).where(_due(channels))
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def take(self, channels: Sequence[str], owner: str) -> Delivery | None:
        """What has been due for longest, also out of a hand that has been silent for longer than its lease."""
        first = select(deliveries).where(_due(channels)).order_by(_DUE_AT, deliveries.c.job_id).limit(1)
        async with self._database.write() as connection:
            row = (await connection.execute(first.with_for_update(skip_locked=True))).first()
            if row is None:
                return None
            taken = {"owner": owner, "lease_until": now() + LEASE, "attempts": row.attempts + 1, "not_before": None}
            mine = (deliveries.c.job_id == row.job_id) & (deliveries.c.channel == row.channel)
            await connection.execute(update(deliveries).where(mine).values(**taken))
        return Delivery(
            row.job_id, row.channel, row.tenant, row.target, owner, row.attempts + 1, dict(row.receipt or {})
        )

    async def beat(self, delivery: Delivery) -> None:
        """Keep it."""
        await self._change(delivery, {"lease_until": now() + LEASE})

    async def note(self, delivery: Delivery, receipt: Mapping[str, Any]) -> Delivery:
        """Write down what has been brought so far; → the delivery with it."""
        await self._change(delivery, {"receipt": dict(receipt), "lease_until": now() + LEASE})
        return replace(delivery, receipt=dict(receipt))

    async def done(self, delivery: Delivery, receipt: Mapping[str, Any]) -> None:
        """It has been brought."""
        ended = {"state": "delivered", "delivered_at": now(), "receipt": dict(receipt), "error_code": None}
        await self._change(delivery, {**ended, **_FREE})

    async def later(self, delivery: Delivery, code: str, seconds: float) -> None:
        """Not now, because of ``code``; again after so long."""
        due = now() + timedelta(seconds=seconds)
        await self._change(delivery, {"not_before": due, "error_code": code, **_FREE})

    async def give_back(self, delivery: Delivery) -> None:
        """As if it had not been taken: this process stops. What the receipt says remains."""
        await self._change(delivery, {"attempts": delivery.attempts - 1, **_FREE})

    async def give_up(self, delivery: Delivery, code: str) -> None:
        """It can't be brought. The job keeps its result."""
        await self._change(delivery, {"state": "failed", "error_code": code, **_FREE})

    async def _change(self, delivery: Delivery, values: Mapping[str, Any]) -> None:
        async with self._database.write() as connection:
            changed = await connection.execute(update(deliveries).where(_held(delivery)).values(**values))
        if changed.rowcount != 1:
            raise LeaseLost(delivery.job_id)


def _due(channels: Sequence[str]) -> ColumnElement[bool]:
    moment = now()
    return and_(
        deliveries.c.channel.in_(list(channels)),
        deliveries.c.state == "waiting",
        or_(deliveries.c.not_before.is_(None), deliveries.c.not_before <= moment),
        or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until < moment),
    )


def _held(delivery: Delivery) -> ColumnElement[bool]:
    return and_(
        deliveries.c.job_id == delivery.job_id,
        deliveries.c.channel == delivery.channel,
        deliveries.c.state == "waiting",
        deliveries.c.owner == delivery.owner,
        deliveries.c.attempts == delivery.attempts,
    )
