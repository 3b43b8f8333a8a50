"""How an answer is shown: as richly as the settings, the load and the month allow, and why not more richly."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from app.channels.calls import level
from bots.dingtalk.standing import Standing, Terms

Rung: TypeAlias = Literal["stream", "coarse", "final", "markdown", "stored"]
Reason: TypeAlias = Literal[
    "normal",
    "no_template",
    "streaming_off",
    "load",
    "pace",
    "soft_limit",
    "month_nearly_spent",
    "month_spent",
    "messages_spent",
]

COARSE_SECONDS = 4.0  # an answer of 15 s is then six or seven calls, not twenty
CARD_CALLS = 3  # create, final frame, and the buttons and sources at the end
NEARLY = 100  # calls; below them thirty whole cards are worth more than five that grow
PACE_SHARE = 0.2  # of the month's calls: before that a busy first morning looks like a busy month


@dataclass(frozen=True, slots=True)
class Rules:
    """What is set: whether there is a card at all, whether it grows and how often, and when one begins to save."""

    template: bool
    streaming: bool = True
    frame_seconds: float = 0.8
    soft_limit: float = 0.8
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True)
class Step:
    """``frame_seconds`` lie between two frames; None: there is none before the last."""

    rung: Rung
    reason: Reason
    frame_seconds: float | None = None

    @property
    def frames_per_second(self) -> float:
        """What this answer adds to the load."""
        return 1 / self.frame_seconds if self.frame_seconds else 0.0


def choose(rules: Rules, month: Standing) -> Step:
    """The highest rung that nothing speaks against. ``month`` does not count the answer that this is about."""
    if not rules.template:
        return _written(month, "no_template")
    if month.calls_left < CARD_CALLS:
        return _written(month, "month_spent")
    reason = _against_frames(rules, month)
    return Step("final", reason) if reason else _growing(rules, month)


def _written(month: Standing, reason: Reason) -> Step:
    """A message, by webhook or by call, as long as there is one left."""
    if month.messages_left or month.calls_left:
        return Step("markdown", reason)
    return Step("stored", "messages_spent")


def _against_frames(rules: Rules, month: Standing) -> Reason | None:
    if not rules.streaming:
        return "streaming_off"
    if month.calls_left < NEARLY:
        return "month_nearly_spent"
    used = month.calls_used + month.promised
    return "soft_limit" if level(used, month.calls_limit, soft=rules.soft_limit) == "soft" else None


def _growing(rules: Rules, month: Standing) -> Step:
    often = Step("stream", "normal", rules.frame_seconds)
    coarse = max(COARSE_SECONDS, rules.frame_seconds)
    free = rules.terms.qps - rules.terms.reserve - month.frames_per_second
    if free < 1 / coarse:
        return Step("final", "load")
    if free < often.frames_per_second:
        return Step("coarse", "load", coarse)
    if month.ends_on and month.calls_used >= month.calls_limit * PACE_SHARE:
        return Step("coarse", "pace", coarse)
    return often
