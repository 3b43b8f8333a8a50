"""Prompt templates: files of ``## role`` sections, rendered strictly, versioned by their hash."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

from app.llm.ports import Message

FOLDER = Path(__file__).parent / "prompts"
_SECTION = re.compile(r"^## (system|human|ai|history)\s*$", re.MULTILINE)
_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """``version`` is a hash of the text: part of every logged call and of the cache key."""

    name: str
    version: str
    template: ChatPromptTemplate

    def render(self, turns: Sequence[Message] = (), **values: str) -> list[Message]:
        """The messages to send. Raises KeyError when a variable of the template is missing."""
        past = [("human" if message.role == "user" else "ai", message.content) for message in turns]
        extra: dict[str, Any] = {"history": past} if "history" in self._placeholders() else {}
        return [_message(message) for message in self.template.format_messages(**values, **extra)]

    def _placeholders(self) -> set[str]:
        return {part.variable_name for part in self.template.messages if isinstance(part, MessagesPlaceholder)}


def load(name: str, folder: Path = FOLDER) -> PromptTemplate:
    """Read ``folder/name.md``. Raises FileNotFoundError, or ValueError for a file without sections."""
    text = (folder / f"{name}.md").read_text(encoding="utf-8")
    pieces = _SECTION.split(text)[1:]
    if not pieces:
        raise ValueError(f"{name}.md has no '## role' section.")
    parts: list[Any] = [
        MessagesPlaceholder("history") if role == "history" else (role, body.strip())
        for role, body in zip(pieces[::2], pieces[1::2], strict=True)
    ]
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return PromptTemplate(name, version, ChatPromptTemplate.from_messages(parts))


def _message(message: BaseMessage) -> Message:
    return Message(role=_ROLES[message.type], content=str(message.content))  # type: ignore[arg-type]
