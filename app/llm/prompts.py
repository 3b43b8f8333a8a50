"""Prompt templates: files in four parts, rendered strictly, versioned by their hash.

``## instruction`` (what to do), ``## context`` (with what), ``## input`` (what is asked) and ``## output`` (the
output indicator: in what form) must be there. ``## thinking`` asks for a chain of thought in <think> tags and is left
out, with the thoughts of the examples, when the switch is off: models that reason by themselves need none.
``## examples`` has ``### human``, ``### think`` and ``### ai`` in turn.

Sent are: instruction, context, output and thinking as the system's message; the examples; earlier turns; the input.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

from app.llm.ports import Message, Role

PARTS = ("instruction", "context", "input", "output")
SECTION = re.compile(r"^## (\w+)\s*$", re.MULTILINE)
EXAMPLE = re.compile(r"^### (human|think|ai)\s*$", re.MULTILINE)
_ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant"}


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """``version`` is a hash of the text and the switch: part of every logged call and of the cache key.

    A text that was published here has its number before it: ``v3-0f1e2d3c4b5a``. ``text`` is what it was read from.
    """

    name: str
    version: str
    template: ChatPromptTemplate
    text: str

    @property
    def variables(self) -> frozenset[str]:
        """Those that it names."""
        return frozenset(self.template.input_variables) - {"past"} | frozenset(self.template.partial_variables)

    def showing(self, **values: str) -> "PromptTemplate":
        """The same with variables filled in beforehand; its version stays what it is."""
        return replace(self, template=self.template.partial(**values))

    def render(self, turns: Sequence[Message] = (), **values: str) -> list[Message]:
        """The messages to send. Raises KeyError when a variable of the template is missing."""
        past = [HumanMessage(turn.content) if turn.role == "user" else AIMessage(turn.content) for turn in turns]
        return [_message(message) for message in self.template.format_messages(past=past, **values)]


def load(name: str, *, folder: Path, think: bool = True) -> PromptTemplate:
    """Read ``folder/name.md``; ``think`` is the chain-of-thought switch.

    Raises FileNotFoundError, or ValueError for a file that lacks one of the four parts.
    """
    return parse(name, (folder / f"{name}.md").read_text(encoding="utf-8"), think=think)


def parse(name: str, text: str, *, think: bool, number: int | None = None) -> PromptTemplate:
    """A template from its text; ``number`` is that of a published version. Raises ValueError: it lacks a part."""
    parts = _split(SECTION, text)
    found = dict(parts)
    missing = [part for part in PARTS if part not in found]
    if missing:
        raise ValueError(f"{name}.md has no part {', '.join(missing)}.")
    system = [found["instruction"], found["context"], found["output"]]
    if think and "thinking" in found:
        system.append(found["thinking"])
    template = ChatPromptTemplate.from_messages(
        [
            ("system", "\n\n".join(system)),
            *_examples(found.get("examples", ""), think=think),
            MessagesPlaceholder("past"),
            ("human", found["input"]),
        ]
    )
    if "examples" in template.input_variables:
        template = template.partial(examples="")  # until some are shown
    digest = hashlib.sha256(f"{think}\0{text}".encode()).hexdigest()[:12]
    return PromptTemplate(name, digest if number is None else f"v{number}-{digest}", template, text)


def _split(pattern: re.Pattern[str], text: str) -> list[tuple[str, str]]:
    pieces = pattern.split(text)[1:]
    return [(name, body.strip()) for name, body in zip(pieces[::2], pieces[1::2], strict=True)]


def _examples(text: str, *, think: bool) -> list[BaseMessage]:
    """Messages as they stand: braces in an example are no variables."""
    messages: list[BaseMessage] = []
    thought = ""
    for role, body in _split(EXAMPLE, text):
        if role == "human":
            messages.append(HumanMessage(body))
        elif role == "think":
            thought = f"<think>{body}</think>\n" if think else ""
        else:
            messages.append(AIMessage(thought + body))
            thought = ""
    return messages


def _message(message: BaseMessage) -> Message:
    return Message(role=_ROLES[message.type], content=str(message.content))
