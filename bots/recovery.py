"""Answers that nobody works on any more: their process died, and the inbox has forgotten their message."""

import asyncio
import logging
import math
import time
from datetime import timedelta

from app.channels.replies import Replies, Reply
from app.chat.events import Failed
from bots.answering import Answering, Shown, end_guid
from bots.dingtalk import cards
from bots.dingtalk.inbox import Inbox
from bots.dispatcher import left_to_the_next_round
from bots.handing_over import HANDOFF
from bots.messages import Target, language_in
from bots.people import CHANNEL
from bots.ports import BudgetSpent, ChannelRefused, Messenger
from bots.wording import say
from knowledge.language import Language

LOOK_SECONDS = 30.0
LONGEST_SECONDS = 3600.0  # between two tries to end a card: each costs calls
FORGOTTEN = timedelta(minutes=10)  # a message that is still known is answered again long before

log = logging.getLogger(__name__)


class Recovery:
    """Closes them with an honest note, so that no card stays half-way for ever."""

    def __init__(
        self,
        replies: Replies,
        inbox: Inbox,
        answering: Answering,
        messenger: Messenger,
        *,
        forgotten: timedelta = FORGOTTEN,
    ) -> None:
        self._replies = replies
        self._inbox = inbox
        self._messenger = messenger
        self._answering = answering
        self._forgotten = forgotten
        self._due: dict[str, tuple[float, float]] = {}  # reply → when, and the pause after that

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with left_to_the_next_round("recovery"):
                await self.sweep(at=time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self, *, at: float = math.inf) -> int:
        """→ how many were closed. What is answered now, here or in another process, is in the inbox still.

        A card that could not be ended is tried again later and later; at the end of time, all are.
        """
        busy = await self._inbox.busy()
        found = [
            reply
            for reply in await self._replies.still_open(CHANNEL, "answer", older_than=self._forgotten)
            if reply.target.get("conversation") not in busy
        ]
        found = [reply for reply in found if not self._answering.writes(reply.id)]
        for reply in found:
            await self._close(reply)
        for reply in await self._replies.still_open(CHANNEL, HANDOFF, older_than=self._forgotten):
            await self._replies.close(reply.id, "stored")
        for reply in await self._replies.being_sent(CHANNEL, older_than=self._forgotten):
            if reply.target.get("conversation") not in busy:
                await self._replies.give_up_sending(reply)
        for reply in await self._replies.unclosed(CHANNEL):
            due, pause = self._due.get(reply.id, (0.0, LOOK_SECONDS))
            if at >= due:
                self._due[reply.id] = (at + pause, min(LONGEST_SECONDS, pause * 2))
                with left_to_the_next_round("card"):
                    await self._end_card(reply)
        return len(found)

    async def _end_card(self, reply: Reply) -> None:
        """Its answer stands in a message. If it had ended after all, it stays as it is."""
        card_id, language = reply.card_id or "", language_in(reply.target)
        try:
            if reply.kind == "job":
                await self._messenger.update_card(card_id, cards.job_elsewhere(language), final=True)
            else:
                await self._end_answer(card_id, language)
        except BudgetSpent:
            return
        except ChannelRefused as refused:
            log.warning("card given up card=%s code=%s", reply.card_id, refused.error_code)
        await self._replies.card_closed(reply.id)
        self._due.pop(reply.id, None)

    async def _end_answer(self, card_id: str, language: Language) -> None:
        await self._messenger.frame(card_id, say("answer.below", language), failed=True, guid=end_guid(card_id))
        with left_to_the_next_round("buttons"):
            await self._messenger.update_card(card_id, cards.answer_closing(language, "failed", ()))

    async def _close(self, reply: Reply) -> None:
        log.warning("answer closed that nobody works on id=%s", reply.id)
        end = Failed(reply.turn_id or "", "", "interrupted", "")
        await self._answering.finish(Shown(reply, Target.of(reply.target), language_in(reply.target), 1.0), end, ())
