"""What of a conversation a new question is read with: the newest turns that fit, after a summary of those before."""

import asyncio

from app.chat.history import Conversations, PastTurn
from app.chat.measure import Measure
from app.chat.summaries import Summaries
from app.chat.turns import Turn


class Recall:
    """``summaries`` None is plain trimming: without a model, or where they are switched off."""

    def __init__(self, conversations: Conversations, measure: Measure, summaries: Summaries | None = None) -> None:
        self._conversations = conversations
        self._measure = measure
        self._summaries = summaries

    async def past(self, turn: Turn) -> list[PastTurn]:
        """For a turn that is about to be answered, oldest first; of those that the client brought, the same."""
        ask = turn.ask
        if ask.brought is not None:
            found = list(ask.brought.past)
        elif ask.conversation_id is None:
            return []
        else:
            found = await self._conversations.past(ask.tenant, turn.conversation_id, without=ask.regenerates)
        summary, turns = [each for each in found if each.summary], [each for each in found if not each.summary]
        if not turns:
            return found
        fit, turn.past_tokens = await asyncio.to_thread(self._measure.newest, turns, self._measure.tokens)
        return [*summary, *turns[len(turns) - fit :]]

    def answered(self, turn: Turn) -> None:
        """A turn has ended: what has become too long is summed up, behind everybody's back."""
        if self._summaries is None or turn.ask.brought is not None or not turn.past_tokens:
            return
        said = PastTurn(turn.ask.question, "".join(turn.text))
        if turn.past_tokens + self._measure.of(said) > self._measure.tokens:
            self._summaries.begin(turn.ask.tenant, turn.conversation_id)
