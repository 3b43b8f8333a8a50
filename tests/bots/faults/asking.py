"""Questions to a bot, and what people got for them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from app.channels.replies import Reply
from bots.dingtalk.attempts import Patience
from bots.dingtalk.stream import Pace
from bots.envelope import reply_id
from bots.sandbox.cards import CardState
from bots.sandbox.chat import Message
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push
from bots.wiring import Tempo
from knowledge.vectors import MemoryVectors
from tests.bots.house import House, TypingModel, bot_of, take_in_returns, user
from tests.e2e.redis_server import RedisServer

QUESTION = "退货期限是几天？"
ANSWER = "签收后 7 天内可以退货 [1]。退回运费由买家承担，质检通过后 3 个工作日内退款 [1]。"
HURRIED = Tempo(
    call_s=2.0,
    patience=Patience(first_s=0.05, longest_s=0.4),
    pace=Pace(first=0.02, longest=0.2, lasted=30.0, ping=1.0, idle=20.0, open=5.0),
)
LONG = 30.0  # seconds: what takes one may take longer on a busy machine
_ENDED = ("done", "failed", "stored", "unclosed", "unsure")


@asynccontextmanager
async def bots_of(
    count: int, gateway: Gateway, data: Path, *, redis: RedisServer, model: TypingModel, **more: object
) -> AsyncIterator[House]:
    """So many processes, as far as they know: one Redis, one database, a connection each. → the first."""
    shared = {"model": model, "redis_url": redis.url, "vectors": MemoryVectors(), "tempo": HURRIED, **more}
    async with AsyncExitStack() as running:
        houses = [await running.enter_async_context(bot_of(gateway, data, **shared)) for _ in range(count)]  # type: ignore[arg-type]
        await take_in_returns(houses[0])
        await gateway.connected(count, LONG)
        yield houses[0]


async def ask(house: House, place: Conversation, text: str = QUESTION, who: str = "u1", **more: object) -> Push:
    """Somebody asks; → when it was sent."""
    return await house.gateway.push_bot(place, user(house.gateway, who), text, **more)  # type: ignore[arg-type]


async def reconnected(house: House) -> None:
    """When both sides have a connection."""
    await house.gateway.wait_for(lambda: house.gateway.connections and house.stream.health.state == "connected", LONG)


async def growing(house: House, push: Push, frames: int = 1) -> CardState:
    """The card of a message, when it has begun to grow."""
    await house.gateway.wait_for(lambda: (card := card_of(house.gateway, push)) and len(card.frames) >= frames, LONG)
    card = card_of(house.gateway, push)
    assert card is not None
    assert card.state == "INPUTING"
    return card


async def ended(house: House, push: Push) -> Reply:
    """What was shown for a message, when that will not change any more."""
    async with asyncio.timeout(LONG):
        while True:
            reply = await house.services.replies.find(_id(house.gateway, push))
            if reply is not None and reply.state in _ENDED:
                return reply
            await asyncio.sleep(0.05)


async def all_ended(house: House, pushes: Sequence[Push]) -> list[Reply]:
    return [await ended(house, push) for push in pushes]


def card_of(gateway: Gateway, push: Push) -> CardState | None:
    return gateway.cards.get(_id(gateway, push))


def messages_in(gateway: Gateway, place: Conversation) -> list[Message]:
    """What the robot said in a place, cards left out."""
    return [message for message in gateway.messages if message.conversation.id == place.id]


def calls(gateway: Gateway, route: str) -> int:
    return sum(call.route == route for call in gateway.calls)


def grew(card: CardState) -> bool:
    """Each frame began as the answer does, none was shorter than the one before, and the last is the whole."""
    texts = [frame.content for frame in card.frames]
    lengths = [len(text) for text in texts]
    return all(card.content.startswith(text.rstrip("…*`")) for text in texts) and lengths == sorted(lengths)


def _id(gateway: Gateway, push: Push) -> str:
    return reply_id(gateway.client_id, push.msg_id)
