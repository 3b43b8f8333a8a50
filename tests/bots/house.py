"""A whole bot against a gateway: real sockets to it, real SQL, real retrieval; a scripted model."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.chat import prompts
from app.chat.answerers import Answerer, ModelAnswerer
from app.jobs.ports import Handler
from app.jobs.queue import MemoryQueue
from app.llm.ports import ChatModel, Delta, Finished, Message, TextDelta, ToolSpec
from app.wiring import Twins
from bots.bot import Bot
from bots.dingtalk.cards import ANSWER, JOB
from bots.process import listener
from bots.sandbox.gateway import Gateway
from bots.wiring import Wire, running_bot
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.vectors import MemoryVectors
from tests.products import settings_for


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
        self.asked.append(messages[-1].text)
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
    gateway: Gateway


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
    **overrides: object,
) -> AsyncIterator[House]:
    """Connected, until the end of the block; then stopped as by SIGTERM."""
    gateway.register_template("answer.schema", ANSWER.variables, ANSWER.streaming_key)
    gateway.register_template("job.schema", JOB.variables, None)
    templates = {"dingtalk_answer_template": "answer.schema", "dingtalk_job_template": "job.schema"} if cards else {}
    settings = settings_for(
        data,
        dingtalk_client_id=gateway.client_id,
        dingtalk_client_secret="sec",
        dingtalk_openapi_url=gateway.url,
        dingtalk_oapi_url=gateway.url,
        dingtalk_frame_ms=200,
        **{**templates, **overrides},
    )
    twins = Twins(
        HashingEmbedder(),
        MemoryVectors(),
        None if redis_url else MemoryQueue(),
        answered_by(model) if model else None,
        handlers=handlers,
    )
    stop = asyncio.Event()
    async with running_bot(settings, redis_url=redis_url, twins=twins) as (bot, wire), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(bot.run(listener(settings, bot, wire), stop))
        try:
            await gateway.connected()
            yield House(bot, wire, gateway)
        finally:
            stop.set()
            await running
