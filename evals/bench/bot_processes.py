"""The processes of a bot that is tried with a sandbox: the bot itself, and a worker for the pictures it is asked for.

    python -m evals.bench.bot_processes bot FILE        or        … worker FILE

FILE is a :class:`Part` as JSON. All is as ``copilot bot`` and ``copilot worker`` have it, but for what costs time and
proves nothing: the model types what it is told to, the embedder hashes, and a picture is given back as it came.
"""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from app import telemetry
from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.jobs.ports import JobRequest, NewArtifact, Outcome, Quantities, Work
from app.llm.ports import Delta, Finished, Message, TextDelta, ToolSpec
from app.processes.garbage import settle
from app.settings import Settings
from app.studio import running_studio
from app.wiring import Twins, running_services
from app.worker import Worker
from bots.dingtalk.attempts import Patience
from bots.dingtalk.stream import Pace
from bots.process import run_bot
from bots.wiring import Tempo
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import MemoryVectors

BASE = "shop"
DOCUMENT = """# 退换货规则

国内站订单签收后 7 个自然日内可以无理由退货，退回运费由买家承担。

仓库收到退件并质检通过后 3 个工作日内原路退款。
"""
_NUMBER = re.compile(r"No\.\d+")


@dataclass(frozen=True, slots=True)
class Part:
    """``settings`` are those of the bot. The model types ``answer`` in so many ``pieces``, ``pause`` seconds between
    two; the number of a question (``No.12``) comes first in its answer. ``call_s``: how long DingTalk is waited for."""

    settings: Mapping[str, Any]
    redis_url: str
    answer: str = "签收后 7 天内可以退货 [1]。"
    pieces: int = 6
    pause: float = 0.1
    call_s: float = 2.0
    job_s: float = 0.0
    patience: Patience = field(default_factory=lambda: Patience(first_s=0.1, longest_s=1.0))
    pace: Pace = field(default_factory=lambda: Pace(first=0.1, longest=2.0, ping=5.0, idle=60.0))

    @property
    def settings_read(self) -> Settings:
        """That no environment and no ``.env`` can change."""
        return Settings(_env_file=None, **self.settings)

    @property
    def data(self) -> Path:
        return self.settings_read.data


_PARTS = TypeAdapter(Part)


def write_part(part: Part, file: Path) -> None:
    """For a process to read."""
    file.write_bytes(_PARTS.dump_json(part))


class Typist:
    """A model that types."""

    name = "typist"

    def __init__(self, answer: str, *, pieces: int, pause: float) -> None:
        self._answer = answer
        self._pieces = pieces
        self._pause = pause

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,  # noqa: ARG002 (the port's)
        max_tokens: int | None,  # noqa: ARG002 (the port's)
        tools: Sequence[ToolSpec] = (),  # noqa: ARG002 (the port's)
    ) -> AsyncGenerator[Delta, None]:
        numbers = _NUMBER.findall(messages[-1].content)
        text = f"{numbers[-1]} {self._answer}" if numbers else self._answer
        size = max(1, -(-len(text) // self._pieces))
        for start in range(0, len(text), size):
            await asyncio.sleep(self._pause)
            yield TextDelta(text[start : start + size])
        yield Finished("stop")

    async def aclose(self) -> None:
        """Nothing to close."""


class WhiteRequest(JobRequest):
    image: str
    preset: str | None = None


class GivesBack:
    """A white background that takes no time, or as long as it is told to."""

    kind = "white_background"
    queue: Literal["image"] = "image"
    request = WhiteRequest

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def estimate(self, request: WhiteRequest) -> Quantities:  # noqa: ARG002 (the port's)
        return Quantities(images=1)

    async def run(self, request: WhiteRequest, work: Work) -> Outcome:
        picture = await work.read(request.image)
        work.report(50, "placing")
        await asyncio.sleep(self._seconds)
        return Outcome({"engine": "none"}, (NewArtifact(picture, "image/png", "白底图.png"),))


def twins(part: Part) -> Twins:
    """What stands in for what costs time."""
    model = Typist(part.answer, pieces=part.pieces, pause=part.pause)
    answerer = ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=400)
    return Twins(HashingEmbedder(), MemoryVectors(), answerer=answerer, handlers=[GivesBack(part.job_s)])


async def take_in_document(part: Part) -> None:
    """Make the database, and something in it to answer from. Words find it: vectors are each process's own."""

    async def pieces() -> AsyncIterator[bytes]:
        yield DOCUMENT.encode()

    async with running_services(part.settings_read, twins=twins(part)) as services:
        await services.knowledge.ensure(DEFAULT_TENANT, BASE)
        received = await services.knowledge.upload(DEFAULT_TENANT, BASE, "退换货规则.md", pieces())
        await services.pipeline.run(received.document.id, owner="try")


async def bot(part: Part) -> None:
    """Until SIGTERM."""
    tempo = Tempo(part.call_s, part.patience, part.pace)
    await run_bot(part.settings_read, redis_url=part.redis_url, twins=twins(part), tempo=tempo)


async def worker(part: Part) -> None:
    """Until SIGTERM."""
    async with running_studio(part.settings_read, redis_url=part.redis_url) as jobs:
        jobs.handlers[GivesBack.kind] = GivesBack(part.job_s)
        await Worker(jobs, part.redis_url, ("image",), sweep=_nothing, data=part.data).run()


async def _nothing() -> None:
    """What a worker looks after besides its jobs."""


def main() -> None:
    which, file = sys.argv[1:]
    part = _PARTS.validate_json(Path(file).read_bytes())
    telemetry.configure(part.settings_read)
    settle()
    asyncio.run({"bot": bot, "worker": worker}[which](part))


if __name__ == "__main__":
    main()
