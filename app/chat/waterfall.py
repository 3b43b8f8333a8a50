"""What an answer's time went into: spans on one line of time, from the question to the end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.chat.receipts import Receipt

Step: TypeAlias = Literal[
    "retrieve", "embed", "dense", "lexical", "rerank", "sections", "call", "replay", "share", "say", "total"
]


@dataclass(frozen=True, slots=True)
class Span:
    """``start`` after the question, ``length`` and, of it, ``waiting`` for the first token, all in milliseconds.

    ``purpose`` is a call's prompt template; ``within`` says that the span is a part of the one above it.
    """

    step: Step
    start: float
    length: float
    waiting: float = 0.0
    purpose: str = ""
    within: bool = False


def spans(receipt: Receipt) -> list[Span]:
    """In the order in which they began, the whole last; empty for a turn that has not ended, or not by itself."""
    whole = receipt.timings_ms.get("total")
    if whole is None:
        return []
    groups = [*_calls(receipt), [*_retrieval(receipt)]]
    if not receipt.calls:
        groups.append([_without_a_model(receipt, whole)])
    begun = sorted((group for group in groups if group), key=lambda group: group[0].start)
    return [span for group in begun for span in group] + [Span("total", 0.0, whole)]


def _calls(receipt: Receipt) -> Iterator[list[Span]]:
    """Calls follow one another, each after its prompt was sent."""
    sent = receipt.trail.sent if receipt.trail else ()
    for prompt, call in zip(sent, receipt.calls, strict=False):
        waiting = call.first_token_ms or 0.0
        yield [Span("call", prompt.at_ms, call.total_ms, waiting=waiting, purpose=call.purpose)]


def _retrieval(receipt: Receipt) -> Iterator[Span]:
    took = receipt.trail.retrieval_ms if receipt.trail else {}
    end = receipt.timings_ms.get("retrieved")
    if end is None or "total" not in took:
        return
    start = max(0.0, end - took["total"])
    yield Span("retrieve", start, took["total"])
    searching = start + took.get("embed", 0.0)
    yield Span("embed", start, took.get("embed", 0.0), within=True)
    yield Span("dense", searching, took.get("dense", 0.0), within=True)
    yield Span("lexical", searching, took.get("lexical", 0.0), within=True)
    around = start + took["total"] - took.get("sections", 0.0)
    if "rerank" in took:
        yield Span("rerank", around - took["rerank"], took["rerank"], within=True)
    if "sections" in took:
        yield Span("sections", around, took["sections"], within=True)


def _without_a_model(receipt: Receipt, whole: float) -> Span:
    start = receipt.timings_ms.get("retrieved", 0.0)
    end = receipt.timings_ms.get("first_token", whole)
    if receipt.cached:
        return Span("replay", start, max(0.0, end - start))
    if receipt.trail and receipt.trail.shared:
        return Span("share", start, whole - start, waiting=max(0.0, end - start))
    return Span("say", start, whole - start)
