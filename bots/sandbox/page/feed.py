"""What a page has not been told yet."""

from collections.abc import Callable, Mapping
from typing import Any

from bots.sandbox.wire import Json, dump


class Feed:
    """For one reader. ``parts`` gives everything there is, by part; ``items`` are told one by one."""

    def __init__(self, parts: Callable[[], Mapping[str, Any]], items: Callable[[], Mapping[str, Json]]) -> None:
        self._parts = parts
        self._items = items
        self._told: dict[str, str] = {}

    def news(self) -> Json | None:
        """``{part: value, items: {number: item}}`` with what changed; None for nothing."""
        news = {name: value for name, value in self._parts().items() if self._is_new(name, value)}
        items = {name: value for name, value in self._items().items() if self._is_new(f"item {name}", value)}
        if items:
            news["items"] = items
        return news or None

    def _is_new(self, name: str, value: object) -> bool:
        text = dump(value)
        if self._told.get(name) == text:
            return False
        self._told[name] = text
        return True
