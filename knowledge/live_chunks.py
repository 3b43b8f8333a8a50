"""Chunks that are live at an epoch, kept in memory: under load, questions find the same ones again and again."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from knowledge.catalog import Catalog, FoundChunk
from knowledge.models import KnowledgeBase

MOST_CHUNKS = 20_000  # some 30 MB
MOST_STATES = 8

_State: TypeAlias = tuple[tuple[str, int], ...]


class LiveChunks:
    """What :meth:`Catalog.live` gives, read once an epoch.

    Every change of a knowledge base has an epoch of its own. What is read at a later one than asked for is only newer.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._states: OrderedDict[_State, dict[str, FoundChunk | None]] = OrderedDict()

    async def of(self, bases: Sequence[KnowledgeBase], chunk_ids: Sequence[str]) -> dict[str, FoundChunk]:
        """Those of the chunks that are live in these knowledge bases at their epochs."""
        known = self._at(tuple((kb.id, kb.epoch) for kb in bases))
        if unknown := [chunk_id for chunk_id in chunk_ids if chunk_id not in known]:
            found = await self._catalog.live([kb.id for kb in bases], unknown)
            if len(known) + len(unknown) > MOST_CHUNKS:
                known.clear()
            known.update({chunk_id: found.get(chunk_id) for chunk_id in unknown})
            return found | _there(known, chunk_ids)
        return _there(known, chunk_ids)

    def _at(self, state: _State) -> dict[str, FoundChunk | None]:
        known = self._states.setdefault(state, {})
        self._states.move_to_end(state)
        if len(self._states) > MOST_STATES:
            self._states.popitem(last=False)
        return known


def _there(known: dict[str, FoundChunk | None], chunk_ids: Sequence[str]) -> dict[str, FoundChunk]:
    return {chunk_id: found for chunk_id in chunk_ids if (found := known.get(chunk_id)) is not None}
