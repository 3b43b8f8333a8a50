"""Questions that could not be answered: kept, grouped by what they ask, and closed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import ColumnElement, Row, select, update

from app.chat.cache import normalised, packed, unpacked
from app.chat.same_question import gates, read
from app.chat.tables import gaps, if_it_stands
from app.chat.turns import Turn
from knowledge.database import Change, Database, now
from knowledge.errors import NotFound
from knowledge.ports import Embedder, Vector

MOST_OPEN = 1000  # the newest; older ones wait for these to be dealt with

# Cosine of multilingual-e5-small from which two questions are shown as one gap, if their numbers, codes and negations
# are equal. So 95 % of LCQMC's pairs that ask the same are together (rows 251 to 750), and 38 % of those that don't: it
# proves nothing, people see what they answer. Of two questions taken at random from AFQMC, which is all about one
# product, 1.2 % reach it, and .94 is reached by 3.5 %.
ALIKE = 0.95


@dataclass(frozen=True, slots=True)
class Gap:
    """A question (self-contained) that the knowledge bases named, or all of them, could not answer."""

    turn_id: str
    question: str
    knowledge_bases: tuple[str, ...] | None
    created_at: datetime
    vector: Vector | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class GapCluster:
    """Gaps that ask alike, the oldest first; it is known by the first one, and called as that."""

    gaps: tuple[Gap, ...]

    @property
    def id(self) -> str:
        return self.gaps[0].turn_id

    @property
    def question(self) -> str:
        return self.gaps[0].question

    @property
    def last_asked(self) -> datetime:
        return self.gaps[-1].created_at

    @property
    def wordings(self) -> tuple[str, ...]:
        """Each once, as it was first asked."""
        return tuple({normalised(gap.question): gap.question for gap in reversed(self.gaps)}.values())[::-1]

    @property
    def knowledge_bases(self) -> tuple[str, ...] | None:
        """Those that were asked; None where one asked all."""
        if any(gap.knowledge_bases is None for gap in self.gaps):
            return None
        return tuple(dict.fromkeys(name for gap in self.gaps for name in gap.knowledge_bases or ()))


class Gaps:
    """``known_scale``: the embedder's cosines are of the model that :data:`ALIKE` is about; else only the words count.

    Every call is of one tenant.
    """

    def __init__(self, database: Database, embedder: Embedder, *, known_scale: bool) -> None:
        self._database = database
        self._embedder = embedder
        self._known_scale = known_scale

    def of(self, turn: Turn) -> tuple[Change, ...]:
        """What makes a gap of a turn's question as it was read, in the transaction that ends the turn."""
        names = None if turn.ask.kbs is None else list(turn.ask.kbs)
        row = {
            "turn_id": turn.id,
            "tenant": turn.ask.tenant,
            "question": turn.condensed,
            "knowledge_bases": names,
            "created_at": now(),
            "vector": packed(turn.vector) or None,
            "embedded_by": self._embedder.model_id,
        }
        return (if_it_stands(gaps, row),)

    async def open(self, tenant: str) -> list[Gap]:
        """Those that nobody has dealt with, the oldest first; at most :data:`MOST_OPEN`."""
        query = select(gaps).filter_by(tenant=tenant, state="open").order_by(gaps.c.created_at.desc(), gaps.c.turn_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(MOST_OPEN))).all()
        return [_gap(row, self._embedder.model_id) for row in reversed(rows)]

    async def clusters(self, tenant: str) -> list[GapCluster]:
        """Those asked most often first, then those asked last."""
        found = await asyncio.to_thread(self._clustered, await self.open(tenant))
        return sorted(found, key=lambda cluster: (len(cluster.gaps), cluster.last_asked), reverse=True)

    async def cluster(self, tenant: str, gap_id: str) -> GapCluster:
        """The one that a gap is in. Raises NotFound ``gap_not_found``."""
        for cluster in await self.clusters(tenant):
            if any(gap.turn_id == gap_id for gap in cluster.gaps):
                return cluster
        raise NotFound("There is no such gap; perhaps it was dealt with already.", code="gap_not_found")

    async def dismiss(self, tenant: str, turn_ids: Sequence[str], *, by: str | None) -> int:
        """They are not to be answered; → how many were open. Asked again, it is a gap again."""
        return await self._close(tenant, turn_ids, "dismissed", by=by)

    async def resolve(self, tenant: str, turn_ids: Sequence[str], curated: str, *, by: str | None) -> int:
        """A curated answer answers them; → how many were open."""
        return await self._close(tenant, turn_ids, "resolved", by=by, curated=curated)

    async def _close(
        self,
        tenant: str,
        turn_ids: Sequence[str],
        state: Literal["dismissed", "resolved"],
        *,
        by: str | None,
        curated: str | None = None,
    ) -> int:
        these: ColumnElement[bool] = gaps.c.turn_id.in_(turn_ids)
        closed = update(gaps).filter_by(tenant=tenant, state="open").where(these)
        async with self._database.write() as connection:
            done = await connection.execute(closed.values(state=state, curated=curated, closed_by=by, closed_at=now()))
        return done.rowcount

    def _clustered(self, found: Sequence[Gap]) -> list[GapCluster]:
        """Greedy, the oldest first: a gap joins the first one that is most like it, or begins a cluster of its own."""
        members: list[list[Gap]] = []
        by_words: dict[object, int] = {}
        asked: list[tuple[list[str], list[tuple[str, str]]]] = []
        leaders = np.zeros((len(found), self._embedder.dimensions), np.float32)
        for gap in found:
            words = read(gap.question)
            key, gated = words or normalised(gap.question), gates(words)
            at = by_words.get(key)
            if at is None and self._known_scale:
                vector = self._vector(gap)
                near = leaders[: len(members)] @ vector
                at = next((int(i) for i in np.argsort(-near) if near[i] >= ALIKE and asked[i] == gated), None)
                leaders[len(members)] = vector
            if at is None:
                at = len(members)
                members.append([])
                asked.append(gated)
            by_words[key] = at
            members[at].append(gap)
        return [GapCluster(tuple(each)) for each in members]

    def _vector(self, gap: Gap) -> Vector:
        """Kept with the gap, but for those of another embedding model and of before vectors were kept."""
        return self._embedder.embed_query(gap.question) if gap.vector is None else gap.vector


def _gap(row: Row[Any], model: str) -> Gap:
    names = None if row.knowledge_bases is None else tuple(row.knowledge_bases)
    vector = unpacked(row.vector) if row.vector and row.embedded_by == model else None
    return Gap(row.turn_id, row.question, names, row.created_at, vector)
