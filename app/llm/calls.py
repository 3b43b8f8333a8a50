"""Every call of a model, written down: who answered, how many tokens, how fast, for how much. Never what was said."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from app.llm.ports import RESTING, Attempted, Endpoint
from app.llm.tables import model_calls
from knowledge.database import Database, now

log = logging.getLogger(__name__)

GOOD = ("stop", "length", "content_filter", "left")


@dataclass(frozen=True, slots=True)
class ModelCall:
    """``outcome`` is the reason for the end, ``left`` when the reader went, or the code of the error.

    ``purpose`` is the prompt template's name. ``endpoint`` is the one that answered, or was asked last; ``tried`` the
    attempts before. ``counted_by`` is ``endpoint``, or how :mod:`app.llm.tokens` counted. Times in milliseconds.
    """

    tenant: str
    purpose: str
    prompt_version: str
    endpoint: Endpoint
    outcome: str
    tried: tuple[Attempted, ...]
    prompt_tokens: int
    completion_tokens: int
    counted_by: str
    first_token_ms: float | None
    total_ms: float
    turn_id: str | None = None
    job_id: str | None = None

    @property
    def attempts(self) -> int:
        return 1 + sum(each.code != RESTING for each in self.tried)

    @property
    def taken_over(self) -> bool:
        """Whether an endpoint before this one should have answered."""
        return bool(self.tried) and self.tried[0].endpoint not in ("", self.endpoint.name)

    @property
    def amount(self) -> float | None:
        """Money in the currency of the price table; None when the price is not known."""
        price = self.endpoint.price
        if price is None:
            return None
        return round((self.prompt_tokens * price.input + self.completion_tokens * price.output) / 1e6, 6)


@dataclass(frozen=True, slots=True)
class DayOfModel:
    """What a model at an endpoint did for a tenant on a day (UTC, as the limits of jobs).

    ``taken_over`` calls were answered there because an endpoint before it did not. ``amount`` is of the ``priced``
    calls, in ``currency``; ``waited_ms`` for the first token is of the ``begun`` ones.
    """

    day: date
    endpoint: str
    model: str
    currency: str
    calls: int
    failed: int
    taken_over: int
    prompt_tokens: int
    completion_tokens: int
    priced: int
    amount: float
    begun: int
    waited_ms: float


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A :class:`ModelCall` as it is read again; ``ended_at`` is when it was written."""

    purpose: str
    prompt_version: str
    endpoint: str
    model: str
    outcome: str
    attempts: int
    tried: tuple[Attempted, ...]
    taken_over: bool
    prompt_tokens: int
    completion_tokens: int
    counted_by: str
    first_token_ms: float | None
    total_ms: float
    amount: float | None
    currency: str
    ended_at: datetime


class CallLog(Protocol):
    """Where calls are kept. That it cannot be written is no reason for an answer to fail: nothing is raised then."""

    async def write(self, call: ModelCall) -> None: ...

    async def of_turn(self, tenant: str, turn_id: str) -> list[KeptCall]:
        """The calls of a turn, in order."""

    async def forget(self, *, before: datetime) -> int:
        """Delete calls of every tenant that ended before; → how many."""


class MemoryCalls:
    """The twin."""

    def __init__(self, *, currency: str = "CNY") -> None:
        self.calls: list[ModelCall] = []
        self._moments: list[datetime] = []
        self._currency = currency

    async def write(self, call: ModelCall) -> None:
        self.calls.append(call)
        self._moments.append(now())

    async def of_turn(self, tenant: str, turn_id: str) -> list[KeptCall]:
        kept = zip(self.calls, self._moments, strict=True)
        return [
            KeptCall(
                **{name: getattr(call, name) for name in _READ_AS_WRITTEN},
                endpoint=call.endpoint.name,
                model=call.endpoint.model,
                tried=call.tried,
                currency=self._currency,
                ended_at=moment,
            )
            for call, moment in kept
            if (call.tenant, call.turn_id) == (tenant, turn_id)
        ]

    async def forget(self, *, before: datetime) -> int:
        kept = [(c, m) for c, m in zip(self.calls, self._moments, strict=True) if m >= before]
        forgotten = len(self.calls) - len(kept)
        self.calls[:], self._moments = [call for call, _ in kept], [moment for _, moment in kept]
        return forgotten


