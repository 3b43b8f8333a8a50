"""Undoing what was published in a knowledge base: of a whole publication, as people did it."""

from dataclasses import asdict, dataclass
from datetime import datetime

from app.services import KnowledgeService
from knowledge.database import now
from knowledge.errors import Conflict, NotFound
from knowledge.models import KnowledgeBase
from knowledge.publications import Publication, Publications, Published


@dataclass(frozen=True, slots=True)
class Undone:
    """How many documents answer as before (``restored``), or no more as they were new (``withdrawn``), and how many
    were left as they are: published again since, or their version before is not kept any more."""

    since: datetime
    until: datetime
    restored: int
    withdrawn: int
    left: int

    def json(self) -> dict[str, object]:
        return {**asdict(self), "since": self.since.isoformat(), "until": self.until.isoformat()}


class Undoing:
    """Document by document, each in one transaction: one that was interrupted goes on when it is asked for again."""

    def __init__(self, knowledge: KnowledgeService, publications: Publications) -> None:
        self._knowledge = knowledge
        self._publications = publications

    async def publications(self, tenant: str, kb: str, *, limit: int = 50) -> list[Publication]:
        """The last ones, newest first."""
        return await self._publications.of(await self._knowledge.catalog.knowledge_base(tenant, kb), limit=limit)

    async def undo(
        self, tenant: str, kb: str, *, since: datetime | None = None, until: datetime | None = None, by: str | None
    ) -> Undone:
        """What was published from the one moment to the other (None: now); without ``since``, the last publication that
        is no undoing itself. Raises Conflict ``no_publication_to_undo``.
        """
        base = await self._knowledge.catalog.knowledge_base(tenant, kb)
        if since is None:
            last = await self._last(base)
            since, until = last.since, last.until
        until = until or now()
        found = await self._publications.within(base, since, until)
        if all(each.back_to is None for each in found):
            raise _nothing()
        ends = [await self._undo(tenant, each, by) for each in found]
        counts = {end: ends.count(end) for end in ("restored", "withdrawn", "left")}
        return Undone(since, until, **counts)

    async def _last(self, base: KnowledgeBase) -> Publication:
        for publication in await self._publications.of(base):
            if publication.undoable and not publication.restored:
                return publication
        raise _nothing()

    async def _undo(self, tenant: str, published: Published, by: str | None) -> str:
        if published.back_to is None:
            return "left"
        if published.back_to == 0:
            await self._publications.withdraw(await self._knowledge.catalog.document(tenant, published.document_id))
            return "withdrawn"
        try:
            await self._knowledge.restore(tenant, published.document_id, published.back_to, by=by)
        except (NotFound, Conflict):  # its version before is not kept any more, or it was deleted just now
            return "left"
        return "restored"


def _nothing() -> Conflict:
    return Conflict("There is no publication here that could be undone.", code="no_publication_to_undo")
