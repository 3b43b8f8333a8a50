"""The tool that has copy written."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.jobs.service import JobService
from app.llm.ports import ToolSpec
from app.tools.job_tools import start
from app.tools.registry import Asks, Caller, ToolOutcome
from app.tools.wording import say

# What a kind needs besides its name; what is not there is asked for, in this order.
_OF_A_PRODUCT = ("product_name", "facts")
_NEEDS: Mapping[str, Sequence[str]] = {"translation": ("text", "to"), "rewrite": ("text",)}

_PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "product_name": {"type": "string", "description": "商品名称 / name of the product"},
    "facts": {
        "type": "array",
        "items": {"type": "string"},
        "description": "用户给出的商品事实，每条一项，如“材质：316不锈钢”；不要补充 / facts the user gave",
    },
    "text": {"type": "string", "description": "要翻译或改写的原文 / the text to translate or rewrite"},
    "to": {"type": "string", "description": "译成的语言，如 en、zh、ja / language to translate into"},
    "channel": {"type": "string", "description": "平台，如 taobao、amazon / sales channel"},
    "count": {"type": "integer", "minimum": 1, "maximum": 20, "description": "要几条 / how many"},
    "language": {"type": "string", "description": "文案的语言 / language of the copy"},
    "tone": {"type": "string", "description": "语气 / tone"},
    "attributes": {"type": "object", "description": "要补全的属性的 JSON schema / JSON schema of the attributes"},
}


class CreateCopy:
    """``kinds`` are the text jobs of this installation."""

    def __init__(self, jobs: JobService, kinds: Sequence[str]) -> None:
        self._jobs = jobs
        kind = {"type": "string", "enum": list(kinds), "description": "要写哪一种文案 / what to write"}
        self.spec = ToolSpec(
            "create_copy",
            "写商品文案：标题、卖点、描述、属性补全、翻译、改写 / write product copy",
            {
                "type": "object",
                "properties": {"kind": kind, **_PROPERTIES},
                "required": ["kind"],
                "additionalProperties": False,
            },
        )

    async def call(self, arguments: Mapping[str, Any], caller: Caller) -> ToolOutcome:
        kind = arguments["kind"]
        missing = [name for name in _NEEDS.get(kind, _OF_A_PRODUCT) if not arguments.get(name)]
        if missing:
            return _question(missing, caller)
        fields = self._jobs.handler(kind).request.model_fields
        request = {name: value for name, value in arguments.items() if name in fields and name != "kind"}
        if "product" in fields and arguments.get("product_name"):
            request["product"] = {"name": arguments["product_name"], "facts": list(arguments.get("facts", ()))}
        return await start(self._jobs, kind, request, caller)


def _question(missing: Sequence[str], caller: Caller) -> Asks:
    joined = ("、" if caller.language == "zh" else ", ").join(say(f"copy.{name}", caller.language) for name in missing)
    return Asks(say("ask_for", caller.language, what=joined), tuple(missing))
