"""Answers that people wrote: proposed, then live, then retired. Only a live one answers, and only while it is valid.

Every change counts up the tenant's revision, so that a process that holds them in memory sees that they changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.curated_draft import CuratedDraft
from knowledge.database import Database, now
from knowledge.errors import NotFound
from knowledge.tables import curated_answers, tenants

CuratedState: TypeAlias = Literal["proposed", "live", "retired"]


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """``knowledge_bases`` is what it belongs to, by name; None is all. ``variants`` are other wordings of the question.

    It answers from ``valid_from`` on and before ``valid_until``. ``source`` says where it came from, by ids.
    """

    id: str
    tenant: str
    state: CuratedState
    question: str
    variants: tuple[str, ...]
    answer: str
    knowledge_bases: tuple[str, ...] | None
    valid_from: datetime | None
    valid_until: datetime | None
    source: Mapping[str, Any]
    created_by: str | None
    created_at: datetime
    updated_by: str | None
    updated_at: datetime | None

    @property
    def wordings(self) -> tuple[str, ...]:
        """The question and its variants."""
        return (self.question, *self.variants)

    def valid(self, moment: datetime) -> bool:
        begun = self.valid_from is None or self.valid_from <= moment
        return begun and (self.valid_until is None or moment < self.valid_until)

    @property
    def draft(self) -> CuratedDraft:
        """What of it can be written."""
        return CuratedDraft(
            self.question, self.answer, self.variants, self.knowledge_bases, self.valid_from, self.valid_until
        )


_REVISION = select(tenants.c.curated_revision).where(tenants.c.id == bindparam("tenant"))


class CuratedAnswers:
    """Reads and writes them; every call is of one tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, tenant: str, draft: CuratedDraft, *, state: CuratedState, source: Mapping[str, Any], by: str | None
    ) -> CuratedAnswer:
        """Raises what :meth:`CuratedDraft.checked` raises."""
        async with self._database.write() as connection:
            return await _create(connection, tenant, draft.checked(), state=state, source=source, by=by)

    async def propose(
        self,
        tenant: str,
        question: str,
        answer: str,
        *,
        source: Mapping[str, Any],
        by: str | None,
        knowledge_bases: Sequence[str] | None,
    ) -> CuratedAnswer:
        """Raises InvalidInput ``curated_empty``."""
        async with self._database.write() as connection:
            return await propose(
                connection, tenant, question, answer, source=source, by=by, knowledge_bases=knowledge_bases
            )

    async def get(self, tenant: str, answer_id: str) -> CuratedAnswer:
        """Raises NotFound ``curated_not_found``."""
        query = select(curated_answers).filter_by(tenant=tenant, id=answer_id)
        async with self._database.read() as connection:
            return _found((await connection.execute(query)).first())

    async def edit(self, tenant: str, answer_id: str, draft: CuratedDraft, *, by: str | None) -> CuratedAnswer:
        """Raises NotFound ``curated_not_found``, and what :meth:`CuratedDraft.checked` raises."""
        return await self._change(tenant, answer_id, draft.checked().row(), by=by)

    async def set_state(self, tenant: str, answer_id: str, state: CuratedState, *, by: str | None) -> CuratedAnswer:
        """Publish, retire, or put back among the proposed. Raises NotFound ``curated_not_found``."""
        return await self._change(tenant, answer_id, {"state": state}, by=by)

    async def delete(self, tenant: str, answer_id: str) -> None:
        """Raises NotFound ``curated_not_found``."""
        mine = delete(curated_answers).filter_by(tenant=tenant, id=answer_id).returning(curated_answers)
        async with self._database.write() as connection:
            _found((await connection.execute(mine)).first())
            await _count_up(connection, tenant)

    async def page(
        self, tenant: str, state: CuratedState | None = None, *, limit: int = 100, offset: int = 0
    ) -> tuple[list[CuratedAnswer], int]:
        """A page of them, newest first, and how many there are in all; None is every state."""
        mine = select(curated_answers).filter_by(tenant=tenant, **({} if state is None else {"state": state}))
        ordered = mine.order_by(curated_answers.c.created_at.desc(), curated_answers.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(ordered.limit(limit).offset(offset))).all()
            total = (await connection.execute(select(func.count()).select_from(mine.subquery()))).scalar_one()
        return [_curated(row) for row in rows], total

    async def revision(self, tenant: str) -> int:
        """Grows with every change of a tenant's curated answers. Every question asks this."""
        rows = await self._database.rows(_REVISION, {"tenant": tenant})
        return rows[0].curated_revision if rows else 0

    async def live(self, tenant: str) -> list[CuratedAnswer]:
        """All that are live, newest first, whether or not they are valid now."""
        query = select(curated_answers).filter_by(tenant=tenant, state="live")
        changed = func.coalesce(curated_answers.c.updated_at, curated_answers.c.created_at)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(changed.desc(), curated_answers.c.id))
            return [_curated(row) for row in rows]

    async def list(self, tenant: str, state: CuratedState, *, limit: int = 100) -> list[CuratedAnswer]:
        """Newest first."""
        return (await self.page(tenant, state, limit=limit))[0]

    async def _change(self, tenant: str, answer_id: str, values: Mapping[str, Any], *, by: str | None) -> CuratedAnswer:
        mine = update(curated_answers).filter_by(tenant=tenant, id=answer_id)
        changed = mine.values(**values, updated_by=by, updated_at=now()).returning(curated_answers)
        async with self._database.write() as connection:
            row = (await connection.execute(changed)).first()
            await _count_up(connection, tenant)
        return _found(row)


async def propose(
    connection: AsyncConnection,
    tenant: str,
    question: str,
    answer: str,
    *,
    source: Mapping[str, Any],
    by: str | None,
    knowledge_bases: Sequence[str] | None,
) -> CuratedAnswer:
    """Inside a transaction that does more. Raises InvalidInput ``curated_empty``."""
    names = None if knowledge_bases is None else tuple(knowledge_bases)
    draft = CuratedDraft(question, answer, knowledge_bases=names).checked()
    return await _create(connection, tenant, draft, state="proposed", source=source, by=by)


async def _create(
    connection: AsyncConnection,
    tenant: str,
    draft: CuratedDraft,
    *,
    state: CuratedState,
    source: Mapping[str, Any],
    by: str | None,
) -> CuratedAnswer:
    row = {
        **draft.row(),
        "id": uuid4().hex,
        "tenant": tenant,
        "state": state,
        "source": dict(source),
        "created_by": by,
        "created_at": now(),
    }
    written = await connection.execute(insert(curated_answers).values(**row).returning(curated_answers))
    await _count_up(connection, tenant)
    return _curated(written.one())


async def _count_up(connection: AsyncConnection, tenant: str) -> None:
    more = {"curated_revision": tenants.c.curated_revision + 1}
    await connection.execute(update(tenants).where(tenants.c.id == tenant).values(more))


def _found(row: Row[Any] | None) -> CuratedAnswer:
    if row is None:
        raise NotFound("There is no such curated answer.", code="curated_not_found")
    return _curated(row)


def _curated(row: Row[Any]) -> CuratedAnswer:
    special = ("knowledge_bases", "variants")
    plain = {name: getattr(row, name) for name in CuratedAnswer.__dataclass_fields__ if name not in special}
    names = None if row.knowledge_bases is None else tuple(row.knowledge_bases)
    return CuratedAnswer(**plain, variants=tuple(row.variants), knowledge_bases=names)
