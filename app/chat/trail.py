"""What a turn leaves for its receipt, beside its answer: what was found, how it was judged, what the model was sent.

Prompts are kept as they were sent. They could not be rendered again: the template may be another one by now, the turns
before may be shortened or deleted, and a client's instructions and the rounds of tools are kept nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.llm.ports import Message
from knowledge.answerability import Answerability
from knowledge.models import Passage

MOST_SENT = 60_000  # characters of all prompts of a turn together; six passages and the rest take 5,000
MOST_OF_A_PASSAGE = 600  # characters of one that the answer was not given; the others are kept with the turn


@dataclass(frozen=True, slots=True)
class Sent:
    """A prompt, ``at_ms`` after the question. ``left_out`` is how many characters of it were not kept."""

    purpose: str
    version: str
    at_ms: float
    messages: tuple[Message, ...]
    left_out: int = 0


@dataclass(slots=True)
class Trail:
    """Of a turn under way. ``pointless`` are the numbers of citations that were taken out of the answer; ``notes`` are
    :class:`knowledge.retriever.Retrieval`'s."""

    found: tuple[Passage, ...] = ()
    retrieval_ms: dict[str, float] = field(default_factory=dict)
    verdict: Answerability | None = None
    sent: list[Sent] = field(default_factory=list)
    pointless: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptTrail:
    """The same as kept. The first ``given`` of ``passages`` are the turn's evidence, whose texts are kept there."""

    passages: tuple[Passage, ...] = ()
    given: int = 0
    retrieval_ms: dict[str, float] = field(default_factory=dict)
    verdict: Answerability | None = None
    sent: tuple[Sent, ...] = ()
    pointless: tuple[int, ...] = ()
    shared: bool = False
    notes: tuple[str, ...] = ()


def kept(trail: Trail, evidence: Sequence[Passage], *, shared: bool) -> KeptTrail:
    """Within bounds. Evidence is what was found, up to some passage."""
    others = (trail.found or tuple(evidence))[len(evidence) :]
    return KeptTrail(
        (*(replace(each, text="", before="", after="") for each in evidence), *map(_begun, others)),
        len(evidence),
        trail.retrieval_ms,
        trail.verdict,
        tuple(_within(trail.sent, MOST_SENT)),
        trail.pointless,
        shared,
        trail.notes,
    )


def _begun(passage: Passage) -> Passage:
    return replace(passage, text=passage.text[:MOST_OF_A_PASSAGE], before="", after="")


def _within(sent: Sequence[Sent], room: int) -> list[Sent]:
    """The beginnings of prompts that are too long together; what came first counts."""
    prompts = []
    for prompt in sent:
        messages, left_out = [], 0
        for message in prompt.messages:
            content = message.content[:room]
            room -= len(content)
            left_out += len(message.content) - len(content)
            messages.append(replace(message, content=content))
        prompts.append(replace(prompt, messages=tuple(messages), left_out=left_out))
    return prompts
