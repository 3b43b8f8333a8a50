"""How long a title or a text may be on a sales channel, and how that channel counts: ``channels.json``."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from app.copywriting.flags import Flag, flag
from knowledge.errors import InvalidInput

Counting: TypeAlias = Literal["characters", "width", "bytes"]
Part: TypeAlias = Literal["title", "point", "description"]


@dataclass(frozen=True, slots=True)
class Limit:
    """``width`` counts Chinese and full-width characters twice."""

    max: int
    count: Counting = "characters"
    min: int = 0

    def length(self, text: str) -> int:
        """The length of a text as the channel counts it."""
        if self.count == "bytes":
            return len(text.encode())
        if self.count == "width":
            return sum(2 if unicodedata.east_asian_width(sign) in "WFA" else 1 for sign in text)
        return len(text)

    def fits(self, text: str) -> bool:
        return self.min <= self.length(text) <= self.max

    def flags(self, text: str) -> list[Flag]:
        """That it is too long or too short."""
        length = self.length(text)
        if length > self.max:
            return [flag("too_long", text, length=length, max=self.max, unit=self.count)]
        if length < self.min:
            return [flag("too_short", text, length=length, min=self.min, unit=self.count)]
        return []


@dataclass(frozen=True, slots=True)
class Channel:
    """``source`` says in words where the figures come from: they are typical, to be checked with the channel."""

    id: str
    name: Mapping[str, str]
    language: str
    limits: Mapping[str, Limit]
    forbidden: str
    source: str


def channel(name: str) -> Channel:
    """Raises InvalidInput ``channel_unknown``."""
    try:
        return channels()[name]
    except KeyError:
        known = ", ".join(sorted(channels()))
        raise InvalidInput(
            f"There is no channel “{name}”; known are {known}.", code="channel_unknown", channel=name, known=known
        ) from None


@lru_cache(maxsize=1)
def channels() -> Mapping[str, Channel]:
    """All of the file, by id."""
    table = json.loads((Path(__file__).parent / "channels.json").read_text(encoding="utf-8"))
    return {name: _channel(name, entry) for name, entry in table["channels"].items()}


def forbidden_flags(text: str, signs: str) -> list[Flag]:
    """Signs that the channel refuses in titles."""
    return [flag("sign_forbidden", sign, at, at + 1) for at, sign in enumerate(text) if sign in signs]


def _channel(name: str, entry: Mapping[str, Any]) -> Channel:
    parts = ("title", "point", "description")
    return Channel(
        id=name,
        name=entry["name"],
        language=entry["language"],
        limits={part: Limit(**entry[part]) for part in parts if part in entry},
        forbidden=entry.get("forbid", ""),
        source=entry["source"],
    )
