"""Saying that too much waits: once in a while in a conversation, or it would only add to it."""

import asyncio
import time

from bots.dispatcher import left_to_the_next_round
from bots.messages import Incoming
from bots.ports import Messenger
from bots.wording import say
from knowledge.language import language_of

SILENT_SECONDS = 30.0


class Refusals:
    """``tasks`` lives as long as the bot does."""

    def __init__(self, messenger: Messenger, tasks: asyncio.TaskGroup) -> None:
        self._messenger = messenger
        self._tasks = tasks
        self._said: dict[str, float] = {}

    def refuse(self, message: Incoming) -> None:
        """Tell who wrote that this message was not taken."""
        conversation, moment = message.target.conversation, time.monotonic()
        if moment - self._said.get(conversation, -SILENT_SECONDS) < SILENT_SECONDS:
            return
        self._said = {key: at for key, at in self._said.items() if moment - at < SILENT_SECONDS}
        self._said[conversation] = moment
        self._tasks.create_task(self._say(message))

    async def _say(self, message: Incoming) -> None:
        with left_to_the_next_round("refusal"):
            language = language_of(message.text) if message.text.strip() else "zh"
            await self._messenger.say(message.target, say("busy.queue_full", language), mention=True)
