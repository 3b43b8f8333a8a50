"""Prompt templates: files in four parts, rendered strictly, versioned by their hash.

``## instruction`` (what to do), ``## context`` (with what), ``## input`` (what is asked) and ``## output`` (the
output indicator: in what form) must be there. ``## thinking`` asks for a chain of thought in <think> tags and is left
out, with the thoughts of the examples, when the switch is off: models that reason by themselves need none.
``## examples`` has ``### human``, ``### think`` and ``### ai`` in turn.

Sent are: instruction, context, output and thinking as the system's message; the examples; earlier turns; the input.
What is filled in stands in Python's format strings, as in LangChain's templates; theirs, which do the same with them,
take 0.7 s to import in every process.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from string import Formatter

from app.llm.ports import Message

PARTS = ("instruction", "context", "input", "output")
SECTION = re.compile(r"^## (\w+)\s*$", re.MULTILINE)
EXAMPLE = re.compile(r"^### (human|think|ai)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """``version`` is a hash of the text and the switch: part of every logged call and of the cache key.

    A text that was published here has its number before it: ``v3-0f1e2d3c4b5a``. ``text`` is what it was read from.
    ``system`` and ``asked`` are format strings, ``shown`` the examples as they are sent, ``given`` what is filled in
    beforehand.
    """

    name: str
    version: str
    system: str
    shown: tuple[Message, ...]
    asked: str
    text: str
    given: Mapping[str, str]

    @property
    def variables(self) -> frozenset[str]:
        """Those that it names."""
        return frozenset(chain(_named(self.system), _named(self.asked)))

    def showing(self, **values: str) -> "PromptTemplate":
        """The same with variables filled in beforehand; its version stays what it is."""
        return replace(self, given={**self.given, **values})

    def render(self, turns: Sequence[Message] = (), **values: str) -> list[Message]:
        """The messages to send. Raises KeyError when a variable of the template is missing."""
        values = {**self.given, **values}
        past = [Message("user" if turn.role == "user" else "assistant", turn.content) for turn in turns]
        system, asked = self.system.format_map(values), self.asked.format_map(values)
        return [Message("system", system), *self.shown, *past, Message("user", asked)]


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
    digest = hashlib.sha256(f"{think}\0{text}".encode()).hexdigest()[:12]
    made = PromptTemplate(
        name,
        digest if number is None else f"v{number}-{digest}",
        "\n\n".join(system),
        tuple(_examples(found.get("examples", ""), think=think)),
        found["input"],
        text,
        given={"examples": ""},  # until some are shown
    )
    if unusable := [variable for variable in made.variables if not variable.isidentifier()]:
        raise ValueError(f"{name}.md: {unusable[0]!r} is no variable.")
    return made


def _split(pattern: re.Pattern[str], text: str) -> list[tuple[str, str]]:
    pieces = pattern.split(text)[1:]
    return [(name, body.strip()) for name, body in zip(pieces[::2], pieces[1::2], strict=True)]


def _named(text: str) -> Iterator[str]:
    """The variables of a format string. Raises ValueError for one that cannot be read."""
    for _, name, form, conversion in Formatter().parse(text):
        if name is not None:
            yield f"{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}"


def _examples(text: str, *, think: bool) -> list[Message]:
    """Messages as they stand: braces in an example are no variables."""
    messages: list[Message] = []
    thought = ""
    for role, body in _split(EXAMPLE, text):
        if role == "human":
            messages.append(Message("user", body))
        elif role == "think":
            thought = f"<think>{body}</think>\n" if think else ""
        else:
            messages.append(Message("assistant", thought + body))
            thought = ""
    return messages
