"""The chat's prompt templates, in ``prompts/*.md``; how such files are read is known to :mod:`app.llm.prompts`.

They are version 0 of what a tenant may change: see :mod:`app.chat.prompt_versions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from app.llm import prompts
from app.llm.prompts import PromptTemplate

FOLDER = Path(__file__).parent / "prompts"

load = partial(prompts.load, folder=FOLDER)


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The templates that a turn is answered with, by what they are for."""

    answer: PromptTemplate
    condense: PromptTemplate
    suggest: PromptTemplate
    assist: PromptTemplate
    work: PromptTemplate

    def named(self, name: str) -> PromptTemplate:
        """One of :data:`NAMES`."""
        found: PromptTemplate = getattr(self, name)
        return found

    def having(self, others: Mapping[str, PromptTemplate]) -> "PromptSet":
        """The same with these in place of those of the same name."""
        return replace(self, **others)


NAMES = tuple(each.name for each in fields(PromptSet))


def shipped(*, think: bool = True) -> PromptSet:
    """The files of this release."""
    return PromptSet(**{name: load(name, think=think) for name in NAMES})
