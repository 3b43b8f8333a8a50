"""A whole bot against a gateway: real sockets to it, real SQL, real retrieval; a scripted model."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.channels.replies import Reply
from app.chat import prompts
from app.chat.answerers import Answerer, ModelAnswerer
from app.identity.users import Role
from app.jobs.ports import Handler
from app.jobs.queue import MemoryQueue
from app.llm.ports import ChatModel, Delta, Finished, Message, TextDelta, ToolSpec
from app.wiring import Services, Twins
from bots.bot import Bot
from bots.dingtalk.cards import ANSWER, JOB
from bots.dingtalk.stream import Stream
from bots.process import listener, stream_of
from bots.sandbox.cards import CardState
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import CORP, User
from bots.wiring import Tempo, Wire, running_bot
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.vectors import MemoryVectors
from tests.products import RETURNS, settings_for, take_in


class TypingModel:
    """Types an answer a piece at a time, ``pause`` seconds between two; remembers how often it was asked."""

    name = "typing"

    def __init__(self, text: str = "签收后 7 天内可以退货 [1]。", *, pieces: int = 6, pause: float = 0.0) -> None:
        self.text = text
        self.pieces = pieces
        self.pause = pause
        self.asked: list[str] = []
        self.failing: Exception | None = None

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncGenerator[Delta, None]:
        self.asked.append(messages[-1].content)
        size = max(1, -(-len(self.text) // self.pieces))
        for start in range(0, len(self.text), size):
            await asyncio.sleep(self.pause)
            yield TextDelta(self.text[start : start + size])
            if self.failing is not None:
                raise self.failing
        yield Finished("stop")

    async def aclose(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class House:
    """A running bot with what is behind it."""

    bot: Bot
    wire: Wire
    services: Services
    gateway: Gateway
    stream: Stream

    async def role(self, staff: str, role: str) -> None:
        """Give a role by hand, as an operator's console would."""
        name = user(self.gateway, staff).name
        known = await self.services.users.seen("dingtalk", CORP, staff, tenant="default", name=name)
        await self.services.users.set_role("default", known.id, Role(role), by="test")

    async def conversation_of(self, card: CardState) -> str:
        reply = await self.services.replies.get(card.id)
        return (await self.services.conversations.turn("default", reply.turn_id or "")).conversation_id

    async def until(self, fits: Callable[[Reply], bool]) -> Reply:
        """The first reply that fits, when there is one."""
        async with asyncio.timeout(20):
            while True:
                for reply in await self.services.replies.recent("default"):
                    if fits(reply):
                        return reply
                await asyncio.sleep(0.05)


def user(gateway: Gateway, staff: str) -> User:
    return gateway.people.users[staff]


def ended_cards(house: House) -> list[CardState]:
    return [card for card in house.gateway.cards.values() if card.ended]


async def take_in_returns(house: House) -> None:
    """The sample about returns, in the knowledge base ``shop``."""
    await take_in(house.services, "shop", "退换货规则.md", RETURNS)


def answered_by(model: ChatModel) -> Answerer:
    return ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=200)


@asynccontextmanager
async def bot_of(
    gateway: Gateway,
    data: Path,
    *,
    model: ChatModel | None = None,
    handlers: Sequence[Handler[Any]] = (),
    redis_url: str | None = None,
    cards: bool = True,
    tempo: Tempo | None = None,
    vectors: MemoryVectors | None = None,
    **overrides: object,
) -> AsyncIterator[House]:
    """Connected, until the end of the block; then stopped as by SIGTERM."""
    gateway.register_template("answer.schema", ANSWER.variables, ANSWER.streaming_key)
    gateway.register_template("job.schema", JOB.variables, None)
    templates = {"dingtalk_answer_template": "answer.schema", "dingtalk_job_template": "job.schema"} if cards else {}
    settings = settings_for(
        data,
        dingtalk_client_id=gateway.client_id,
        dingtalk_client_secret=gateway.tokens.client_secret,
        dingtalk_openapi_url=gateway.url,
        dingtalk_oapi_url=gateway.url,
        **{"dingtalk_frame_ms": 200, **templates, **overrides},
    )
    twins = Twins(
        HashingEmbedder(),
        vectors or MemoryVectors(),
        None if redis_url else MemoryQueue(),
        answered_by(model) if model else None,
        handlers=handlers,
    )
    stop = asyncio.Event()
    starting = running_bot(settings, redis_url=redis_url, twins=twins, tempo=tempo)
    async with starting as (bot, wire), asyncio.TaskGroup() as tasks:
        stream = stream_of(bot, wire)
        by_http = settings.dingtalk_mode == "http"
        running = tasks.create_task(bot.run(listener(settings, bot, wire) if by_http else stream.run, stop))
        try:
            if by_http:
                await gateway.wait_for(lambda: gateway.callbacks.registered)
            else:
                await gateway.connected()
            yield House(bot, wire, wire.services, gateway, stream)
        finally:
            stop.set()
            await running
