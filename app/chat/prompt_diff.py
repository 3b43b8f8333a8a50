"""What is different between two versions of a template, line by line."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Literal

from app.chat.prompt_versions import PromptVersion


@dataclass(frozen=True, slots=True)
class Line:
    """``old`` and ``new`` are its numbers on both sides, from 1; None where it is not there."""

    kind: Literal["same", "gone", "new"]
    text: str
    old: int | None
    new: int | None


def lines(old: PromptVersion, new: PromptVersion) -> list[Line]:
    """Both texts whole, in one list."""
    return list(_lines(old.text.splitlines(), new.text.splitlines()))


def unified(old: PromptVersion, new: PromptVersion) -> str:
    """As ``diff -u`` writes it; empty when nothing is different."""
    names = (f"{old.name} v{old.number}", f"{new.name} v{new.number}")
    return "\n".join(unified_diff(old.text.splitlines(), new.text.splitlines(), *names, lineterm=""))


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Line("same", old[a + i], a + i + 1, c + i + 1) for i in range(b - a))
        else:
            yield from (Line("gone", old[i], i + 1, None) for i in range(a, b))
            yield from (Line("new", new[i], None, i + 1) for i in range(c, d))
