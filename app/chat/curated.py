"""Which curated answer a question gets: one whose question, or another wording of it, asks the same.

The same after normalisation, or by the rules of :mod:`app.chat.same_question` (numbers, codes, negation, names), as the
answer cache's. Those rules ask for the same words, in the same order or with two parts exchanged: so what can match is
looked up by its words, however many there are, and a cosine is asked for only where parts were exchanged.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.chat.cache import normalised
from app.chat.condense import refers
from app.chat.history import PastTurn
from app.chat.same_question import Words, read, same
from app.chat.turns import Turn
from knowledge.catalog import Catalog
from knowledge.curated import CuratedAnswer, CuratedAnswers
from knowledge.database import now
from knowledge.ports import Embedder

MOST_TENANTS = 256  # whose answers are held in memory


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to ask for a curated answer."""

    text: str
    words: Words
    answer: CuratedAnswer


@dataclass(frozen=True, slots=True)
class _Index:
    """All wordings of a tenant's live answers, as of a revision; ``unordered`` by their words in sorted order."""

    revision: int
    by_text: Mapping[str, Sequence[Wording]] = field(default_factory=dict)
    unordered: Mapping[Words, Sequence[Wording]] = field(default_factory=dict)
    words: Mapping[str, Words] = field(default_factory=dict)


class CuratedMatches:
    """``known_scale``: the embedder's cosines are of the model that the rules were made with."""

    def __init__(
        self,
        answers: CuratedAnswers,
        catalog: Catalog,
        embedder: Embedder,
        *,
        known_scale: bool,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._clock = clock
        self._answers = answers
        self._catalog = catalog
        self._embedder = embedder
        self._known_scale = known_scale
        self._indexes: dict[str, _Index] = {}
        self._building = asyncio.Lock()

    async def reply(self, turn: Turn, past: Sequence[PastTurn]) -> str | None:
        """The answer that people wrote to this turn's question as it is read so far; the turn is marked.

        None for pictures and for a client's tools, and for what a follow-up says of something named before.
        """
        ask = turn.ask
        if ask.attachments or (ask.brought is not None and (ask.brought.tools or ask.brought.since)):
            return None
        if past and turn.condensed == ask.question.strip() and refers(turn.condensed):
            return None
        found = await self.match(ask.tenant, turn.condensed, ask.kbs)
        if found is None:
            return None
        turn.curated = found.id
        return found.answer

    async def match(self, tenant: str, question: str, kbs: Sequence[str] | None) -> CuratedAnswer | None:
        """A live, valid answer of one of these knowledge bases (of all, when None), or of every knowledge base.

        Where several match, the wording that is nearest wins, then what belongs to a knowledge base, then the newest.
        """
        index = await self._index(tenant)
        if not index.by_text:
            return None
        for group in (index.by_text.get(normalised(question), ()), await self._asking_the_same(index, question)):
            if found := await self._usable(tenant, group, kbs):
                return found
        return None

    async def _asking_the_same(self, index: _Index, question: str) -> list[Wording]:
        """Those in the same order first."""
        words = read(question)
        near = index.unordered.get(tuple(sorted(words)), ()) if words else ()
        ordered = [each for each in near if each.words == words]
        if not self._known_scale or len(ordered) == len(near):
            return ordered
        cosines = await asyncio.to_thread(self._cosines, question, [each.text for each in near])
        pairs = zip(near, cosines, strict=True)
        return ordered + [each for each, cosine in pairs if each.words != words and same(words, each.words, cosine)]

    def _cosines(self, question: str, others: Sequence[str]) -> list[float]:
        vector = self._embedder.embed_query(question)
        return [float(vector @ self._embedder.embed_query(other)) for other in others]

    async def _usable(
        self, tenant: str, wordings: Sequence[Wording], kbs: Sequence[str] | None
    ) -> CuratedAnswer | None:
        moment = self._clock()
        valid = [each.answer for each in wordings if each.answer.valid(moment)]
        if not valid:
            return None
        bases = await self._catalog.named(tenant, kbs)
        asked = {name for kb in bases for name in (kb.id, kb.name)}
        of_asked = [each for each in valid if each.knowledge_bases and not asked.isdisjoint(each.knowledge_bases)]
        return next(iter([*of_asked, *(each for each in valid if each.knowledge_bases is None)]), None)

    async def _index(self, tenant: str) -> _Index:
        """As of now, whichever process changed something."""
        revision = await self._answers.revision(tenant)
        known = self._indexes.get(tenant)
        if known is not None and known.revision == revision:
            return known
        async with self._building:
            known = self._indexes.pop(tenant, _Index(-1))
            if known.revision != revision:
                live = await self._answers.live(tenant) if revision else []
                known = await asyncio.to_thread(_indexed, live, revision, known.words)
            self._indexes[tenant] = known
            if len(self._indexes) > MOST_TENANTS:
                del self._indexes[next(iter(self._indexes))]
            return known


def _indexed(answers: Sequence[CuratedAnswer], revision: int, known: Mapping[str, Words]) -> _Index:
    """``known`` are words that were read before: of thousands of answers one has changed."""
    by_text: dict[str, list[Wording]] = {}
    unordered: dict[Words, list[Wording]] = {}
    words: dict[str, Words] = {}
    for answer in answers:
        for text in answer.wordings:
            words[text] = known[text] if text in known else read(text)
            wording = Wording(text, words[text], answer)
            by_text.setdefault(normalised(text), []).append(wording)
            if wording.words:
                unordered.setdefault(tuple(sorted(wording.words)), []).append(wording)
    return _Index(revision, by_text, unordered, words)
