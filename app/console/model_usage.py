"""What the models of this installation did for a tenant in the last month: by model, and by day."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from app.llm.calls import DayOfModel, ModelCalls

DAYS = 30


@dataclass(slots=True)
class Line:
    """A row of a table. ``amounts`` by currency, of calls whose price is known; ``first_token_ms`` the mean."""

    name: str
    calls: int = 0
    failed: int = 0
    taken_over: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    amounts: dict[str, float] = field(default_factory=dict)
    begun: int = 0
    waited_ms: float = 0.0

    @property
    def first_token_ms(self) -> float | None:
        return self.waited_ms / self.begun if self.begun else None

    def add(self, part: DayOfModel) -> None:
        self.calls += part.calls
        self.failed += part.failed
        self.taken_over += part.taken_over
        self.prompt_tokens += part.prompt_tokens
        self.completion_tokens += part.completion_tokens
        self.begun += part.begun
        self.waited_ms += part.waited_ms
        if part.priced:
            self.amounts[part.currency] = self.amounts.get(part.currency, 0.0) + part.amount


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Models, the most used first; days, the newest first."""

    models: Sequence[Line]
    days: Sequence[Line]


async def model_usage_of(calls: ModelCalls, tenant: str) -> ModelUsage:
    """Both are empty where no model was ever called."""
    found = await calls.daily(tenant, days=DAYS)
    models = sorted(_lines(found, lambda part: part.endpoint), key=lambda line: -line.calls)
    return ModelUsage(models, _lines(found, lambda part: part.day.isoformat()))


def _lines(parts: Iterable[DayOfModel], name_of: Callable[[DayOfModel], str]) -> list[Line]:
    lines: dict[str, Line] = {}
    for part in parts:
        lines.setdefault(name_of(part), Line(name_of(part))).add(part)
    return list(lines.values())
