"""Which documents of a knowledge base are cut as it was chosen, and having the others cut anew."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update

from knowledge.chunking import DEFAULT, Chunking
from knowledge.database import Database, now
from knowledge.models import DocumentStatus, KnowledgeBase
from knowledge.tables import chunks, documents, knowledge_bases

_UNDER_WAY = (DocumentStatus.RECEIVED, DocumentStatus.PROCESSING)


@dataclass(frozen=True, slots=True)
class Standing:
    """Of the documents that have chunks: how many, how many ``as_chosen``, how many of the others are on the way."""

    total: int
    as_chosen: int
    under_way: int


class Cuts:
    """What is cut how."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def choose(self, kb: KnowledgeBase, chunking: Chunking) -> None:
        """For every document that is taken in from now on. Raises InvalidInput as :meth:`Chunking.checked`."""
        mine = knowledge_bases.c.id == kb.id
        stored = chunking.checked().stored()
        async with self._database.write() as connection:
            await connection.execute(update(knowledge_bases).where(mine).values(chunking=stored))

    async def reopen(self, kb: KnowledgeBase, chunking: Chunking) -> list[str]:
        """Have the documents processed again that are cut otherwise, or may be just now; → their ids.

        They go on answering as they are, each until its new chunks are published.
        """
        which = and_(
            documents.c.kb_id == kb.id,
            _otherwise(chunking),
            or_(
                documents.c.status == DocumentStatus.PROCESSING,
                and_(documents.c.status == DocumentStatus.LIVE, _has_chunks()),
            ),
        )
        again: dict[str, Any] = {"status": DocumentStatus.RECEIVED, "reason": None, "attempts": 0, "progress": 0}
        again |= {"stage": None, "settles": False, "owner": None, "lease_until": None, "updated_at": now()}
        async with self._database.write() as connection:
            query = update(documents).where(which).values(**again).returning(documents.c.id)
            return list((await connection.execute(query)).scalars())

    async def standing(self, kb: KnowledgeBase) -> Standing:
        otherwise = _otherwise(kb.chunking)
        query = select(
            func.count(),
            func.coalesce(func.sum(case((otherwise, 0), else_=1)), 0),
            func.coalesce(func.sum(case((and_(otherwise, documents.c.status.in_(_UNDER_WAY)), 1), else_=0)), 0),
        ).where(documents.c.kb_id == kb.id, _has_chunks())
        async with self._database.read() as connection:
            return Standing(*map(int, (await connection.execute(query)).one()))


def _otherwise(chunking: Chunking) -> ColumnElement[bool]:
    return func.coalesce(documents.c.cut, DEFAULT.key) != chunking.key


def _has_chunks() -> ColumnElement[bool]:
    """An archive has none of its own."""
    return select(chunks.c.id).where(chunks.c.document_id == documents.c.id).exists()
