"""Question → passages: dense and lexical, brought to one order (``fusion.py``), checked against what is live now."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from knowledge.catalog import Catalog, FoundChunk
from knowledge.embedders import Embedders
from knowledge.errors import InvalidInput
from knowledge.fusion import Candidate, compared, fuse, ordered
from knowledge.lexical import LexicalIndex
from knowledge.live_chunks import LiveChunks
from knowledge.models import KnowledgeBase, Passage, StageScores, State
from knowledge.near_copies import folded
from knowledge.ports import Hit, Vector, VectorStore
from knowledge.question import parts_of
from knowledge.rerank import Ranked, Rerank
from knowledge.sections import Sections
from knowledge.synonyms import SynonymBook
from knowledge.vectors import collection_name
from knowledge.weights import SHIPPED, Weights, together

T = TypeVar("T")

HITS_OF_A_SECTION = 2  # on average, at most: so many hits are looked at to have enough passages
COPIES = 3  # of each passage there may be so many, and there are still enough different ones

ENOUGH = 0.6  # of the candidates have to be valid (depths from 30 on are as good as 50), or each stage looks deeper
DEEPER = 4  # times as deep, and again
DEEPEST = 12_800  # of each stage; two of them are below the variables that a statement of SQLite may have


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What was found. ``timings_ms`` has embed, dense, lexical, rerank, sections, total; ``states`` are those searched,
    by kb id. If sections were asked for, ``passages`` have what stands around them, those of one section together, and
    ``hits`` are the chunks that were found; else the passages are the hits.

    ``rarity`` is the inverse document frequency of a term in the knowledge bases searched; ``vector`` the question's
    by the configured embedding model, if any of them stands on it. ``earlier``: some cosines are of another model.
    ``phrasings`` is how the question was searched: as asked, then with synonyms, then each of several questions alone.
    ``weights`` are those it was ordered with.
    ``notes`` are codes of what was left out: ``lexical_only`` (a knowledge base's model is not there any more, and it
    is still on its way to the configured one), ``rerank_…`` (see :mod:`knowledge.rerank`).
    """

    passages: tuple[Passage, ...]
    rarity: Callable[[str], float]
    timings_ms: dict[str, float] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    vector: Vector | None = None
    earlier: bool = False
    notes: tuple[str, ...] = ()
    phrasings: tuple[str, ...] = ()
    weights: Weights = SHIPPED
    hits: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What one phrasing of a question found, in no order yet."""

    candidates: tuple[Candidate, ...]
    live: Mapping[str, FoundChunk]


@dataclass(frozen=True, slots=True)
class Staged:
    """A question after its stages and before its order: :meth:`ranked` gives it one, with any weights."""

    bases: tuple[KnowledgeBase, ...]
    phrasings: tuple[str, ...]
    found: tuple[Found, ...]
    rarity: Callable[[str], float]
    vector: Vector | None = None
    earlier: bool = False
    lexical_only: bool = False

    def ranked(self, weights: Weights, most: int | None) -> list[Passage]:
        """The best passages; each once, as the phrasing found it that values it most."""
        names = {kb.id: kb.name for kb in self.bases}
        return _together([_passages(names, found, weights, most) for found in self.found])


class Retriever:
    """Finds passages in one tenant's knowledge bases."""

    def __init__(
        self,
        catalog: Catalog,
        vectors: VectorStore,
        lexical: LexicalIndex,
        embedders: Embedders,
        *,
        candidates: int = 50,
        rerank: Rerank | None = None,
        synonyms: SynonymBook | None = None,
        sections: Sections | None = None,
    ) -> None:
        self._catalog = catalog
        self._live = LiveChunks(catalog)
        self._vectors = vectors
        self._lexical = lexical
        self._embedders = embedders
        self._candidates = candidates
        self._rerank = rerank
        self._synonyms = synonyms
        self._sections = sections

    async def search(
        self,
        tenant: str,
        question: str,
        *,
        kbs: Sequence[str] | None = None,
        bases: Sequence[KnowledgeBase] | None = None,
        limit: int = 8,
        sections: bool = False,
        whole: bool = False,
    ) -> Retrieval:
        """The best ``limit`` passages of the named knowledge bases (all, when None), or of ``bases``, where those were
        just read; ``sections``: as :class:`Sections` makes them of the hits; ``whole``: what is below, too.

        Raises InvalidInput ``question_empty``, NotFound ``knowledge_base_not_found``, Unavailable
        ``vectors_unavailable`` or ``embedder_…``.
        """
        clock = _Clock()
        wanted = limit * HITS_OF_A_SECTION if sections else limit
        staged = await self.staged(tenant, question, kbs=kbs, bases=bases, limit=wanted, clock=clock)
        weights = together([kb.weights for kb in staged.bases])
        most = None if whole else COPIES * max(wanted, self._rerank.top if self._rerank else 0)
        best = folded(staged.ranked(weights, most))
        ranked = await self._ranked(question.strip(), best, None if whole else wanted, clock)
        passages = await self._around(staged.bases, ranked.passages, limit, clock) if sections else ranked.passages
        clock.total()
        return Retrieval(
            passages,
            staged.rarity,
            clock.laps,
            {kb.id: kb.state for kb in staged.bases},
            staged.vector,
            earlier=staged.earlier,
            notes=(*ranked.notes, *(["lexical_only"] if staged.lexical_only else [])),
            phrasings=staged.phrasings,
            weights=weights,
            hits=ranked.passages if sections else (),
        )

    async def staged(
        self,
        tenant: str,
        question: str,
        *,
        kbs: Sequence[str] | None = None,
        bases: Sequence[KnowledgeBase] | None = None,
        limit: int = 8,
        clock: "_Clock | None" = None,
    ) -> Staged:
        """What each stage finds for a question. Raises as :meth:`search`."""
        question, clock = question.strip(), clock or _Clock()
        if not question:
            raise InvalidInput("The question is empty.", code="question_empty")
        if bases is None:
            bases = await self._catalog.named(tenant, kbs)
        current = self._embedders.current.model_id
        models = {kb.embedding_model for kb in bases} or {current}
        phrasings = await self._phrasings(tenant, bases, question)
        vectors = [await self._embedders.questions(models, phrasing) for phrasing in phrasings]
        clock.lap("embed")
        searched = zip(phrasings, vectors, strict=True)
        found = await _all([self._found(bases, *each, limit=limit, clock=clock) for each in searched])
        return Staged(
            tuple(bases),
            tuple(phrasings),
            tuple(found),
            self._lexical.rarity(bases),
            vectors[0].get(current),
            earlier=any(model != current for model in vectors[0]),
            lexical_only=len(vectors[0]) < len(models),
        )

    async def _phrasings(self, tenant: str, bases: Sequence[KnowledgeBase], question: str) -> list[str]:
        known = await self._synonyms.of(tenant, bases) if self._synonyms else None
        parts = parts_of(question)
        others = [*(known.phrasings(question) if known and not parts else []), *parts]
        return list(dict.fromkeys([question, *others]))

    async def _found(
        self,
        bases: Sequence[KnowledgeBase],
        question: str,
        vectors: Mapping[str, Vector],
        *,
        limit: int,
        clock: "_Clock",
    ) -> Found:
        """By one phrasing."""
        dense, lexical, live = await self._candidates_of(bases, question, vectors, limit=limit, clock=clock)
        depth = max(self._candidates, limit)
        candidates = fuse([hits[:depth] for hits in dense], lexical[:depth])
        return Found(tuple(compared(question, candidates, live)), live)

    async def _around(
        self, bases: Sequence[KnowledgeBase], hits: tuple[Passage, ...], limit: int, clock: "_Clock"
    ) -> tuple[Passage, ...]:
        if self._sections is None:
            return hits[:limit]
        return await clock.timed("sections", self._sections.around(bases, hits, limit=limit))

    async def _ranked(self, question: str, passages: list[Passage], limit: int | None, clock: "_Clock") -> Ranked:
        if self._rerank is None:
            return Ranked(tuple(passages[:limit]))
        best = passages if limit is None else passages[: max(limit, self._rerank.top)]
        ranked = await clock.timed("rerank", self._rerank.order(question, best))
        return replace(ranked, passages=ranked.passages[:limit])

    async def _candidates_of(
        self,
        bases: Sequence[KnowledgeBase],
        question: str,
        vectors: Mapping[str, Vector],
        *,
        limit: int,
        clock: "_Clock",
    ) -> tuple[list[list[Hit]], list[Hit], dict[str, FoundChunk]]:
        """What each stage finds and is valid now (by vector: for each embedding model, their cosines are not to be
        compared); a vector or posting of what is not valid ends here.

        Where much of it is not valid, the stages look deeper: a thousand expired promotions hide no valid one.
        """
        depth = self._candidates
        enough = min(depth, max(limit, round(ENOUGH * depth)))
        while True:
            dense, lexical = await asyncio.gather(
                clock.timed("dense", self._dense(bases, vectors, depth)),
                self._read_words(bases, question, depth, clock),
            )
            stages = [*dense, lexical]
            live = await self._live.of(bases, _ids(stages))
            starved = any(_starved(stage, live, depth=depth, enough=enough) for stage in stages)
            if not starved or depth >= DEEPEST:
                return [_best(stage, live) for stage in dense], _best(lexical, live), live
            depth = min(depth * DEEPER, DEEPEST)

    async def _dense(
        self, bases: Sequence[KnowledgeBase], vectors: Mapping[str, Vector], depth: int
    ) -> list[list[list[Hit]]]:
        """By embedding model, by knowledge base."""

        async def nearest(model: str, vector: Vector) -> list[list[Hit]]:
            mine = [kb for kb in bases if kb.embedding_model == model]
            return await _all([self._vectors.query(collection_name(kb), vector, depth) for kb in mine])

        return await _all([nearest(model, vector) for model, vector in vectors.items()])

    async def _read_words(
        self, bases: Sequence[KnowledgeBase], question: str, depth: int, clock: "_Clock"
    ) -> list[list[Hit]]:
        """What words find is read at once: the vector store takes longer, and then less is left to be read.

        Both while the question is embedded is no quicker: the embedder then takes 6.6 ms, not 5.5, on two cores.
        """
        found = await clock.timed("lexical", self._words(bases, question, depth))
        await self._live.of(bases, _ids([found]))
        return found

    async def _words(self, bases: Sequence[KnowledgeBase], question: str, depth: int) -> list[list[Hit]]:
        return await _all([self._lexical.search(kb, question, depth) for kb in bases])


