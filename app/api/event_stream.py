"""Server-sent events that are bytes already."""

from collections.abc import AsyncIterable

from sse_starlette import EventSourceResponse
from starlette.types import Message, Send

PING_SECONDS = 15


class EventStream(EventSourceResponse):
    """With a comment now and then, so that nobody between us and the reader thinks that we are gone."""

    def __init__(self, frames: AsyncIterable[bytes]) -> None:
        super().__init__(frames, ping=PING_SECONDS)

    async def _send_with_timeout(self, send: Send, message: Message) -> None:
        """There is none: a scope for one, made for every frame, takes longer than everything else here."""
        await send(message)
