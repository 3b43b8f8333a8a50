"""A turn that has one reader, who asked for it: when that one leaves, it is stopped."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

from app.chat.events import Event
from app.chat.running import RunningTurns
from app.chat.turns import Turn
from knowledge.errors import NotFound


@asynccontextmanager
async def reading(running: RunningTurns, turn: Turn) -> AsyncIterator[AsyncGenerator[list[tuple[int, Event]], None]]:
    """Begin to answer; batches of numbered events, until the end or until the reader leaves."""
    running.start(turn)
    try:
        async with aclosing(running.read(turn.ask.tenant, turn.id)) as batches:
            yield batches
    finally:
        with suppress(NotFound):  # it ended long ago
            running.stop(turn.ask.tenant, turn.id)  # nothing happens when it has ended


async def read_to_end(running: RunningTurns, turn: Turn) -> AsyncGenerator[Event, None]:
    """Every event, Done or Failed last."""
    async with reading(running, turn) as batches:
        async for batch in batches:
            for _, event in batch:
                yield event
