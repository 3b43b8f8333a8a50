"""Chunks that are live in a state: what :meth:`Catalog.live` gives, read once a state."""

from collections.abc import Sequence

from knowledge.catalog import Catalog, FoundChunk
from knowledge.known_by_state import KnownByState
from knowledge.models import KnowledgeBase

MOST_CHUNKS = 20_000  # some 30 MB


class LiveChunks:
    """``most`` of a state are kept, those that are not live among them."""

    def __init__(self, catalog: Catalog, *, most: int = MOST_CHUNKS) -> None:
        self._catalog = catalog
        self._known: KnownByState[FoundChunk | None] = KnownByState(most)

    async def of(self, bases: Sequence[KnowledgeBase], chunk_ids: Sequence[str]) -> dict[str, FoundChunk]:
        """Those of the chunks that are live in these knowledge bases in their states."""
        known = self._known.of(bases, chunk_ids)
        if unknown := [chunk_id for chunk_id in chunk_ids if chunk_id not in known]:
            found = await self._catalog.live([kb.id for kb in bases], unknown)
            more = {chunk_id: found.get(chunk_id) for chunk_id in unknown}
            self._known.keep(bases, more)
            known |= more
        return {chunk_id: found for chunk_id, found in known.items() if found is not None}
