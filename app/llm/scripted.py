"""The twin of a language model: plays scripts, remembers what it was asked."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.llm.ports import Delta, Finished, Message, ModelError, TextDelta, ToolSpec

Step: TypeAlias = Delta | str | float | ModelError
"""A delta to yield (a string is a ``TextDelta``), seconds to wait, or an error to raise."""


@dataclass(slots=True)
class Call:
    """One call of ``stream``: ``ended`` when it was read to its end, ``left`` when it was closed before."""

    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int | None
    tools: tuple[ToolSpec, ...] = ()
    ended: bool = False
    left: bool = False


class ScriptedModel:
    """Plays one script a call; the last one again and again. A script without an end is finished with ``stop``.

    ScriptedModel(["Seven ", "days [1].", Usage(12, 4)])
    ScriptedModel([ModelUnavailable("…")], ["Now it works."], name="flaky")
    """

    def __init__(self, *scripts: Sequence[Step], name: str = "scripted") -> None:
        if not scripts:
            raise ValueError("A scripted model needs at least one script.")
        self._scripts = scripts
        self._name = name
        self.calls: list[Call] = []

    @property
    def name(self) -> str:
        return self._name

    async def aclose(self) -> None:
        """Nothing to close."""

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int | None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncGenerator[Delta, None]:
        script = self._scripts[min(len(self.calls), len(self._scripts) - 1)]
        call = Call(tuple(messages), temperature, max_tokens, tuple(tools))
        self.calls.append(call)
        try:
            for step in script:
                match step:
                    case ModelError():
                        raise step
                    case str():
                        yield TextDelta(step)
                    case int() | float():
                        await asyncio.sleep(step)
                    case _:
                        yield step
            if not (script and isinstance(script[-1], Finished)):
                yield Finished("stop")
            call.ended = True
        except ModelError:
            call.ended = True
            raise
        finally:
            call.left = not call.ended
