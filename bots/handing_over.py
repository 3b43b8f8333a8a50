"""Questions to people, and their replies back to whoever asked. The rows say what is to be brought; nothing else does.

A row is marked before its message is sent, so that two processes never bring the same; what surely did not arrive is
unmarked, or kept for the asker's next message.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from app.channels.groups import Group, Groups
from app.channels.handoffs import Handoff, Handoffs
from app.channels.replies import Replies, Reply
from bots.dispatcher import left_to_the_next_round
from bots.files import place_of
from bots.messages import Target
from bots.people import CHANNEL
from bots.ports import BudgetSpent, ChannelRefused, Messenger, kept_as
from bots.wording import say
from knowledge.database import now
from knowledge.errors import Unavailable
from knowledge.language import language_of

HANDOFF = "handoff"  # the kind of a reply that people gave
LOOK_SECONDS = 2.0
PAUSE_SECONDS, LONGEST_SECONDS = 30.0, 3600.0  # before an announcement that failed is tried again
NEWS = timedelta(days=3)  # what waits longer is not announced any more; the console has it
SHOWN_EVIDENCE = 3
EXCERPT = 160  # characters of a passage

log = logging.getLogger(__name__)


class HandingOver:
    """Brings questions to the operators' group and replies to the askers."""

    def __init__(
        self,
        handoffs: Handoffs,
        groups: Groups,
        replies: Replies,
        messenger: Messenger,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._handoffs = handoffs
        self._groups = groups
        self._replies = replies
        self._messenger = messenger
        self._news = asyncio.Event()
        self._due: dict[str, tuple[float, float]] = {}  # handoff → when, and the pause after that

    def nudge(self) -> None:
        """There is something to bring."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._news.clear()
            with left_to_the_next_round("handoffs"):
                await self.bring()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def bring(self) -> None:
        """All that waits now."""
        groups: dict[str, Group | None] = {}
        for handoff in await self._handoffs.unannounced(CHANNEL, since=now() - NEWS):
            if self._clock() < self._due.get(handoff.id, (0.0, 0.0))[0]:
                continue
            if handoff.tenant not in groups:
                groups[handoff.tenant] = await self._groups.operators(handoff.tenant)
            await self._announce(handoff, groups[handoff.tenant])
        for handoff in await self._handoffs.untold(CHANNEL):
            await self._tell(handoff)

    async def _announce(self, handoff: Handoff, group: Group | None) -> None:
        if group is None or not await self._handoffs.announced(handoff.id):
            return  # without a group the question waits in the console
        place = Target("group", group.group_id, group.organisation)
        try:
            await self._messenger.say(place, _announcement(handoff), title=handoff.question[:40])
        except asyncio.CancelledError:  # this process ends: twice is better than never
            await self._handoffs.not_announced(handoff.id)
            raise
        except (Unavailable, ChannelRefused, BudgetSpent) as error:
            log.warning("handoff not announced number=%d code=%s", handoff.number, error.error_code)
            if error.error_code != "delivery_unknown":
                _, pause = self._due.get(handoff.id, (0.0, PAUSE_SECONDS))
                self._due[handoff.id] = (self._clock() + pause, min(LONGEST_SECONDS, pause * 2))
                await self._handoffs.not_announced(handoff.id)
        else:
            self._due.pop(handoff.id, None)

    async def _tell(self, handoff: Handoff) -> None:
        """One process's to say. If it dies before that, recovery has it said with the asker's next message; if it dies
        over that, the asker is told how to get it."""
        target, language = Target.of(handoff.target), language_of(handoff.question)
        text = say("handoff.reply", language, question=handoff.question, reply=handoff.reply or "")
        place = place_of(target, handoff.asker or "")
        reply = Reply(handoff.id, handoff.tenant, CHANNEL, HANDOFF, place, target.json(), "markdown", "note", text=text)
        await self._replies.open(reply)
        if not await self._handoffs.told(handoff.id):
            return
        if not await self._replies.sending(handoff.id, text):
            return
        state: Literal["done", "stored", "unsure"] = "unsure"
        try:
            await self._messenger.say(target, text, mention=True)
            state = "done"
        except (Unavailable, ChannelRefused, BudgetSpent) as error:
            log.warning("reply kept for the next message number=%d code=%s", handoff.number, error.error_code)
            state = kept_as(error)
        finally:
            await self._replies.close(handoff.id, state)


def _announcement(handoff: Handoff) -> str:
    language = language_of(handoff.question)
    evidence = "\n".join(
        f"- {passage.get('document', '')}: {str(passage.get('text', ''))[:EXCERPT]}"
        for passage in handoff.evidence[:SHOWN_EVIDENCE]
    )
    return say(
        "handoff.announcement",
        language,
        number=handoff.number,
        asker=handoff.asker or "–",
        question=handoff.question,
        answer=handoff.answer or "–",
        evidence=evidence or "–",
    )
