"""The tools a model may call, and what comes of a call: done, a question back to the person, or a refusal."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol, TypeAlias

from app.jobs.models import Job
from app.llm.ports import ToolCall, ToolSpec
from app.tools.arguments import check
from app.tools.wording import say
from knowledge.errors import CopilotError
from knowledge.language import Language


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and where. ``pictures`` are artifact ids, those of this message first, then earlier ones, newest first.

    ``own_pictures`` of them came with this message. Results are brought to ``reply_to`` of the channel. ``once`` names
    the message: when it is read again after a crash, its n-th job is the one that was started before.
    """

    tenant: str
    requester: str | None
    conversation_id: str | None
    channel: str
    language: Language
    pictures: Sequence[str] = ()
    own_pictures: int = 0
    reply_to: Mapping[str, Any] = field(default_factory=dict)
    once: str | None = None
    _jobs: Iterator[int] = field(default_factory=count)

    def next_key(self) -> str | None:
        """The idempotency key of the next job that this message starts."""
        return None if self.once is None else f"{self.once}:{next(self._jobs)}"


@dataclass(frozen=True, slots=True)
class Did:
    """The tool did it. ``told`` goes to the model, ``said`` to a person when no model puts it into words."""

    told: Mapping[str, Any]
    said: str
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True)
class Asks:
    """Something is missing that only the person knows; the copilot asks for it in this sentence."""

    said: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refuses:
    """It cannot be done like this. The model is told, and may try again or explain."""

    code: str
    message: str

    @property
    def said(self) -> str:
        return self.message

    @property
    def told(self) -> Mapping[str, Any]:
        return {"error": self.code, "message": self.message}


ToolOutcome: TypeAlias = Did | Asks | Refuses


class Tool(Protocol):
    """One thing a model can have done."""

    @property
    def spec(self) -> ToolSpec: ...

    async def call(self, arguments: Mapping[str, Any], caller: Caller) -> ToolOutcome:
        """``arguments`` fit the schema. Raises CopilotError, which becomes a refusal with its code."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Tools by name. A call of anything else is refused; arguments are checked before the tool sees them."""

    tools: Mapping[str, Tool] = field(default_factory=dict)

    @classmethod
    def of(cls, tools: Iterable[Tool]) -> "Registry":
        return cls({tool.spec.name: tool for tool in tools})

    @property
    def specs(self) -> list[ToolSpec]:
        return [tool.spec for tool in self.tools.values()]

    async def call(self, call: ToolCall, caller: Caller) -> ToolOutcome:
        """Check and run a model's call. Raises nothing of its own."""
        tool = self.tools.get(call.name)
        if tool is None:
            known = ", ".join(self.tools)
            return Refuses("tool_unknown", f"There is no tool “{call.name}”. There are: {known}.")
        checked = check(tool.spec.parameters, call.arguments)
        if checked.wrong:
            problems = "; ".join(f"{path}: {what}" if path else what for path, what in checked.wrong.items())
            return Refuses("tool_arguments_invalid", problems)
        if checked.missing:
            return Asks(_question(tool.spec, checked.missing, caller.language), checked.missing)
        try:
            return await tool.call(checked.arguments, caller)
        except CopilotError as error:
            return Refuses(error.error_code, error.message)


def told_json(outcome: Did | Refuses) -> str:
    """What the model reads as the tool's answer."""
    return json.dumps(outcome.told, ensure_ascii=False)


def _question(spec: ToolSpec, missing: Sequence[str], language: Language) -> str:
    """Asks for arguments by what their schema says of them."""
    named = [_described(spec.parameters, path.split(".")) or path for path in missing]
    joined = ("、" if language == "zh" else ", ").join(named)
    return say("ask_for", language, what=joined)


def _described(schema: Mapping[str, Any], path: Sequence[str]) -> str | None:
    for part in path:
        inner = schema.get("properties", {}).get(part) or schema.get("items", {})
        if not isinstance(inner, Mapping):
            return None
        schema = inner
    text = schema.get("description") or schema.get("title")
    return str(text).rstrip("。.") if text else None
