"""A flag: what is doubtful about a copy, where, why, and what to do about it, in Chinese and English."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.copywriting.banned import BannedWord
from app.copywriting.evidence import Unsupported

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Flag:
    """``start`` and ``end`` are characters of the text; None when nothing of the text is to be pointed at.

    ``message`` and ``suggestion`` map ``zh`` and ``en`` to a sentence. ``source`` names the law, or fact ids.
    """

    rule: str
    text: str
    message: Mapping[str, str]
    suggestion: Mapping[str, str]
    start: int | None = None
    end: int | None = None
    category: str | None = None
    source: str | None = None

    def json(self) -> dict[str, Any]:
        """As it stands in a result."""
        return {name: getattr(self, name) for name in _FIELDS}

    def moved(self, by: int) -> "Flag":
        """The same in a longer text, in which this one starts at ``by``."""
        if self.start is None or self.end is None:
            return self
        return replace(self, start=self.start + by, end=self.end + by)


_FIELDS = ("rule", "category", "start", "end", "text", "message", "suggestion", "source")


def flag(rule: str, text: str = "", start: int | None = None, end: int | None = None, **values: str | int) -> Flag:
    """A flag with the sentences of ``texts.json``. Raises KeyError for a rule that is not there."""
    message, suggestion = _sentences(rule, text=text, **values)
    return Flag(
        rule, text, message, suggestion, start, end, source=str(values["source"]) if "source" in values else None
    )


def of_unsupported(problem: Unsupported, text: str) -> Flag:
    """The fact guard's find."""
    said = text[problem.start : problem.end]
    if problem.elsewhere:
        return flag("source_wrong", said, problem.start, problem.end, source=", ".join(filter(None, problem.elsewhere)))
    found = flag(f"{problem.kind}_unsupported", said, problem.start, problem.end)
    if problem.nearest is None:
        return found
    source, nearest = problem.nearest
    return replace(found, suggestion=_sentences("nearest", nearest=nearest, source=source)[1], source=source)


def of_banned(hit: BannedWord, text: str) -> Flag:
    """The list's find."""
    said = text[hit.start : hit.end]
    found = flag("banned_word", said, hit.start, hit.end)
    return replace(found, suggestion=hit.rule.suggestion, category=hit.rule.category, source=hit.rule.source)


def _sentences(rule: str, **values: str | int) -> tuple[dict[str, str], dict[str, str]]:
    both = _texts()[rule]
    message, suggestion = ({one: both[one][part].format(**values) for one in LANGUAGES} for part in (0, 1))
    return message, suggestion


@lru_cache(maxsize=1)
def _texts() -> dict[str, dict[str, list[str]]]:
    texts: dict[str, dict[str, list[str]]] = json.loads(
        (Path(__file__).parent / "texts.json").read_text(encoding="utf-8")
    )
    return texts
