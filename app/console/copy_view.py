"""The texts that a copy job wrote, with what is doubtful about them marked where it stands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from app.jobs.models import Job

# Keys under which a piece of a result has its words, most telling first.
_WORDS = ("text", "value")
_NAMES = ("name", "title", "label", "heading")


@dataclass(frozen=True, slots=True)
class CopyFlag:
    """``message`` and ``suggestion`` by language; ``number`` is the mark's, when it points at something."""

    message: Mapping[str, str]
    suggestion: Mapping[str, str]
    source: str
    number: int | None


@dataclass(frozen=True, slots=True)
class CopyPiece:
    """A stretch of a text; ``flags`` are the numbers of the marks on it. All pieces together are the text."""

    text: str
    flags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyText:
    """One title, point, attribute or whole text; ``sources`` are the facts it names."""

    name: str
    text: str
    pieces: tuple[CopyPiece, ...]
    flags: tuple[CopyFlag, ...]
    sources: tuple[str, ...]


def copy_texts(job: Job) -> list[CopyText]:
    """What a text job's result says, in its order; empty for other jobs."""
    if job.queue != "text" or job.result is None:
        return []
    facts = job.result.get("facts")
    known = facts if isinstance(facts, Mapping) else {}
    return [_copy_text(name, found, known) for name, found in _written(job.result, "")]


def overall_flags(job: Job) -> list[CopyFlag]:
    """What is doubtful about a result as a whole, such as too few titles."""
    given = (job.result or {}).get("flags") if job.queue == "text" else None
    return [_flag(flag, None, {}) for flag in given or () if isinstance(flag, Mapping)]


def _written(result: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every part of a result that has words; flags and facts have words too, but are not what was written."""
    if isinstance(result, Mapping):
        if _words_of(result) is not None:
            yield str(next((result[key] for key in _NAMES if result.get(key)), name)), result
            return
        for key, part in result.items():
            if key not in ("flags", "facts", "notes", "usage"):
                yield from _written(part, "")
    elif isinstance(result, Sequence) and not isinstance(result, str):
        for part in result:
            yield from _written(part, name)


def _words_of(found: Mapping[str, Any]) -> str | None:
    return next((found[key] for key in _WORDS if isinstance(found.get(key), str)), None)


def _copy_text(name: str, found: Mapping[str, Any], facts: Mapping[str, Any]) -> CopyText:
    text = _words_of(found) or ""
    given = [flag for flag in found.get("flags") or () if isinstance(flag, Mapping)]
    marks = [(_at(flag.get("start")), _at(flag.get("end"))) for flag in given]
    placed = [start < end <= len(text) for start, end in marks]
    numbers = [sum(placed[: at + 1]) if placed[at] else None for at in range(len(given))]
    flags = tuple(_flag(flag, number, facts) for flag, number in zip(given, numbers, strict=True))
    spans = [(*mark, number) for mark, number in zip(marks, numbers, strict=True) if number is not None]
    sources = tuple(_fact(str(source), facts) for source in found.get("sources") or ())
    return CopyText(name, text, tuple(_cut(text, spans)), flags, sources)


def _at(place: Any) -> int:
    return place if isinstance(place, int) and place >= 0 else 0


def _flag(flag: Mapping[str, Any], number: int | None, facts: Mapping[str, Any]) -> CopyFlag:
    sources = str(flag.get("source") or "").split(", ")
    source = " · ".join(_fact(one, facts) for one in sources)
    return CopyFlag(_both(flag.get("message")), _both(flag.get("suggestion")), source, number)


def _fact(name: str, facts: Mapping[str, Any]) -> str:
    """A fact with its number, as the texts name it."""
    return f"{name} {facts[name]}" if name in facts else name


def _both(said: Any) -> Mapping[str, str]:
    if isinstance(said, Mapping):
        return {language: str(said.get(language) or said.get("en") or "") for language in ("zh", "en")}
    return {"zh": str(said or ""), "en": str(said or "")}


def _cut(text: str, spans: Sequence[tuple[int, int, int]]) -> Iterator[CopyPiece]:
    """The text, cut where a mark begins or ends; marks may overlap."""
    edges = sorted({0, len(text), *(edge for start, end, _ in spans for edge in (start, end))})
    for start, end in pairwise(edges):
        yield CopyPiece(text[start:end], tuple(number for a, b, number in spans if a <= start and end <= b))
