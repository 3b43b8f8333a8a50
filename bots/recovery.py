"""Answers that nobody works on any more: their process died, and the inbox has forgotten their message."""

import asyncio
import logging
from datetime import timedelta

from app.channels.replies import Replies, Reply
from app.chat.events import Failed
from bots.answering import Answering, Shown
from bots.dispatcher import left_to_the_next_round
from bots.messages import Target
from bots.people import CHANNEL

LOOK_SECONDS = 30.0
FORGOTTEN = timedelta(minutes=10)  # a message that is still known is answered again long before

log = logging.getLogger(__name__)


class Recovery:
    """Closes them with an honest note, so that no card stays half-way for ever."""

    def __init__(self, replies: Replies, answering: Answering, *, forgotten: timedelta = FORGOTTEN) -> None:
        self._replies = replies
        self._answering = answering
        self._forgotten = forgotten

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with left_to_the_next_round("recovery"):
                await self.sweep()
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self) -> int:
        """→ how many were closed."""
        found = [
            reply
            for reply in await self._replies.still_open(CHANNEL, older_than=self._forgotten)
            if reply.kind == "answer" and not self._answering.writes(reply.id)
        ]
        for reply in found:
            await self._close(reply)
        return len(found)

    async def _close(self, reply: Reply) -> None:
        log.warning("answer closed that nobody works on id=%s", reply.id)
        end = Failed(reply.turn_id or "", "", "interrupted", "")
        await self._answering.finish(Shown(reply, Target.of(reply.target), "zh", 1.0), end, ())
