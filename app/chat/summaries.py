"""Rolling summaries: what no longer fits of a conversation, in a few sentences; made after a turn, never before one.

The summary is kept with the conversation, with the turn that it reaches to. Once what was said after that turn is
longer than what is sent, all but the newest half of it is added to the summary in one call of the model, so that there
is one call for several turns. Where there is none yet, or the model fails, older turns are left out; nothing waits.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from app.chat.answerers import ModelAnswerer
from app.chat.background import Background
from app.chat.history import Conversations, PastTurn
from app.chat.measure import Measure
from app.llm.logged import CallBook
from app.llm.ports import TextDelta
from app.llm.prompts import PromptTemplate

MOST_TOKENS = 400  # of a summary
MOST_ANSWER = 1500  # characters of an answer that is summed up
LONGEST = 3000  # characters of a summary; one that is longer is none

log = logging.getLogger(__name__)


class Summaries:
    """One at a time of a conversation; across processes the first one that is kept counts."""

    def __init__(
        self,
        background: Background,
        conversations: Conversations,
        answerer: ModelAnswerer,
        *,
        template: PromptTemplate,
        measure: Measure,
        calls: CallBook,
    ) -> None:
        self._background = background
        self._conversations = conversations
        self._answerer = answerer
        self._template = template
        self._measure = measure
        self._calls = calls
        self._busy: set[str] = set()

    def begin(self, tenant: str, conversation_id: str) -> None:
        """Sum up what has become too long, unless that is being done."""
        if conversation_id not in self._busy:
            self._busy.add(conversation_id)
            self._background.begin(self._run(tenant, conversation_id), name=f"summary {conversation_id}")

    async def _run(self, tenant: str, conversation_id: str) -> None:
        try:
            await self._sum_up(tenant, conversation_id)
        finally:
            self._busy.discard(conversation_id)

    async def _sum_up(self, tenant: str, conversation_id: str) -> None:
        found = await self._conversations.past(tenant, conversation_id)
        turns = [turn for turn in found if not turn.summary]
        keep, total = await asyncio.to_thread(self._measure.newest, turns, self._measure.tokens // 2)
        older = turns[: len(turns) - keep]
        if total <= self._measure.tokens or not older:
            return
        before = next((turn.answer for turn in found if turn.summary), "")
        text = await self._written(tenant, before, older)
        if not 0 < len(text) <= LONGEST:
            log.warning("conversation not summed up id=%s characters=%d", conversation_id, len(text))
            return
        await self._conversations.keep_summary(conversation_id, text, to=older[-1].id, instead_of=before)

    async def _written(self, tenant: str, before: str, older: Sequence[PastTurn]) -> str:
        model = self._calls.of(tenant).through(self._answerer.model, self._template)
        said = "\n".join(f"问：{turn.question}\n答：{turn.answer[:MOST_ANSWER]}" for turn in older)
        messages = self._template.render(summary=before or "（还没有）", said=said)
        async with aclosing(model.stream(messages, temperature=0.0, max_tokens=MOST_TOKENS)) as deltas:
            return "".join([delta.text async for delta in deltas if isinstance(delta, TextDelta)]).strip()
