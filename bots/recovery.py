"""Answers that nobody works on any more: their process died, and the inbox has forgotten their message."""

import asyncio
import logging
from datetime import timedelta

from app.channels.replies import Replies, Reply
from app.chat.events import Failed
from bots.answering import Answering, Shown
from bots.dingtalk.inbox import Inbox
from bots.dispatcher import left_to_the_next_round
from bots.messages import Target
from bots.people import CHANNEL
from bots.ports import BudgetSpent, ChannelRefused, Messenger
from bots.wording import say

LOOK_SECONDS = 30.0
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

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with left_to_the_next_round("recovery"):
                await self.sweep()
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self) -> int:
        """→ how many were closed. What is answered now, here or in another process, is in the inbox still."""
        busy = await self._inbox.busy()
        found = [
            reply
            for reply in await self._replies.still_open(CHANNEL, older_than=self._forgotten)
            if reply.kind == "answer" and reply.target.get("conversation") not in busy
        ]
        found = [reply for reply in found if not self._answering.writes(reply.id)]
        for reply in found:
            await self._close(reply)
        for reply in await self._replies.unclosed(CHANNEL):
            await self._end_card(reply)
        return len(found)

    async def _end_card(self, reply: Reply) -> None:
        """Its answer stands in a message below."""
        try:
            await self._messenger.frame(reply.card_id or "", say("answer.below", "zh"), failed=True)
        except BudgetSpent:
            return
        except ChannelRefused as refused:
            log.warning("card given up card=%s code=%s", reply.card_id, refused.error_code)
        await self._replies.card_closed(reply.id)

    async def _close(self, reply: Reply) -> None:
        log.warning("answer closed that nobody works on id=%s", reply.id)
        end = Failed(reply.turn_id or "", "", "interrupted", "")
        await self._answering.finish(Shown(reply, Target.of(reply.target), "zh", 1.0), end, ())
