"""What was read of chunks, kept in memory: under load, questions find the same ones again and again.

Every change of a knowledge base, and every moment at which a document begins or ceases to be valid, has a state of its
own, so what is kept is kept for a state. What is read in a later one than asked for is only newer.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

from knowledge.models import KnowledgeBase, State

T = TypeVar("T")

MOST_STATES = 8

_States: TypeAlias = tuple[tuple[str, State], ...]


class KnownByState(Generic[T]):
    """By chunk id, for the states asked last; of each, ``most`` are kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._states: OrderedDict[_States, dict[str, T]] = OrderedDict()

    def of(self, bases: Sequence[KnowledgeBase], chunk_ids: Iterable[str]) -> dict[str, T]:
        """Those of the chunks that are known, in the order asked."""
        known = self._at(bases)
        return {chunk_id: known[chunk_id] for chunk_id in chunk_ids if chunk_id in known}

    def keep(self, bases: Sequence[KnowledgeBase], more: Mapping[str, T]) -> None:
        known = self._at(bases)
        if len(known) + len(more) > self._most:
            known.clear()
        known.update(more)

    def _at(self, bases: Sequence[KnowledgeBase]) -> dict[str, T]:
        state = tuple((kb.id, kb.state) for kb in bases)
        known = self._states.setdefault(state, {})
        self._states.move_to_end(state)
        if len(self._states) > MOST_STATES:
            self._states.popitem(last=False)
        return known
