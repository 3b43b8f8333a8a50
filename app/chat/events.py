"""What happens while an answer is made: a closed union of frozen values. A stream always ends in Done or Failed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from knowledge.models import Copy, Passage, Place


@dataclass(frozen=True, slots=True)
class Started:
    turn_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What is being done until the first token: retrieving, reading, writing."""

    stage: Literal["retrieving", "reading", "writing"]


@dataclass(frozen=True, slots=True)
class Sources:
    """The evidence; passage n of it is what [n] in the answer means."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model's thinking, never part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Token:
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """The model calls a tool that the client brought, and the client runs; ``arguments`` is JSON as it wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this turn started; follow it at ``/v1/jobs/{id}/events``, also after the turn has ended."""

    id: str
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Questions to ask next, one to three; for readers that said they show them."""

    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer.

    ``finish`` is stop, length (the model ran out of tokens), content_filter (the endpoint withheld it or its rest),
    stopped (by the user) or tool_calls (it goes on when the client has run them). ``model`` is the one that answered.
    """

    turn_id: str
    conversation_id: str
    answer: str
    citations: tuple[int, ...] = ()
    refused: bool = False
    cached: Literal["exact", "evidence"] | None = None
    curated: bool = False
    model: str = ""
    finish: str = "stop"
    notice: Literal["no_model"] | None = None
    usage: dict[str, int] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The end when something went wrong: a stable code and a sentence."""

    turn_id: str
    conversation_id: str
    code: str
    message: str


Event: TypeAlias = Started | Stage | Sources | Reasoning | Token | Tool | Job | Suggestions | Done | Failed


def name_of(event: Event) -> str:
    """The SSE event name."""
    return type(event).__name__.lower()


def payload_of(event: Event) -> dict[str, Any]:
    """The JSON of an event, as design.md §6 promises it."""
    if isinstance(event, Sources):
        return {"passages": [{"n": n, **passage_json(passage)} for n, passage in enumerate(event.passages, 1)]}
    return asdict(event)


def passage_json(passage: Passage) -> dict[str, Any]:
    """The JSON of a passage, in answers and in search results."""
    return {
        "document": passage.document,
        "document_id": passage.document_id,
        "chunk_id": passage.chunk_id,
        "kb": passage.kb,
        "heading": passage.place.heading,
        "page": passage.place.page,
        "sheet": passage.place.sheet,
        "row": passage.place.row,
        "text": passage.text,
        "before": passage.before,
        "after": passage.after,
        "score": round(passage.score, 6),
        "also_in": [copy_json(copy) for copy in passage.also_in],
    }


def copy_json(copy: Copy) -> dict[str, Any]:
    place = copy.place
    where = {"heading": place.heading, "page": place.page, "sheet": place.sheet, "row": place.row}
    return {
        "document": copy.document,
        "document_id": copy.document_id,
        "chunk_id": copy.chunk_id,
        "kb": copy.kb,
        **where,
    }


def passage_of(data: Mapping[str, Any]) -> Passage:
    """From :func:`passage_json`, as it is kept with a turn; older ones have no surroundings and no copies."""
    names = ("chunk_id", "document_id", "document", "kb", "text", "score")
    around = {name: data.get(name, "") for name in ("before", "after")}
    copies = tuple(_copy_of(copy) for copy in data.get("also_in", ()))
    return Passage(**{name: data[name] for name in names}, **around, place=_place(data), also_in=copies)


def _copy_of(data: Mapping[str, Any]) -> Copy:
    return Copy(data["chunk_id"], data["document_id"], data["document"], data["kb"], _place(data))


def _place(data: Mapping[str, Any]) -> Place:
    return Place(data["heading"], data["page"], data["sheet"], data["row"])
