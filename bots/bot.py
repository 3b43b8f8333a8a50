"""The bot at work: what comes in is safe before it is acknowledged, and what is under way ends before the process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.jobs.events import JobEvents
from bots.actions import Actions
from bots.answering import Answering
from bots.dingtalk.governor import Governor
from bots.dingtalk.inbox import Inbox, InboxFull
from bots.dingtalk.replies import ACTION_S
from bots.dispatcher import Dispatcher, left_to_the_next_round
from bots.envelope import Written, packed
from bots.handing_over import HandingOver
from bots.job_followers import JobFollowers
from bots.messages import CardAction, Incoming
from bots.ports import Messenger
from bots.recovery import Recovery
from bots.worker import DeliveryWorker

WRITE_SECONDS = 5.0  # after which the console sees what was called
STOP_SECONDS = 3.0  # what is being answered may come to its end; `copilot up` allows 2.5, then the next start goes on

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bot:
    """All parts of one process. ``listen`` is the way in: the stream, or the server of HTTP callbacks."""

    robot: str
    owner: str
    inbox: Inbox
    governor: Governor
    dispatcher: Dispatcher
    answering: Answering
    actions: Actions
    deliveries: DeliveryWorker
    handing_over: HandingOver
    recovery: Recovery
    events: JobEvents
    messenger: Messenger
    followers: JobFollowers
    refuse: Callable[[Incoming], None]

    async def on_message(self, message: Incoming) -> None:
        """Keep a message; → when it is safe. Raises Unavailable."""
        try:
            fresh = await self.enqueue(message.id, message.target.conversation, packed(Written(message)))
        except InboxFull:
            log.warning("message refused, too many wait conversation=%s", message.target.conversation)
            self.refuse(message)
            fresh = True
        if fresh:
            await self.governor.count("stream")

    async def on_action(self, action: CardAction) -> Mapping[str, Any]:
        """A click's answer: the card's new values. What comes too late for that is brought to the card by a call."""
        began = asyncio.get_running_loop().time()
        values = await self.actions.click(action)
        if not values:
            return {}
        if asyncio.get_running_loop().time() - began > ACTION_S:
            await self.messenger.update_card(action.card_id, values, final=True)
        return {"cardUpdateOptions": {"updateCardDataByKey": True}, "cardData": {"cardParamMap": values}}

    async def enqueue(self, message_id: str, conversation: str, payload: bytes) -> bool:
        """Into the inbox, unless it was there before; → whether it was not."""
        return await self.inbox.accept(message_id, conversation, payload)

    async def run(self, listen: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Until ``stop`` is set; then what was begun is brought to an end."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(_coroutine(listen))
            working = tasks.create_task(self.dispatcher.run())
            delivering = tasks.create_task(self.deliveries.run())
            forever = (self.handing_over.run, self.recovery.run, self._stops, self._write_down)
            loops = [tasks.create_task(loop()) for loop in forever]
            await stop.wait()
            log.info("bot stops")
            listening.cancel()
            self.deliveries.stop()
            self.answering.interrupt()
            await self.dispatcher.stop(STOP_SECONDS)
            self.followers.stop()
            for loop in loops:
                loop.cancel()
            await asyncio.gather(working, delivering)

    async def stop_answer(self, reply_id: str) -> None:
        """Stop an answer here, or in whichever process writes it."""
        if not self.answering.stop(reply_id):
            await self.events.announce_cancel(reply_id)

    async def _write_down(self) -> None:
        while True:
            await self.governor.write_down()
            await asyncio.sleep(WRITE_SECONDS)

    async def _stops(self) -> None:
        async for stopped in self.events.cancellations():
            with left_to_the_next_round("stop"):
                self.answering.stop(stopped)


async def _coroutine(listen: Callable[[], Awaitable[None]]) -> None:
    await listen()