async def _all(searches: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """At once; one alone without a task of its own, which would wait for its turn."""
    return [await searches[0]] if len(searches) == 1 else await asyncio.gather(*searches)


def _ids(stages: Sequence[Sequence[Sequence[Hit]]]) -> list[str]:
    return list(dict.fromkeys(hit.chunk_id for stage in stages for found in stage for hit in found))


def _starved(found: Sequence[Sequence[Hit]], live: Mapping[str, FoundChunk], *, depth: int, enough: int) -> bool:
    """Whether too few of a knowledge base's hits are valid, and there may be more behind them."""
    return any(len(hits) >= depth and sum(hit.chunk_id in live for hit in hits) < enough for hits in found)


def _best(found: Sequence[Sequence[Hit]], live: Mapping[str, FoundChunk]) -> list[Hit]:
    return sorted((hit for hits in found for hit in hits if hit.chunk_id in live), key=lambda hit: -hit.score)


def _together(found: Sequence[list[Passage]]) -> list[Passage]:
    """Each passage once, as the phrasing found it that values it most."""
    if len(found) == 1:
        return found[0]
    best: dict[str, Passage] = {}
    for passage in (passage for passages in found for passage in passages):
        if passage.chunk_id not in best or passage.score > best[passage.chunk_id].score:
            best[passage.chunk_id] = passage
    return sorted(best.values(), key=lambda passage: (-passage.score, passage.chunk_id))


def _passages(names: Mapping[str, str], found: Found, weights: Weights, most: int | None) -> list[Passage]:
    return [
        Passage(
            chunk_id=one.chunk_id,
            document_id=there.chunk.document_id,
            document=there.document,
            kb=names[there.kb_id],
            text=there.chunk.text,
            score=score,
            place=there.chunk.place,
            scores=StageScores(one.cosine, one.dense_rank, one.bm25, one.lexical_rank),
        )
        for score, one in ordered(found.candidates, found.live, weights)[:most]
        for there in (found.live[one.chunk_id],)
    ]


class _Clock:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._start = self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round((now - self._last) * 1000, 2)
        self._last = now

    async def timed(self, name: str, work: Awaitable[T]) -> T:
        start = time.perf_counter()
        result = await work
        self.laps[name] = round(self.laps.get(name, 0.0) + (time.perf_counter() - start) * 1000, 2)
        return result

    def total(self) -> None:
        self.laps["total"] = round((time.perf_counter() - self._start) * 1000, 2)
