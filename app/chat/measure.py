"""How long earlier turns are, in tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.chat.history import PastTurn
from app.llm.tokens import TokenCounter


@dataclass(frozen=True, slots=True)
class Measure:
    """At most ``tokens`` of earlier turns are sent, as ``counter`` counts them for ``model``.

    Blocking: half a second at first use, then a millisecond for 2,000 characters.
    """

    counter: TokenCounter
    model: str
    tokens: int

    def of(self, turn: PastTurn) -> int:
        """The tokens of a turn."""
        return self.counter.count(f"{turn.question}\n{turn.answer}", self.model).tokens

    def newest(self, past: Sequence[PastTurn], most: int) -> tuple[int, int]:
        """How many turns, from the newest, have at most so many tokens together, one in any case; the tokens of all."""
        counts = [self.of(turn) for turn in past]
        fit, total = 0, 0
        for count in reversed(counts):
            total += count
            if fit and total > most:
                break
            fit += 1
        return fit, sum(counts)
