"""What is wrong with the text of a template, before it is kept: all that would fail, or be lost, when it is used.

Braces are those of Python's format strings: ``{question}`` is a variable, ``{{`` and ``}}`` are braces. Sections and
examples are known to :mod:`app.llm.prompts`; in examples braces mean nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.llm.prompts import EXAMPLE, PARTS, SECTION
from knowledge.errors import InvalidInput

LONGEST = 20_000

# What a template is given, by name: what it has to name, and what it may.
REQUIRED = {
    "answer": ("question", "evidence"),
    "condense": ("question", "history"),
    "suggest": ("question", "answer"),
    "assist": ("question", "evidence"),
    "work": ("question", "evidence"),
}
OPTIONAL = {
    "answer": ("today", "examples"),
    "condense": (),
    "suggest": ("material",),
    "assist": ("today",),
    "work": ("today", "pictures"),
}
SECTIONS = (*PARTS, "thinking", "examples")

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}|[{}]")
_ASKED = ("question", "answer")  # belongs into the input; everything else into the context
_SENTENCES = {
    "prompt_too_long": "The text has more than {name} characters.",
    "prompt_text_outside": "Line {line}: this text stands before the first section and would be left out.",
    "prompt_section_missing": "The section “## {name}” is missing, or empty.",
    "prompt_section_unknown": "Line {line}: there is no section “{name}”.",
    "prompt_section_twice": "Line {line}: the section “{name}” is there already.",
    "prompt_variable_unknown": "Line {line}: this template is given no variable “{name}”.",
    "prompt_variable_missing": "Line {line}: the variable “{name}” has to be used.",
    "prompt_brace_unbalanced": "Line {line}: “{name}” stands alone; write it twice if it is to be shown.",
    "prompt_example_incomplete": "Line {line}: an example is “### human”, perhaps “### think”, then “### ai”.",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """``line`` counts from 1; ``name`` is the variable, section or brace that it is about."""

    code: str
    line: int
    name: str = ""

    @property
    def sentence(self) -> str:
        return _SENTENCES[self.code].format(line=self.line, name=self.name)


class PromptRefused(InvalidInput):
    """A text that cannot be a template; it has the code of the first of its ``flaws``, with ``line`` and ``name``."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        first = flaws[0]
        super().__init__(first.sentence, code=first.code, line=first.line, name=first.name)
        self.flaws = tuple(flaws)


def check(name: str, text: str) -> None:
    """Raises PromptRefused."""
    if found := flaws(name, text):
        raise PromptRefused(found)


def flaws(name: str, text: str) -> list[Flaw]:
    """Everything that is wrong with the text of a template of this name, from the top."""
    if len(text) > LONGEST:
        return [Flaw("prompt_too_long", 1, str(LONGEST))]
    sections = list(_sections(text))
    found = [*_order(text, sections), *_variables(name, text, sections)]
    return sorted(found, key=lambda flaw: flaw.line)


@dataclass(frozen=True, slots=True)
class _Section:
    """``line`` is that of its head; its body begins on the next."""

    name: str
    body: str
    line: int


def _sections(text: str) -> Iterator[_Section]:
    heads = list(SECTION.finditer(text))
    for head, end in zip(heads, _ends(heads, text), strict=True):
        yield _Section(head[1], text[head.end(1) : end], _line(text, head.start()))


def _order(text: str, sections: Sequence[_Section]) -> Iterator[Flaw]:
    """Sections that are missing, unknown, there twice; text that belongs to none; broken examples."""
    first = SECTION.search(text)
    before = text[: first.start()] if first else text
    if before.strip():
        yield Flaw("prompt_text_outside", _line(text, len(before) - len(before.lstrip())))
    seen: set[str] = set()
    for section in sections:
        if section.name not in SECTIONS:
            yield Flaw("prompt_section_unknown", section.line, section.name)
        elif section.name in seen:
            yield Flaw("prompt_section_twice", section.line, section.name)
        elif section.name == "examples":
            yield from _examples(section)
        seen.add(section.name)
    full = {section.name for section in sections if section.body.strip()}
    last = text.rstrip().count("\n") + 1
    yield from (Flaw("prompt_section_missing", last, part) for part in PARTS if part not in full)


def _examples(section: _Section) -> Iterator[Flaw]:
    """Turns in order, each with words."""
    heads = list(EXAMPLE.finditer(section.body))
    roles = " ".join(head[1] for head in heads)
    for head, end in zip(heads, _ends(heads, section.body), strict=True):
        if not section.body[head.end() : end].strip():
            yield Flaw("prompt_example_incomplete", section.line + section.body.count("\n", 0, head.start()))
            return
    lead = section.body[: heads[0].start()] if heads else section.body
    if lead.strip() or not re.fullmatch(r"(human( think)? ai ?)*", roles):
        yield Flaw("prompt_example_incomplete", section.line)


def _variables(name: str, text: str, sections: Sequence[_Section]) -> Iterator[Flaw]:
    known = {*REQUIRED[name], *OPTIONAL[name]}
    used: set[str] = set()
    for section in sections:
        if section.name not in (*PARTS, "thinking"):
            continue
        for found in _BRACES.finditer(section.body):
            line = section.line + section.body.count("\n", 0, found.start())
            if found[0] in ("{", "}"):
                yield Flaw("prompt_brace_unbalanced", line, found[0])
            elif found[1] is not None and found[1] not in known:
                yield Flaw("prompt_variable_unknown", line, found[1])
            elif found[1] is not None and section.name in PARTS:
                used.add(found[1])
    heads = {section.name: section.line for section in sections}
    for variable in REQUIRED[name]:
        if variable not in used:
            home = "input" if variable in _ASKED else "context"
            yield Flaw("prompt_variable_missing", heads.get(home, text.rstrip().count("\n") + 1), variable)


def _ends(heads: Sequence[re.Match[str]], text: str) -> list[int]:
    """Where what each of them begins is over: at the next one."""
    return [*(head.start() for head in heads[1:]), len(text)][: len(heads)]


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
