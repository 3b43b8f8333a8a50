"""The tool that has pictures made."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.jobs.service import JobService
from app.llm.ports import ToolSpec
from app.tools.job_tools import start
from app.tools.registry import Asks, Caller, ToolOutcome
from app.tools.wording import say

# Kinds that need no picture to begin with.
_FROM_WORDS = {"text_to_image"}


class MakeImage:
    """``kinds`` are this installation's image jobs; ``templates`` and ``presets`` go by name → what they are called."""

    def __init__(
        self, jobs: JobService, kinds: Sequence[str], *, templates: Mapping[str, str], presets: Mapping[str, str]
    ) -> None:
        self._jobs = jobs
        self._templates = templates
        self._presets = presets
        self.spec = ToolSpec(
            "make_image",
            "用商品图片做图：白底图、透明底、场景图、放大、裁剪，或按文字生成图片 / make pictures of a product",
            {
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "enum": list(kinds), "description": "要做哪一种图 / what to make"},
                    "image": {
                        "type": "string",
                        "description": "图片编号；不写就用本条消息的图片，或会话里最近的一张 / picture id; "
                        "without it the message's, or the latest",
                    },
                    "template": {
                        "type": "string",
                        "description": f"场景模板 / scene template: {', '.join(templates)}",
                    },
                    "preset": {"type": "string", "description": f"平台尺寸 / size of a channel: {', '.join(presets)}"},
                    "prompt": {"type": "string", "description": "画面描述 / what the picture shows"},
                },
                "required": ["kind"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: Mapping[str, Any], caller: Caller) -> ToolOutcome:
        given = dict(arguments)
        kind = given.pop("kind")
        if kind not in _FROM_WORDS:
            given["image"] = given.get("image") or next(iter(caller.pictures), None)
            if given["image"] is None:
                return Asks(say("ask_picture", caller.language), ("image",))
        for field, known in (("template", self._templates), ("preset", self._presets)):
            if given.get(field):
                given[field] = _named(given[field], known)
        fields = self._jobs.handler(kind).request.model_fields
        request = {name: value for name, value in given.items() if name in fields and value is not None}
        return await start(self._jobs, kind, request, caller)


def _named(said: str, known: Mapping[str, str]) -> str:
    """A template or preset by its name, its beginning, or what it is called in either language."""
    wanted = said.strip().lower()
    for fits in (str.__eq__, str.startswith, lambda name, part: part in known[name].lower()):
        for name in known:
            if fits(name, wanted):
                return name
    return said
