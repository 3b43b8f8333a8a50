"""Chunks that are live in a state, kept in memory: under load, questions find the same ones again and again."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from knowledge.catalog import Catalog, FoundChunk
from knowledge.models import KnowledgeBase, State

MOST_CHUNKS = 20_000  # some 30 MB
MOST_STATES = 8

_States: TypeAlias = tuple[tuple[str, State], ...]


class LiveChunks:
    """What :meth:`Catalog.live` gives, read once a state; ``most`` of one are kept.

    Every change of a knowledge base, and every moment at which a document begins or ceases to be valid, has a state of
    its own. What is read in a later one than asked for is only newer.
    """

    def __init__(self, catalog: Catalog, *, most: int = MOST_CHUNKS) -> None:
        self._catalog = catalog
        self._most = most
        self._states: OrderedDict[_States, dict[str, FoundChunk | None]] = OrderedDict()

    async def of(self, bases: Sequence[KnowledgeBase], chunk_ids: Sequence[str]) -> dict[str, FoundChunk]:
        """Those of the chunks that are live in these knowledge bases in their states."""
        known = self._at(tuple((kb.id, kb.state) for kb in bases))
        there = _there(known, chunk_ids)
        if unknown := [chunk_id for chunk_id in chunk_ids if chunk_id not in known]:
            found = await self._catalog.live([kb.id for kb in bases], unknown)
            if len(known) + len(unknown) > self._most:
                known.clear()
            known.update({chunk_id: found.get(chunk_id) for chunk_id in unknown})
            there |= found
        return there

    def _at(self, state: _States) -> dict[str, FoundChunk | None]:
        known = self._states.setdefault(state, {})
        self._states.move_to_end(state)
        if len(self._states) > MOST_STATES:
            self._states.popitem(last=False)
        return known


def _there(known: dict[str, FoundChunk | None], chunk_ids: Sequence[str]) -> dict[str, FoundChunk]:
    return {chunk_id: found for chunk_id in chunk_ids if (found := known.get(chunk_id)) is not None}
