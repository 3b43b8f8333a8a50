"""A model's reply as data: the JSON in it, checked against a schema, or the problems in words for the model."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

Reply = TypeVar("Reply", bound=BaseModel)

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _ids(value: Any) -> Any:
    """``["f1"]``, ``"f1, f2"`` and ``["[F1]"]`` are meant alike; what is not there names nothing."""
    if value is None:
        return []
    words = value if isinstance(value, list) else [value]
    return [found for word in words for found in re.findall(r"[a-z]+\d+|[^\s,;，；、\[\]()]+", str(word).lower())]


Sources = Annotated[list[str], BeforeValidator(_ids)]


class Lenient(BaseModel):
    """Fields that were not asked for are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Claim(Lenient):
    """A text and the ids of the facts it goes back to."""

    text: Text
    sources: Sources = []


class ReplyInvalid(Exception):
    """The reply cannot be used; ``problems`` are sentences for the model."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def parse(text: str, schema: type[Reply]) -> Reply:
    """The JSON object in ``text``, with or without a code fence or words around it. Raises :class:`ReplyInvalid`."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ReplyInvalid("输出里没有完整的 JSON 对象。")
    try:
        data = json.loads(text[start : end + 1], strict=False)
        return schema.model_validate(data)
    except json.JSONDecodeError as error:
        raise ReplyInvalid(f"JSON 写错了：第 {error.lineno} 行第 {error.colno} 个字符，{error.msg}。") from None
    except ValidationError as error:
        raise ReplyInvalid(*(_problem(one["loc"], one["msg"]) for one in error.errors()[:8])) from None


def check_sources(claims: Sequence[Claim], known: Collection[str]) -> None:
    """Every claim names facts that exist. Raises :class:`ReplyInvalid`."""
    problems = []
    for number, claim in enumerate(claims, 1):
        unknown = [source for source in claim.sources if source not in known]
        if unknown:
            problems.append(f"第 {number} 条的 sources 里有不存在的编号：{', '.join(unknown)}。")
        elif not claim.sources:
            problems.append(f"第 {number} 条没有写 sources。")
    if problems:
        raise ReplyInvalid(*problems)


def _problem(place: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, place)) or 'JSON'}：{message}"
