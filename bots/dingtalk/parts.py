"""Markdown as DingTalk's messages carry it, cut where a message would be more than DingTalk takes.

Sizes are counted as sent: JSON escapes quotes, backslashes and line ends, and what the API calls ``msgParam`` is a
string of JSON inside JSON, so it does so twice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.dingtalk.markdown import split_bytes
from bots.dingtalk.wire import as_json
from bots.messages import Target

WEBHOOK_BYTES = 20_000  # of a whole body
PARAM_BYTES = 15_000  # of a msgParam
_TITLE_CHARS = 40  # more is not shown in the chat list
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[#>*`_~|]+")


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One message, not longer than DingTalk takes."""

    text: str
    title: str
    mention: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """Somebody is only notified who stands in the text as well."""
        if self.mention is None:
            return {"msgtype": "markdown", "markdown": {"title": self.title, "text": self.text}}
        markdown = {"title": self.title, "text": f"@{self.mention}\n\n{self.text}"}
        return {"msgtype": "markdown", "markdown": markdown, "at": {"atUserIds": [self.mention], "isAtAll": False}}


def title_of(markdown: str) -> str:
    """The first words, for the chat list; DingTalk refuses a message without a title."""
    lines = (_MARKUP.sub(r"\1", line).strip() for line in markdown.splitlines())
    return next((line[:_TITLE_CHARS] for line in lines if line), "…")


def webhook_messages(markdown: str, *, title: str, mention: str | None, spare: int = 0) -> list[WebhookMessage]:
    """In order. ``mention`` is a staff id; the first message names and notifies them. ``spare`` bytes stay free."""
    room = WEBHOOK_BYTES - spare - len(as_json(WebhookMessage("", title, mention).body))
    texts = split_bytes(markdown, room, size=_once)
    return [WebhookMessage(text, title, None if at else mention) for at, text in enumerate(texts)]


def api_params(markdown: str, *, title: str) -> list[str]:
    """Values of ``msgParam`` for ``sampleMarkdown``, in order."""
    room = PARAM_BYTES - _twice(title) - len(r"{\"title\":\"\",\"text\":\"\"}")
    return [param({"title": title, "text": part}) for part in split_bytes(markdown, room, size=_twice)]


def param(values: Mapping[str, str]) -> str:
    return as_json(values).decode()


def mentioned(target: Target) -> str | None:
    """Whom a message in a group can notify."""
    return target.account if target.kind == "group" else None


def _once(text: str) -> int:
    return len(as_json({"": text})) - len('{"":""}')


def _twice(text: str) -> int:
    return _once(param({"": text})) - len(r"{\"\":\"\"}")
