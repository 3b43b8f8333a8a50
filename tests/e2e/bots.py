"""Bots as processes of their own, before a DingTalk in the test's process, on a real Redis: to be killed."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from app.channels.replies import Replies, Reply
from app.processes.runtime import is_marked_ready
from app.settings import Settings
from bots.dingtalk.cards import ANSWER, JOB
from bots.envelope import reply_id
from bots.sandbox.cards import CardState
from bots.sandbox.chat import Message
from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.people import Conversation, User
from bots.sandbox.pushes import Push
from evals.bench.bot_processes import Part, take_in_document, write_part
from knowledge.database import Database
from tests.e2e.redis_server import RedisServer, redis_server

ANSWERED = "签收后 7 天内可以退货 [1]。退回运费由买家承担，质检通过后 3 个工作日内原路退款 [1]。"
LONG = 120.0  # seconds: what takes ten may take that long on a busy machine
MUCH = 100_000


@dataclass(eq=False)
class Scene:
    """``alive`` are the processes that run, bots and workers."""

    gateway: Gateway
    redis: RedisServer
    part: Part
    file: Path
    alive: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.file.with_suffix(".log")

    async def start(self, *which: str) -> list[subprocess.Popen[bytes]]:
        """A bot, or these → when they take messages."""
        before, names = len(self.gateway.connections), which or ("bot",)
        processes = [self._spawn(name) for name in names]
        self.alive += processes
        await self.gateway.wait_for(lambda: all(self._is_ready(process) for process in processes), LONG)
        await self.gateway.connected(before + names.count("bot"), LONG)
        return processes

    def _spawn(self, which: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", "evals.bench.bot_processes", which, str(self.file)]
            return subprocess.Popen(argv, stdout=log, stderr=log)

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.log.read_text()[-3000:]
        return is_marked_ready(self.part.data, process.pid)

    async def kill(self, process: subprocess.Popen[bytes]) -> None:
        """``kill -9``; → when DingTalk has noticed."""
        before = len(self.gateway.connections)
        process.kill()
        process.wait()
        self.alive.remove(process)
        await self.gateway.wait_for(lambda: len(self.gateway.connections) < before, LONG)

    async def end(self, process: subprocess.Popen[bytes]) -> int:
        """SIGTERM; → how it ended."""
        process.send_signal(signal.SIGTERM)
        self.alive.remove(process)
        return await asyncio.to_thread(process.wait, LONG)

    async def ask(self, place: Conversation, who: User, text: str = "退货期限是几天？", **more: object) -> Push:
        """→ when it was sent."""
        return await self.gateway.push_bot(place, who, text, **more)  # type: ignore[arg-type]

    def card(self, push: Push) -> CardState | None:
        """The card that answers a message."""
        return self.gateway.cards.get(reply_id(self.gateway.client_id, push.msg_id))

    async def growing(self, push: Push, frames: int = 2) -> CardState:
        """The card of a message, when it has begun to grow."""
        await self.gateway.wait_for(lambda: (card := self.card(push)) and len(card.frames) >= frames, LONG)
        card = self.card(push)
        assert card is not None
        assert card.state == "INPUTING"
        return card

    async def answered(self, *pushes: Push) -> list[CardState]:
        """Their cards, when all show the end, with their buttons."""
        await self.gateway.wait_for(lambda: all(_whole(self.card(push)) for push in pushes), LONG)
        return [card for push in pushes if (card := self.card(push))]

    def said_in(self, place: Conversation) -> list[Message]:
        return [message for message in self.gateway.messages if message.conversation.id == place.id]

    async def written_to_its_file(self) -> None:
        """What Redis knows would survive its death."""
        with redis.Redis.from_url(self.redis.url) as client:
            await self.gateway.wait_for(lambda: not client.info("persistence")["aof_buffer_length"], LONG)

    async def all_ended(self) -> None:
        """By the database, nothing is half-way."""
        until = time.monotonic() + LONG
        while left := await self.half_way():
            assert time.monotonic() < until, left
            await asyncio.sleep(0.1)

    async def half_way(self) -> Sequence[Reply]:
        """What was begun and did not come to its end, by the database."""
        settings = Settings(_env_file=None, data=self.part.data)
        database = Database(settings.database)
        try:
            replies = Replies(database)
            return [one for one in await replies.recent("default", 1000) if one.state not in ("done", "stored")]
        finally:
            await database.close()


def _whole(card: CardState | None) -> bool:
    return card is not None and card.ended and card.values.get("show_feedback") == "true"


@asynccontextmanager
async def scene(folder: Path, *, pieces: int = 10, pause: float = 0.1, **more: object) -> AsyncIterator[Scene]:
    """With 张三 ``u1`` and 李四 ``u2`` in the group 测试群. At the end nothing may be wrong."""
    data = folder / "data"
    data.mkdir()
    async with running_gateway(client_secret="secret-of-the-app", monthly_calls=MUCH, monthly_messages=MUCH) as gateway:
        gateway.actions.due_ms = 30_000.0  # bots that start take the machine for themselves
        gateway.add_group("测试群", [gateway.add_user("u1", "张三"), gateway.add_user("u2", "李四")])
        gateway.register_template("answer.schema", ANSWER.variables, ANSWER.streaming_key)
        gateway.register_template("job.schema", JOB.variables, None)
        with redis_server(data) as server:
            settings = settings_for(gateway, data)
            part = Part(settings, server.url, ANSWERED, pieces, pause, **more)  # type: ignore[arg-type]
            await take_in_document(part)
            write_part(part, folder / "part.json")
            made = Scene(gateway, server, part, folder / "part.json")
            try:
                yield made
                assert gateway.check() == []
                logged = made.log.read_text()
                assert not [secret for secret in gateway.secrets() if secret in logged]
            finally:
                for process in made.alive:
                    process.kill()
                    process.wait()


def settings_for(gateway: Gateway, data: Path) -> dict[str, object]:
    return {
        "data": str(data),
        "dingtalk_client_id": gateway.client_id,
        "dingtalk_client_secret": gateway.tokens.client_secret,
        "dingtalk_openapi_url": gateway.url,
        "dingtalk_oapi_url": gateway.url,
        "dingtalk_answer_template": "answer.schema",
        "dingtalk_job_template": "job.schema",
        "dingtalk_frame_ms": 200,
        "dingtalk_monthly_calls": MUCH,
        "dingtalk_monthly_messages": MUCH,
    }
