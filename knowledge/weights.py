"""How much the parts of a passage's score count in a knowledge base: as shipped, or as learned from questions to it."""

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the parts in :mod:`knowledge.fusion`, whose words count 1; ``codes`` of all of the question's codes, if no
    other candidate has them; ``document`` of the best three chunks of a document together. ``threshold`` is what
    counts as answered where quotes are all there is, see :func:`knowledge.answerability.assess`.
    """

    meaning: float = 1.0
    characters: float = 0.5
    codes: float = 1.5
    document: float = 0.6
    threshold: float = 0.5


SHIPPED = Weights()


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of the shipped weights and of the learned ones, on questions they were not learned from.

    ``low`` and ``high`` hold 95 % of the resampled gains; a gain is better, whatever the figure.
    """

    shipped: float
    learned: float
    gain: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Surely so: chance alone gives this one time in forty."""
        return self.low > 0


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was learned for a knowledge base on ``model``, from ``questions``; ``unanswerable`` of them had no answer.

    ``order`` is the mean reciprocal rank of the right document; ``refusals`` the mean of the shares of false refusals
    and false answers, None where there were too few questions of either kind. What is not better is as shipped.
    """

    weights: Weights
    model: str
    questions: int
    unanswerable: int
    order: Measured
    refusals: Measured | None
    learned_at: datetime
    learned_by: str | None = None

    @property
    def better(self) -> bool:
        return self.order.better or (self.refusals is not None and self.refusals.better)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"learned_at": self.learned_at.isoformat()}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Tuning":
        """What :meth:`as_json` gave."""
        refusals = kept["refusals"]
        read = {
            "weights": Weights(**kept["weights"]),
            "order": Measured(**kept["order"]),
            "refusals": Measured(**refusals) if refusals else None,
            "learned_at": datetime.fromisoformat(kept["learned_at"]),
        }
        return cls(**kept | read)


def together(several: Sequence[Weights]) -> Weights:
    """What a question to several knowledge bases is weighed with: their mean."""
    if len(set(several)) <= 1:
        return several[0] if several else SHIPPED
    columns = zip(*map(astuple, several), strict=True)
    return Weights(*(sum(column) / len(several) for column in columns))
