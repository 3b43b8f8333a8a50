"""Learned weights in SQL, with their knowledge base. A change counts as one of it: what was kept is not given again."""

from collections.abc import Collection

from sqlalchemy import and_, bindparam, null, select, update

from knowledge.catalog import next_epoch
from knowledge.database import Database
from knowledge.errors import Conflict
from knowledge.models import DocumentStatus, KnowledgeBase
from knowledge.moves import stands_on
from knowledge.tables import documents, knowledge_bases
from knowledge.weights import Tuning

_NAMES = 10_000  # a statement; SQLite allows 32,766 variables


class Tunings:
    """What is read with every question is :attr:`knowledge.models.KnowledgeBase.weights`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def there(self, kb: KnowledgeBase, names: Collection[str]) -> set[str]:
        """Those of the names that documents of the knowledge base have."""
        known: set[str] = set()
        wanted = sorted(names)
        query = select(documents.c.name).where(
            documents.c.kb_id == kb.id,
            documents.c.status != DocumentStatus.DELETED,
            documents.c.name.in_(bindparam("names", expanding=True)),
        )
        for start in range(0, len(wanted), _NAMES):
            rows = await self._database.rows(query, {"names": wanted[start : start + _NAMES]})
            known |= {row.name for row in rows}
        return known

    async def keep(self, kb: KnowledgeBase, tuning: Tuning) -> None:
        """For questions from now on. Raises Conflict ``tuning_outdated``: it stands on another model by now."""
        await self._write(kb, tuning)

    async def reset(self, kb: KnowledgeBase) -> None:
        """As shipped again."""
        await self._write(kb, None)

    async def _write(self, kb: KnowledgeBase, tuning: Tuning | None) -> None:
        here = knowledge_bases.c.id == kb.id
        where = and_(here, stands_on(tuning.model)) if tuning else here
        values = {"tuning": tuning.as_json() if tuning else null()}
        async with self._database.write() as connection:
            done = await connection.execute(update(knowledge_bases).where(where).values(**values))
            if done.rowcount != 1:
                raise Conflict(
                    "The knowledge base has changed its embedding model meanwhile; learn again.", code="tuning_outdated"
                )
            await connection.run_sync(next_epoch, kb.id)
