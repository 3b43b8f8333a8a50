"""Commands that need no model: ``/图 白底``, ``/image white``, ``/任务``, ``/取消``, ``/help``; in every channel."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.llm.ports import ToolCall
from app.tools.registry import Caller, Registry, ToolOutcome
from app.tools.wording import say

_COMMAND = re.compile(r"^[/／]\s*(\S+)\s*(.*)$", re.DOTALL)

_NAMES = {
    "image": ("图", "图片", "image", "img", "picture"),
    "jobs": ("任务", "进度", "jobs", "job", "status"),
    "cancel": ("取消", "停止", "cancel"),
    "help": ("帮助", "help", "?", "？", "h"),
    "copy": ("文案", "标题", "copy", "title"),
}
# What follows /image → the kind of job, and which argument the next word is.
_KINDS: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("白底", "白底图", "white", "white_background"), ("white_background", "preset")),
    **dict.fromkeys(("透明", "透明底", "抠图", "transparent", "cutout"), ("transparent", None)),
    **dict.fromkeys(("场景", "场景图", "scene"), ("scene", "template")),
    **dict.fromkeys(("放大", "高清", "upscale", "enlarge"), ("upscale", None)),
    **dict.fromkeys(("裁剪", "尺寸", "crop", "resize"), ("crop", "preset")),
}
_SHOWN = {"zh": ("白底", "透明", "场景", "放大", "裁剪"), "en": ("white", "transparent", "scene", "upscale", "crop")}


@dataclass(frozen=True, slots=True)
class Command:
    """``name`` is image, jobs, cancel, help or copy; None is a command that does not exist."""

    name: str | None
    typed: str
    words: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Whether it touches jobs; help is for everybody."""
        return self.name in ("image", "jobs", "cancel", "copy")


HELP = Command("help", "help")


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands on top of the same tools that a model calls. ``templates`` are the scenes of ``/image scene``."""

    registry: Registry
    templates: Sequence[str] = ()
    copy_possible: bool = False

    def parse(self, text: str) -> Command | None:
        """A message as a command; None for anything that does not begin with a slash and a word."""
        match = _COMMAND.match(text.strip())
        if match is None or "/" in match[1]:  # a path is no command
            return None
        typed = match[1].lower()
        name = next((name for name, spellings in _NAMES.items() if typed in spellings), None)
        return Command(name, match[1], tuple(match[2].split()))

    def wished(self, text: str) -> Command | None:
        """What somebody who sent a picture wants, in plain words: “做一张白底图” is ``/图 白底``; None when unclear."""
        said = text.lower()
        kind = next((word for word in sorted(_KINDS, key=len, reverse=True) if word in said), None)
        if kind is None:
            return None
        named = [name for name in self.templates if name in said] if _KINDS[kind][1] == "template" else []
        return Command("image", text, (kind, *named[:1]))

    async def run(self, command: Command, caller: Caller) -> ToolOutcome | str:
        """A tool's outcome, or a sentence to say."""
        match command.name:
            case "help":
                return say("help", caller.language, templates="、".join(self.templates))
            case "image":
                return await self._image(command, caller)
            case "jobs":
                return await self._call("job_status", "{}", caller)
            case "cancel":
                return await self._call("cancel_job", "{}", caller)
            case "copy":
                return say("copy_in_words" if self.copy_possible else "copy_needs_model", caller.language)
            case _:
                return say("command_unknown", caller.language, command=f"/{command.typed}")

    async def _image(self, command: Command, caller: Caller) -> ToolOutcome | str:
        wanted, *rest = command.words or ("",)
        if wanted.lower() not in _KINDS:
            language = caller.language
            return say("picture_option_unknown", language, option=wanted or "…", options=", ".join(_SHOWN[language]))
        kind, argument = _KINDS[wanted.lower()]
        arguments = {"kind": kind}
        if argument and rest:
            arguments[argument] = " ".join(rest)
        return await self._call("make_image", json.dumps(arguments), caller)

    async def _call(self, tool: str, arguments: str, caller: Caller) -> ToolOutcome:
        return await self.registry.call(ToolCall("command", tool, arguments), caller)
