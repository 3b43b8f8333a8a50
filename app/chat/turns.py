"""A question as it is asked, and the turn that answers it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app.chat.history import PastTurn
from app.chat.prompts import PromptSet
from app.chat.trail import Sent, Trail
from app.llm.ports import Message, ToolSpec
from app.llm.prompts import PromptTemplate
from knowledge.models import Passage, State
from knowledge.ports import Vector


@dataclass(frozen=True, slots=True)
class Brought:
    """What a client that keeps the conversation itself sends along with a question.

    ``tools`` are the client's: the model's calls of them are its answer. ``since`` are such calls, and what came of
    them, since the question.
    """

    past: tuple[PastTurn, ...] = ()
    instructions: str = ""
    tools: tuple[ToolSpec, ...] = ()
    since: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A question of a tenant's user. ``kbs`` None means all of the tenant's knowledge bases.

    ``attachments`` are artifact ids of pictures; ``may_work`` says whether this user may start jobs, whose results the
    channel brings to ``reply_to``. ``once`` names the message: asked again, it starts no job a second time. With
    ``brought`` the turns before it are those that the client says. ``no_cache``: no kept answer will do; the one that
    is made may be kept. ``suggests``: whoever reads the answer is shown questions to ask next.
    """

    tenant: str
    question: str
    kbs: tuple[str, ...] | None = None
    conversation_id: str | None = None
    channel: str = "api"
    regenerates: str | None = None
    attachments: tuple[str, ...] = ()
    requester: str | None = None
    may_work: bool = False
    no_cache: bool = False
    suggests: bool = False
    reply_to: Mapping[str, Any] = field(default_factory=dict)
    once: str | None = None
    brought: Brought | None = None


@dataclass(slots=True)
class Turn:
    """An answer in the making: what a stop or a failure has to work with. ``prompts`` are its tenant's."""

    id: str
    conversation_id: str
    ask: Ask
    condensed: str
    prompts: PromptSet
    evidence: tuple[Passage, ...] = ()
    found: tuple[Passage, ...] = ()  # for a question; the evidence is what of it was given
    suggestions: tuple[str, ...] = ()
    text: list[str] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    finish: str = "stop"
    model: str = ""  # that answers, where it may be one of several
    refused: bool = False
    cached: Literal["exact", "evidence"] | None = None
    alike: bool = False  # … and by a similar question, not the same
    takes: bool = False  # may be answered from the cache
    keeps: bool = False  # its answer may be kept
    vector: Vector | None = None
    past_tokens: int = 0  # of the turns before it, as many as there are
    shares: bool = False  # a generation that somebody else began
    made_with: dict[str, int] = field(default_factory=dict)  # usage of the generation, whoever began it
    saved: int | None = None
    curated: str | None = None  # id of the curated answer that answers it
    states: dict[str, State] = field(default_factory=dict)  # of the knowledge bases, by id
    timings_ms: dict[str, float] = field(default_factory=dict)
    trail: Trail = field(default_factory=Trail)
    started: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """Milliseconds since the question, under a name; the first one counts."""
        if name not in self.timings_ms:
            self.timings_ms[name] = self._elapsed_ms()

    def sends(self, template: PromptTemplate, messages: Sequence[Message]) -> None:
        """Note a prompt that the model is about to be sent."""
        self.trail.sent.append(Sent(template.name, template.version, self._elapsed_ms(), tuple(messages)))

    def spend(self, usage: dict[str, int]) -> None:
        """Tokens of the generation: saved, where somebody else had begun it."""
        self.made_with = usage
        if self.shares:
            self.saved = sum(usage.values())
        else:
            self.usage = usage

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self.started) * 1000, 1)
