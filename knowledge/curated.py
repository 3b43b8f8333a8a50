"""Answers that people wrote. A proposed one waits for somebody to accept it, and answers nothing until then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from knowledge.database import Database, now
from knowledge.errors import InvalidInput
from knowledge.tables import curated_answers

CuratedState: TypeAlias = Literal["proposed", "live", "retired"]


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """``knowledge_bases`` is what it belongs to, by name; None is all. ``source`` says where it came from, by ids."""

    id: str
    tenant: str
    state: CuratedState
    question: str
    answer: str
    knowledge_bases: tuple[str, ...] | None
    source: Mapping[str, Any]
    created_by: str | None
    created_at: datetime


class CuratedAnswers:
    """Proposing and listing."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def list(self, tenant: str, state: CuratedState, *, limit: int = 100) -> list[CuratedAnswer]:
        """Newest first."""
        query = select(curated_answers).filter_by(tenant=tenant, state=state)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(curated_answers.c.created_at.desc()).limit(limit))
            return [_curated(row) for row in rows]


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
    """The same inside a transaction that does more. Raises InvalidInput ``curated_empty``."""
    if not question.strip() or not answer.strip():
        raise InvalidInput("A curated answer needs a question and an answer.", code="curated_empty")
    row = {
        "id": uuid4().hex,
        "tenant": tenant,
        "state": "proposed",
        "question": question.strip(),
        "answer": answer.strip(),
        "knowledge_bases": None if knowledge_bases is None else list(knowledge_bases),
        "source": dict(source),
        "created_by": by,
        "created_at": now(),
    }
    written = await connection.execute(insert(curated_answers).values(**row).returning(curated_answers))
    return _curated(written.one())


def _curated(row: Row[Any]) -> CuratedAnswer:
    names = None if row.knowledge_bases is None else tuple(row.knowledge_bases)
    plain = {name: getattr(row, name) for name in CuratedAnswer.__dataclass_fields__ if name != "knowledge_bases"}
    return CuratedAnswer(**plain, knowledge_bases=names)
