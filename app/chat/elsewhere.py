"""A turn that another process writes, read from its stream: to its end, or to a clear one when the stream is gone."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator

from app.chat.events import Failed
from app.chat.frames import Frame, framed, without
from app.chat.history import Conversations
from app.chat.service import interrupted
from app.chat.streams import TurnStreams
from knowledge.errors import NotFound, Unavailable

AGAIN_SECONDS = 1.0
AWAY_SECONDS = 60.0  # that a reader waits for a store that does not answer
LOST_SECONDS = 10.0  # and for a stream that the store has lost: whoever writes it publishes it again on the next word

log = logging.getLogger(__name__)


class Elsewhere:
    """Turns as the store has them."""

    def __init__(self, streams: TurnStreams, conversations: Conversations) -> None:
        self._streams = streams
        self._conversations = conversations

    async def exists(self, tenant: str, turn_id: str) -> bool:
        """False also while the store is away."""
        try:
            return await self._streams.exists(tenant, turn_id)
        except Unavailable:
            return False

    async def frames(self, tenant: str, turn_id: str, *, after: int = 0) -> AsyncGenerator[list[Frame], None]:
        """Those after an event, in batches of what is there. The last one ends it, whatever happens to the store."""
        well = time.monotonic()
        while True:
            end: Failed | None = None
            batch: list[Frame] | None = None
            try:
                await self._streams.say("read", turn_id)
                batch = await self._streams.read(tenant, turn_id, after=after)
            except Unavailable as error:
                log.warning("turn not read id=%s: %s", turn_id, error.params.get("reason"))
                if time.monotonic() - well > AWAY_SECONDS:
                    end = Failed(turn_id, "", error.error_code, error.message)
            else:
                end = await self._gone(tenant, turn_id, time.monotonic() - well) if batch is None else None
            if end is not None:
                yield [framed([(after + 1, end)])]
                return
            if batch is None:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            well = time.monotonic()
            if batch:  # of a frame that holds several events, or was published again, a reader may have some
                yield [without(batch[0], after), *batch[1:]]
                after = batch[-1].number
                if batch[-1].last:
                    return

    async def _gone(self, tenant: str, turn_id: str, seconds: float) -> Failed | None:
        """The end of a turn without a stream; None while it may come back."""
        try:
            turn = await self._conversations.turn(tenant, turn_id)
        except NotFound as deleted:
            return Failed(turn_id, "", deleted.error_code, deleted.message)
        return interrupted(turn_id, turn.conversation_id) if seconds > LOST_SECONDS else None
