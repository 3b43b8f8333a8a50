"""The sandbox with its page and a whole bot, in a thread with a loop of their own: real sockets, SQL and retrieval."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from app.jobs.runner import JobRunner
from app.llm.ports import Delta, Finished, Message, TextDelta, ToolCall, ToolSpec
from bots.sandbox.cards import CardState
from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.page.cast import cast, seat
from bots.sandbox.page.server import running_page
from bots.sandbox_process import introduce, page_parts, register_templates
from bots.sandbox_settings import TEMPLATE_IDS
from tests.bots.house import House, TypingModel, bot_of, take_in_returns
from tests.studio_kinds import CutoutHandler

T = TypeVar("T")

ANSWER = (
    "可以。签收后 **7 个自然日**内可以无理由退货 [1]：\n\n"
    "1. 在订单页申请，选好退货原因；\n"
    "2. 寄回商品，退回运费由买家承担 [1]；\n"
    "3. 仓库质检通过后 3 个工作日内原路退款 [1]。"
)


class HandyModel(TypingModel):
    """Types its answer, and has a picture made when it is offered the tool for it."""

    async def stream(
        self, messages: Sequence[Message], *, temperature: float, max_tokens: int, tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[Delta, None]:
        made = messages[-1].role == "tool"
        if made:
            yield TextDelta("好的，正在做白底图，做好发到这里。")
        elif tools and "白底" in messages[-1].content:
            yield ToolCall("c1", "make_image", '{"kind": "white_background"}')
        else:
            async for delta in super().stream(messages, temperature=temperature, max_tokens=max_tokens):
                yield delta
            return
        yield Finished("stop")


class Bots:
    """Counts how often somebody wanted it dead."""

    def __init__(self) -> None:
        self.killed = 0

    def kill(self) -> None:
        self.killed += 1


@dataclass
class Stage:
    """``model`` types the answers; ``cutout`` makes the pictures."""

    data: Path
    model: TypingModel = field(default_factory=lambda: HandyModel(ANSWER, pieces=24, pause=0.015))
    cutout: CutoutHandler = field(default_factory=CutoutHandler)
    bots: Bots = field(default_factory=Bots)
    url: str = ""
    gateway: Gateway = field(init=False)
    house: House = field(init=False)

    def start(self) -> "Stage":
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the sandbox did not start"
        assert self.url, f"the sandbox did not start: {self._failure}"
        return self

    def do(self, work: Callable[[House], Awaitable[T]]) -> T:
        """Something on the sandbox's own loop."""

        async def call() -> T:
            return await work(self.house)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(timeout=30)

    def cards(self) -> list[CardState]:
        return list(self.gateway.cards.values())

    def close(self) -> None:
        """Stop as by SIGTERM; no rule of the platform may have been broken."""
        self.cutout.gate.set()
        found = self.do(self._checked)
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        assert self._failure is None
        assert found == []

    async def _checked(self, house: House) -> list[str]:
        return house.gateway.check()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as exc:  # noqa: BLE001 (told by whoever waits)
            self._failure = exc
        self._ready.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with running_gateway() as self.gateway:
            self.gateway.actions.due_ms = 30_000.0  # Chromium takes the machine for itself
            seat(self.gateway, cast())
            self.gateway.forgive("extra:")  # cards of jobs, and what people say
            register_templates(self.gateway)
            ids = {f"dingtalk_{name}_template": each for name, each in TEMPLATE_IDS.items()}
            async with bot_of(self.gateway, self.data, model=self.model, handlers=(self.cutout,), **ids) as self.house:
                await take_in_returns(self.house)
                await introduce(self.house.services.users, self.house.services.groups, self.gateway, cast())
                await self._serve()

    async def _serve(self) -> None:
        async with running_page(self.gateway, page_parts(bot=self.bots)) as self.url, asyncio.TaskGroup() as tasks:
            working = tasks.create_task(self._work())
            self._ready.set()
            await self._stop.wait()
            working.cancel()

    async def _work(self) -> None:
        """What a worker does."""
        runner = JobRunner(self.house.services.jobs, "test")
        while True:
            for queue in ("image", "ingest"):
                await runner.drain(queue)
            await asyncio.sleep(0.05)
