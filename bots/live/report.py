"""What was seen, step by step, as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from knowledge.language import Language, Texts

TEXTS = Texts(Path(__file__).with_name("texts.json"))


@dataclass(frozen=True, slots=True)
class Seen:
    """A step and what was seen in it: sentences without any secret. ``made`` is False where nobody agreed to it."""

    step: str
    made: bool = False
    lines: list[str] = field(default_factory=list)


def rendered(seen: Sequence[Seen], language: Language) -> str:
    """One report."""
    parts = [f"# {TEXTS.say('report.title', language)}"]
    for one in seen:
        parts.append(f"## {TEXTS.say(f'{one.step}.title', language)}")
        lines = one.lines or [TEXTS.say("report.nothing" if one.made else "report.left_out", language)]
        parts.append("\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"
