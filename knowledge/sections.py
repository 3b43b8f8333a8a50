"""What stands around a hit: its whole section where there is room for it, else the neighbours that fit.

A section is the chunks beside each other that have the same heading path and sheet. Rows of a table and pairs of
question and answer stand for themselves: they come with a section that fits as a whole, never with a neighbour.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import NamedTuple

from sqlalchemy import bindparam, select

from knowledge.database import Database
from knowledge.known_by_state import KnownByState
from knowledge.models import KnowledgeBase, Passage
from knowledge.quotable import stands_alone
from knowledge.tables import chunks
from knowledge.widths import width

REACH = 5  # chunks looked at on either side; a section that goes on beyond them is none that fits
MOST_HITS = 1_000  # of a state; some 8 MB
_LEAST_OVERLAP = 6  # characters; shorter ones meet by chance
_MOST_OVERLAP = 600

_hit, _near = chunks.alias("hit"), chunks.alias("near")
_NEAR = (
    select(_hit.c.id, _near.c.id, _near.c.document_id, _near.c.ordinal, _near.c.text, _near.c.heading, _near.c.sheet)
    .join(_hit, _hit.c.document_id == _near.c.document_id)
    .where(_hit.c.id.in_(bindparam("ids", expanding=True)))
    .where(_near.c.ordinal.between(_hit.c.ordinal - REACH, _hit.c.ordinal + REACH))
    .where(_near.c.heading == _hit.c.heading, _near.c.sheet.is_not_distinct_from(_hit.c.sheet))
)


class Sections:
    """``room`` is how wide a passage may be with all that stands around it, in CJK characters; 0: hits stay alone."""

    def __init__(self, database: Database, *, room: int) -> None:
        self._database = database
        self._room = room
        self._known: KnownByState[list[_Neighbour]] = KnownByState(MOST_HITS)

    async def around(
        self, bases: Sequence[KnowledgeBase], hits: Sequence[Passage], *, limit: int
    ) -> tuple[Passage, ...]:
        """The best ``limit`` with what stands around them; a hit that is around a better one is none of its own.

        ``bases``: in which they were found, as they were then.
        """
        if not self._room or not hits:
            return tuple(hits[:limit])
        near = _Near(await self._read([hit.chunk_id for hit in hits], bases))
        passages: list[Passage] = []
        for hit in hits:
            if len(passages) < limit and not near.is_given(hit):
                passages.append(near.widened(hit, self._room))
        return tuple(passages)

    async def _read(self, hits: Sequence[str], bases: Sequence[KnowledgeBase]) -> Iterable["_Neighbour"]:
        """Of all of them together, themselves included."""
        known = self._known.of(bases, hits)
        if unknown := [hit for hit in hits if hit not in known]:
            more: dict[str, list[_Neighbour]] = {hit: [] for hit in unknown}
            for row in await self._database.rows(_NEAR, {"ids": unknown}):
                hit, *near = tuple(row)
                more[hit].append(_Neighbour(*near))
            self._known.keep(bases, more)
            known |= more
        return chain.from_iterable(known.values())


class _Neighbour(NamedTuple):
    """A row of ``_NEAR``; a name of SQLAlchemy's own is ten times as slow to look up."""

    id: str
    document_id: str
    ordinal: int
    text: str
    heading: str
    sheet: str | None


class _Near:
    """The chunks around the hits of a question; each is given once."""

    def __init__(self, rows: Iterable[_Neighbour]) -> None:
        self._chunks = {(row.document_id, row.ordinal): row for row in rows}
        self._ordinals = {row.id: row.ordinal for row in self._chunks.values()}
        self._given: set[tuple[str, int]] = set()

    def is_given(self, hit: Passage) -> bool:
        return (hit.document_id, self._ordinals.get(hit.chunk_id)) in self._given

    def widened(self, hit: Passage, room: int) -> Passage:
        at = self._ordinals.get(hit.chunk_id)
        if at is None:  # it was published anew since it was found
            return hit
        taken = self._fitting(hit, at, room)
        self._given.update((hit.document_id, ordinal) for ordinal in taken)
        texts = [self._chunks[hit.document_id, ordinal].text for ordinal in taken]
        return replace(hit, before=_before(texts[: at - taken.start + 1]), after=_after(texts[at - taken.start :]))

    def _fitting(self, hit: Passage, at: int, room: int) -> range:
        section = self._section(hit, at)
        ends = section.start > at - REACH and section.stop <= at + REACH
        if ends and sum(self._width(hit.document_id, ordinal) for ordinal in section) <= room:
            return section
        alone = hit.place.row is not None or stands_alone(hit.text)
        return range(at, at + 1) if alone else self._neighbours(hit.document_id, section, at, room)

    def _section(self, hit: Passage, at: int) -> range:
        start, stop = at, at + 1
        while start > at - REACH and self._goes_on(hit, start - 1):
            start -= 1
        while stop <= at + REACH and self._goes_on(hit, stop):
            stop += 1
        return range(start, stop)

    def _goes_on(self, hit: Passage, ordinal: int) -> bool:
        """Whether the chunk is of the hit's section, and not given yet."""
        found = self._chunks.get((hit.document_id, ordinal))
        if found is None or (hit.document_id, ordinal) in self._given:
            return False
        return (found.heading, found.sheet) == (hit.place.heading, hit.place.sheet)

    def _neighbours(self, document_id: str, section: range, at: int, room: float) -> range:
        """Nearest first, what comes next before what came before; a side ends where one does not fit."""
        low = high = at
        room -= self._width(document_id, at)
        sides = [1, -1]
        while sides:
            for side in tuple(sides):
                nearest = high + 1 if side > 0 else low - 1
                if nearest not in section or self._width(document_id, nearest) > room:
                    sides.remove(side)
                    continue
                room -= self._width(document_id, nearest)
                low, high = min(low, nearest), max(high, nearest)
        return range(low, high + 1)

    def _width(self, document_id: str, ordinal: int) -> float:
        return width(self._chunks[document_id, ordinal].text)


def _before(texts: Sequence[str]) -> str:
    """All but the last, without what the next one says again, up to where the last begins."""
    return "".join(text[: len(text) - shared] + ("" if shared else "\n") for text, shared in _shared(texts))


def _after(texts: Sequence[str]) -> str:
    """All but the first, likewise."""
    said = zip(texts[1:], _shared(texts), strict=True)
    return "".join(("" if shared else "\n") + text[shared:] for text, (_, shared) in said)


def _shared(texts: Sequence[str]) -> list[tuple[str, int]]:
    """Each text but the last with how many of its last characters the next one begins with."""
    return [(text, _overlap(text, following)) for text, following in pairwise(texts)]


def _overlap(text: str, following: str) -> int:
    start = max(0, len(text) - _MOST_OVERLAP)
    while (start := text.find(following[:_LEAST_OVERLAP], start)) >= 0:
        if len(text) - start >= _LEAST_OVERLAP and following.startswith(text[start:]):
            return len(text) - start
        start += 1
    return 0
