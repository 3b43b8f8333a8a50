"""All steps, in the order in which they build on each other."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.settings import Settings
from bots.dingtalk.client import DingTalkClient
from bots.dingtalk.governor import MemoryGovernor
from bots.dingtalk.messenger import DingTalkMessenger
from bots.live import connecting, limits, showing
from bots.live.line import Line
from bots.live.person import Person
from bots.live.report import Seen
from bots.live.scene import Scene, Waits
from bots.wiring import templates_of
from knowledge.errors import CopilotError
from knowledge.language import Language

__all__ = ["STEPS", "Smoke", "Waits"]


@dataclass(frozen=True, slots=True)
class Step:
    """``calls`` is what it costs of the month, at most; ``in_chat``: not before somebody has written to the robot."""

    name: str
    make: Callable[[Scene], Awaitable[None]]
    calls: int = 0
    in_chat: bool = False


STEPS = (
    Step("reach", connecting.reach, 1),
    Step("message", connecting.message),
    Step("redelivery", connecting.redelivery),
    Step("pings", connecting.pings),
    Step("upload", showing.upload, 2),
    Step("markdown", showing.markdown, 1, in_chat=True),
    Step("answer_card", showing.answer_card, 5, in_chat=True),
    Step("after_end", showing.after_end, 1),
    Step("long_card", showing.long_card, 2, in_chat=True),
    Step("job_card", showing.job_card, 3, in_chat=True),
    Step("safety", showing.safety, 1, in_chat=True),
    Step("rate", limits.rate, sum(limits.BURSTS)),
    Step("month", limits.month),
)


class Smoke:
    """Makes the steps that are agreed to. ``client`` stays the caller's to close."""

    def __init__(
        self,
        settings: Settings,
        client: DingTalkClient,
        person: Person,
        *,
        language: Language,
        waits: Waits | None = None,
    ) -> None:
        governor = MemoryGovernor()
        messenger = DingTalkMessenger(client, governor, templates=templates_of(settings))
        line = Line(client.open_connection)
        self._scene = Scene(client, messenger, governor, line, person, language, waits or Waits())

    async def run(self) -> list[Seen]:
        """What was seen in each step, in order; a step that fails is a thing that was seen."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._scene.line.run())
            seen = [await self._step(step) for step in STEPS]
            listening.cancel()
        return seen

    async def _step(self, step: Step) -> Seen:
        scene = self._scene
        if step.in_chat and scene.target is None:
            return Seen(step.name, lines=[scene.text("report.needs_message")])
        question = scene.text("report.go", step=scene.text(f"{step.name}.about"), calls=step.calls)
        if not await scene.person.agree(step.name, question):
            return Seen(step.name)
        scene.lines = []
        try:
            await step.make(scene)
        except CopilotError as error:
            reason = str(error.params.get("reason", "–"))
            scene.saw("report.refused", code=error.error_code, reason=reason, sentence=error.message)
        return Seen(step.name, made=True, lines=scene.lines)
