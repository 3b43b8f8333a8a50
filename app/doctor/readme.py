"""The READMEs' tables of settings, made from the settings themselves.

``python -c "from app.doctor import settings_table; print(settings_table(), end='')"`` prints the root's, with
``settings_table("bots")`` that of ``bots/README.md``, with ``"knowledge"`` that of ``knowledge/README.md``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.doctor.sources import choices
from app.settings import Settings

Where: TypeAlias = Literal["root", "bots", "knowledge"]

ELSEWHERE: Mapping[Where, tuple[str, ...]] = {"bots": ("dingtalk_",), "knowledge": ("embedding_", "rerank_")}


def settings_table(where: Where = "root", *, settings: type[Settings] = Settings) -> str:
    """Markdown, a row for each field in its order, ending in a newline. Raises ValueError for one not described.

    Those of the DingTalk channel and those of embedding models and rerankers are in the package's README, all others in
    the root's.
    """
    return "\n".join(["| Variable | Default | |", "|---|---|---|", *_rows(settings, where)]) + "\n"


def _rows(settings: type[Settings], where: Where) -> Iterator[str]:
    prefix = settings.model_config.get("env_prefix", "")
    for name, info in settings.model_fields.items():
        if not info.description:
            raise ValueError(f"The setting {name} has no description.")
        if where == next((place for place, begins in ELSEWHERE.items() if name.startswith(begins)), "root"):
            yield f"| `{prefix}{name.upper()}` | {_default(info)} | {_described(info)} |"


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined or value in (None, "", [], {}):
        return ""
    text = (
        str(value).lower() if isinstance(value, bool) else value.as_posix() if isinstance(value, Path) else str(value)
    )
    return f"`{text}`"


def _described(info: FieldInfo) -> str:
    found = list(choices(info.annotation))
    named = " or ".join(f"`{choice}`" for choice in found)
    text = f"{info.description} {named[:1].upper()}{named[1:]}." if found else str(info.description)
    return text.replace("|", "\\|")
