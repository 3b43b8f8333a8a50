"""What operators do: they write answers, publish and retire them, and deal with what could not be answered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.chat.curated import CuratedMatches
from app.chat.gaps import Gap, Gaps
from knowledge.catalog import Catalog
from knowledge.curated import CuratedAnswer, CuratedAnswers, CuratedState
from knowledge.curated_draft import CuratedDraft
from knowledge.errors import Conflict, NotFound

GAPS = "gaps"  # in an answer's source: turns whose gaps it was written for


class Curation:
    """An answer that is live closes the gaps it was written for, and every other one that it answers."""

    def __init__(self, answers: CuratedAnswers, matches: CuratedMatches, gaps: Gaps, catalog: Catalog) -> None:
        self.answers = answers
        self.gaps = gaps
        self._matches = matches
        self._catalog = catalog

    async def create(
        self, tenant: str, draft: CuratedDraft, *, live: bool, by: str | None, source: Mapping[str, Any]
    ) -> CuratedAnswer:
        """Raises NotFound ``knowledge_base_not_found``, and what :meth:`CuratedDraft.checked` raises."""
        draft = await self._named(tenant, draft)
        made = await self.answers.create(tenant, draft, state="live" if live else "proposed", source=source, by=by)
        return await self._answering(made, by)

    async def edit(self, tenant: str, answer_id: str, draft: CuratedDraft, *, by: str | None) -> CuratedAnswer:
        """Raises NotFound ``curated_not_found`` or ``knowledge_base_not_found``, and what the draft's check raises."""
        known = await self.answers.get(tenant, answer_id)
        if draft.knowledge_bases != known.knowledge_bases:  # one that is gone since may stay
            draft = await self._named(tenant, draft)
        return await self._answering(await self.answers.edit(tenant, answer_id, draft, by=by), by)

    async def set_state(self, tenant: str, answer_id: str, state: CuratedState, *, by: str | None) -> CuratedAnswer:
        """Publish, retire, put back; counts from the next question on. Raises NotFound ``curated_not_found``."""
        return await self._answering(await self.answers.set_state(tenant, answer_id, state, by=by), by)

    async def resolve(self, tenant: str, gap_id: str, answer_id: str, *, by: str | None) -> int:
        """Close a gap, with those alike, because a curated answer answers it; → how many.

        Raises NotFound ``gap_not_found`` or ``curated_not_found``, Conflict ``curated_not_live``.
        """
        cluster = await self.gaps.cluster(tenant, gap_id)
        if (await self.answers.get(tenant, answer_id)).state != "live":
            raise Conflict("This curated answer is not live.", code="curated_not_live")
        return await self.gaps.resolve(tenant, [gap.turn_id for gap in cluster.gaps], answer_id, by=by)

    async def dismiss(self, tenant: str, gap_id: str, *, by: str | None) -> int:
        """Close a gap, with those alike, without an answer; → how many. Raises NotFound ``gap_not_found``."""
        cluster = await self.gaps.cluster(tenant, gap_id)
        return await self.gaps.dismiss(tenant, [gap.turn_id for gap in cluster.gaps], by=by)

    async def _named(self, tenant: str, draft: CuratedDraft) -> CuratedDraft:
        """Knowledge bases by their names."""
        if not draft.knowledge_bases:
            return draft
        names = [kb.name for kb in await self._catalog.named(tenant, draft.knowledge_bases)]
        return replace(draft, knowledge_bases=tuple(names))

    async def _answering(self, answer: CuratedAnswer, by: str | None) -> CuratedAnswer:
        if answer.state == "live":
            answered = [gap.turn_id for gap in await self.gaps.open(answer.tenant) if await self._answers(answer, gap)]
            meant: Sequence[str] = answer.source.get(GAPS, ())
            if closing := [*meant, *answered]:
                await self.gaps.resolve(answer.tenant, closing, answer.id, by=by)
        return answer

    async def _answers(self, answer: CuratedAnswer, gap: Gap) -> bool:
        try:
            found = await self._matches.match(answer.tenant, gap.question, gap.knowledge_bases)
        except NotFound:  # the knowledge base that was asked is gone
            return False
        return found is not None and found.id == answer.id
