"""Why a search did not find what it should have: where each stage has it, and what it would have taken.

Ranks below the candidates are looked up, not guessed: a stage is asked for more and more, down to :data:`DEEPEST`.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

from sqlalchemy import Row, select

from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.embedders import Embedders
from knowledge.expected import Expectations, Expected, Obstacle
from knowledge.lexical import LexicalIndex
from knowledge.models import KnowledgeBase, Passage, Place
from knowledge.ports import Hit, Vector, VectorStore
from knowledge.question import telling_terms
from knowledge.retriever import DEEPER, DEEPEST, Retrieval, Retriever
from knowledge.tables import chunks
from knowledge.tokens import terms
from knowledge.vectors import collection_name

Verdict: TypeAlias = Obstacle | Literal["found", "cut", "reranked", "far"]
Hint: TypeAlias = Literal["upload", "other_base", "wait", "retry", "window", "enable", "synonym", "heading", "curated"]
Search: TypeAlias = Callable[[int], Awaitable[list[Hit]]]

_HINTS: dict[Obstacle, tuple[Hint, ...]] = {
    "not_here": ("upload", "curated"),
    "elsewhere": ("other_base",),
    "waiting": ("wait",),
    "failed": ("retry",),
    "deleted": ("upload",),
    "scheduled": ("window",),
    "expired": ("window",),
    "disabled": ("enable",),
    "no_text": ("upload",),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a stage has a chunk among what is valid now.

    ``rank`` None: it is not among the first ``looked``; ``score`` None: the stage says nothing of it at all. ``best``
    is the first one's score, ``least`` that of the last candidate: what it takes to be one.
    """

    rank: int | None
    score: float | None
    looked: int
    best: float | None
    least: float | None


@dataclass(frozen=True, slots=True)
class Words:
    """Of the question's words, those that the chunk has, folded, those that it has as a synonym, and those it lacks."""

    has: tuple[str, ...]
    synonyms: tuple[str, ...]
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """``rank`` in the order that counts, ``fused`` before a reranker; None where no stage proposed the chunk.

    ``score`` is fusion's, ``least`` the one of the last passage that was still within the limit.
    """

    verdict: Verdict
    expected: Expected
    limit: int
    chunk: Passage | None = None
    dense: Standing | None = None
    lexical: Standing | None = None
    rank: int | None = None
    fused: int | None = None
    score: float | None = None
    best: float | None = None
    least: float | None = None
    words: Words | None = None
    hints: tuple[Hint, ...] = ()
    retrieval: Retrieval | None = None


class WhyNot:
    """``candidates`` is how many chunks each stage of ``retriever`` proposes."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        vectors: VectorStore,
        lexical: LexicalIndex,
        embedders: Embedders,
        retriever: Retriever,
        *,
        candidates: int,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._vectors = vectors
        self._lexical = lexical
        self._embedders = embedders
        self._retriever = retriever
        self._candidates = candidates
        self._expectations = Expectations(database, catalog, lexical)

    async def explain(self, tenant: str, question: str, kb: str, expected: str, *, limit: int) -> Explanation:
        """Raises as :meth:`Retriever.search` does, and InvalidInput ``expected_empty``."""
        base = (await self._catalog.named(tenant, [kb]))[0]
        found = await self._retriever.search(tenant, question, kbs=[base.id], limit=limit, whole=True)
        meant = await self._expectations.meant(base, expected)
        if meant.obstacle is not None:
            return Explanation(meant.obstacle, meant, limit, hints=_HINTS[meant.obstacle], retrieval=found)
        vectors = await self._vectors_of(base, found.phrasings)
        dense, words = self._stages(base, found.phrasings, vectors, max(limit, self._candidates))
        chunk_id = _proposed(found, meant.chunk_ids) or await _nearest(dense, words, meant.chunk_ids)
        row = await self._row(chunk_id)
        by_vector, by_words = (await dense.rank([chunk_id]))[1], (await words.rank([chunk_id]))[1]
        if by_vector.score is None:
            by_vector = replace(by_vector, score=await self._cosine(base, chunk_id, vectors))
        told = Explanation("far", meant, limit, chunk=_passage(row, meant, base), dense=by_vector, lexical=by_words)
        told = _placed(replace(told, words=_words(row, found.phrasings), retrieval=found), found, chunk_id)
        return replace(told, hints=_hints(told, row, found.phrasings))

    def _stages(
        self, base: KnowledgeBase, phrasings: Sequence[str], vectors: Sequence[Vector], depth: int
    ) -> "tuple[_Stage, _Stage]":
        name = collection_name(base)
        dense = [partial(self._vectors.query, name, vector) for vector in vectors]
        words = [partial(self._lexical.search, base, phrasing) for phrasing in phrasings]
        return _Stage(self._catalog, base, dense, depth), _Stage(self._catalog, base, words, depth)

    async def _vectors_of(self, base: KnowledgeBase, phrasings: Sequence[str]) -> list[Vector]:
        """One a phrasing; none where the knowledge base's model is not there any more."""
        asked = [await self._embedders.questions([base.embedding_model], phrasing) for phrasing in phrasings]
        return [vector for by_model in asked for vector in by_model.values()]

    async def _cosine(self, base: KnowledgeBase, chunk_id: str, vectors: Sequence[Vector]) -> float | None:
        """The best over the phrasings; None for a chunk that has no vector."""
        stored = (await self._vectors.get(collection_name(base), [chunk_id])).get(chunk_id)
        return None if stored is None else max((float(stored @ vector) for vector in vectors), default=None)

    async def _row(self, chunk_id: str) -> Row[Any]:
        async with self._database.read() as connection:
            return (await connection.execute(select(chunks).where(chunks.c.id == chunk_id))).one()