class ModelCalls:
    """The table ``model_calls``; ``currency`` is the price table's.

    Calls that end while one is written are written together after it: 100 at once in two transactions, not in 100.
    """

    def __init__(self, database: Database, *, currency: str) -> None:
        self._database = database
        self._currency = currency
        self._waiting: list[dict[str, Any]] = []
        self._writing = asyncio.Lock()

    async def write(self, call: ModelCall) -> None:
        self._waiting.append(self._row(call))
        async with self._writing:
            rows, self._waiting = self._waiting, []
            if rows:
                await self._insert(rows)

    async def of_turn(self, tenant: str, turn_id: str) -> list[KeptCall]:
        rows = model_calls.c
        query = select(model_calls).where(rows.turn_id == turn_id, rows.tenant == tenant).order_by(rows.created_at)
        return [
            KeptCall(
                **{name: getattr(row, name) for name in (*_READ_AS_WRITTEN, "endpoint", "model", "currency")},
                tried=tuple(Attempted(each["code"], each["endpoint"]) for each in row.failed_attempts),
                ended_at=row.created_at,
            )
            for row in await self._database.rows(query)
        ]

    async def forget(self, *, before: datetime) -> int:
        async with self._database.write() as connection:
            done = await connection.execute(delete(model_calls).where(model_calls.c.created_at < before))
        return done.rowcount

    async def daily(self, tenant: str, *, days: int) -> list[DayOfModel]:
        """Of the last days, today with them; the newest first, of a day the most used first."""
        rows = model_calls.c
        since = (now().date() - timedelta(days=days - 1)).isoformat()
        calls = func.count()
        query = (
            select(
                rows.day,
                rows.endpoint,
                rows.model,
                rows.currency,
                calls.label("calls"),
                func.sum(case((rows.outcome.in_(GOOD), 0), else_=1)).label("failed"),
                func.sum(case((rows.taken_over, 1), else_=0)).label("taken_over"),
                func.sum(rows.prompt_tokens).label("prompt_tokens"),
                func.sum(rows.completion_tokens).label("completion_tokens"),
                func.count(rows.amount).label("priced"),
                func.coalesce(func.sum(rows.amount), 0.0).label("amount"),
                func.count(rows.first_token_ms).label("begun"),
                func.coalesce(func.sum(rows.first_token_ms), 0.0).label("waited_ms"),
            )
            .where(rows.tenant == tenant, rows.day >= since)
            .group_by(rows.day, rows.endpoint, rows.model, rows.currency)
            .order_by(rows.day.desc(), calls.desc())
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).mappings().all()
        return [DayOfModel(**{**row, "day": date.fromisoformat(row["day"])}) for row in found]

    async def _insert(self, rows: list[dict[str, Any]]) -> None:
        try:
            await self._database.apply(*((_INSERT, row) for row in rows))
        except (SQLAlchemyError, OSError) as error:
            log.warning("model calls not written: %d, %s", len(rows), type(error).__name__)

    def _row(self, call: ModelCall) -> dict[str, Any]:
        moment = now()
        return {name: getattr(call, name) for name in _AS_THEY_ARE} | {
            "id": uuid4().hex,
            "day": moment.date().isoformat(),
            "endpoint": call.endpoint.name,
            "model": call.endpoint.model,
            "failed_attempts": [{"endpoint": each.endpoint, "code": each.code} for each in call.tried],
            "currency": self._currency,
            "created_at": moment,
        }


_INSERT = insert(model_calls)
_READ_AS_WRITTEN = (
    "purpose", "prompt_version", "outcome", "prompt_tokens", "completion_tokens", "counted_by", "first_token_ms",
    "total_ms", "amount", "attempts", "taken_over",
)  # fmt: skip
_AS_THEY_ARE = ("tenant", "turn_id", "job_id", *_READ_AS_WRITTEN)