class _Stage:
    """One stage of retrieval, asked in each phrasing; the first ``depth`` that it finds are candidates."""

    def __init__(self, catalog: Catalog, base: KnowledgeBase, searches: Sequence[Search], depth: int) -> None:
        self._catalog = catalog
        self._base = base
        self._searches = searches
        self._depth = depth

    async def rank(self, wanted: Collection[str]) -> tuple[str | None, Standing]:
        """The first of these that is found, and where; of several phrasings the one that has it highest."""
        found = [await self._ranked(search, wanted) for search in self._searches]
        nowhere = (None, Standing(None, None, 0, None, None))
        return min(found, key=lambda one: one[1].rank or DEEPEST + 1, default=nowhere)

    async def _ranked(self, search: Search, wanted: Collection[str]) -> tuple[str | None, Standing]:
        depth = self._depth
        while True:
            hits = await search(depth)
            live = await self._catalog.live([self._base.id], [hit.chunk_id for hit in hits])
            valid = [hit for hit in hits if hit.chunk_id in live]
            there = next((at for at, hit in enumerate(valid) if hit.chunk_id in wanted), None)
            if there is not None or len(hits) < depth or depth >= DEEPEST:
                return self._standing(valid, there)
            depth = min(depth * DEEPER, DEEPEST)

    def _standing(self, valid: Sequence[Hit], there: int | None) -> tuple[str | None, Standing]:
        best = valid[0].score if valid else None
        least = valid[self._depth - 1].score if len(valid) >= self._depth else None
        if there is None:
            return None, Standing(None, None, len(valid), best, least)
        return valid[there].chunk_id, Standing(there + 1, valid[there].score, len(valid), best, least)


def _proposed(found: Retrieval, wanted: Collection[str]) -> str | None:
    return next((passage.chunk_id for passage in found.passages if passage.chunk_id in wanted), None)


async def _nearest(dense: _Stage, words: _Stage, wanted: Collection[str]) -> str:
    """The one that a stage has highest; any of them where none has any."""
    ranked = [await stage.rank(wanted) for stage in (dense, words)]
    found = [(standing.rank, chunk_id) for chunk_id, standing in ranked if standing.rank is not None and chunk_id]
    return min(found)[1] if found else min(wanted)


def _placed(told: Explanation, found: Retrieval, chunk_id: str) -> Explanation:
    """With the place after fusion, and after a reranker, of what a stage proposed."""
    order = [passage.chunk_id for passage in found.passages]
    if chunk_id not in order:
        return replace(told, best=found.passages[0].score if found.passages else None)
    fused = sorted(found.passages, key=lambda passage: (-passage.score, passage.chunk_id))
    rank = order.index(chunk_id) + 1
    before = [passage.chunk_id for passage in fused].index(chunk_id) + 1
    verdict: Verdict = "found" if rank <= told.limit else "reranked" if before <= told.limit else "cut"
    return replace(
        told,
        verdict=verdict,
        chunk=found.passages[rank - 1],
        rank=rank,
        fused=before,
        score=found.passages[rank - 1].score,
        best=fused[0].score,
        least=fused[min(told.limit, len(fused)) - 1].score,
    )


def _words(row: Row[Any], phrasings: Sequence[str]) -> Words:
    there = frozenset(terms(f"{row.indexed}\n{row.indexed_heading}"))
    asked = telling_terms(phrasings[0])
    others = [term for phrasing in phrasings[1:] for term in telling_terms(phrasing)]
    return Words(
        _joined([term for term in asked if term in there], asked),
        _joined([term for term in dict.fromkeys(others) if term in there and term not in asked], others),
        _joined([term for term in asked if term not in there], asked),
    )


def _joined(some: Sequence[str], of: Sequence[str]) -> tuple[str, ...]:
    """Overlapping pairs of characters that follow one another are one word again: 退货 货运 → 退货运."""
    words: list[str] = []
    last = -2
    for term in some:
        at = of.index(term)
        if at == last + 1 and len(term) == 2 and words[-1][-1] == term[0] and not term.isascii():
            words[-1] += term[1]
        else:
            words.append(term)
        last = at
    return tuple(words)


def _hints(told: Explanation, row: Row[Any], phrasings: Sequence[str]) -> tuple[Hint, ...]:
    if told.verdict == "found":
        return ()
    asked = {term for phrasing in phrasings for term in telling_terms(phrasing)}
    hints: list[Hint] = ["synonym"] if told.words and told.words.lacks else []
    hints += ["heading"] if asked.isdisjoint(terms(row.indexed_heading)) else []
    return (*hints, "curated")


def _passage(row: Row[Any], meant: Expected, base: KnowledgeBase) -> Passage:
    document = meant.document
    assert document is not None  # noqa: S101 (what can be found has one)
    place = Place(row.heading, row.page, row.sheet, row.row)
    return Passage(row.id, document.id, document.name, base.name, row.text, 0.0, place)
