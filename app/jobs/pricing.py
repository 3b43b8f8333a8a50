"""What work costs: a price table, an estimate before the run, the cost after it.

cost = prompt_tokens · input / 10⁶ + completion_tokens · output / 10⁶ + images · image + gpu_seconds · gpu_second
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.jobs.ports import Quantities
from app.settings import ModelPrice, Prices

# An estimate is an upper bound, with a repair round of a copy job in it; without one, about these shares are used.
_LEAST_PROMPT, _LEAST_COMPLETION = 0.45, 0.3
_MEDIAN, _NINE_TENTHS = 0.5, 0.9


def amount(used: Quantities, prices: Prices) -> float:
    """Money for quantities, rounded to a millionth."""
    model = prices.models.get(used.model or "", ModelPrice())
    tokens = (used.prompt_tokens * model.input + used.completion_tokens * model.output) / 1e6
    return round(tokens + used.images * prices.image + used.gpu_seconds * prices.gpu_second, 6)


def estimate_json(used: Quantities, prices: Prices, past_seconds: Sequence[float]) -> dict[str, Any]:
    """Quantities, a range of money and a range of seconds. ``past_seconds``: what jobs of this kind took lately."""
    least = Quantities(
        prompt_tokens=int(used.prompt_tokens * _LEAST_PROMPT),
        completion_tokens=int(used.completion_tokens * _LEAST_COMPLETION),
        images=used.images,
        gpu_seconds=used.gpu_seconds,
        model=used.model,
    )
    seconds = _seconds(used, past_seconds)
    return {
        "quantities": asdict(used),
        "amount": {"low": amount(least, prices), "high": amount(used, prices), "currency": prices.currency},
        "priced": used.model is None or used.model in prices.models,
        "seconds": {"low": seconds[0], "high": seconds[1], "measured": len(past_seconds)},
    }


def cost_json(used: Quantities, prices: Prices) -> dict[str, Any]:
    """What a job really used, and what that costs."""
    return {"quantities": asdict(used), "amount": amount(used, prices), "currency": prices.currency}


def total(estimates: Sequence[Mapping[str, Any]], currency: str) -> dict[str, Any]:
    """The sum of several estimates' money."""
    return {
        "low": round(sum(item["amount"]["low"] for item in estimates), 6),
        "high": round(sum(item["amount"]["high"] for item in estimates), 6),
        "currency": currency,
    }


def _seconds(used: Quantities, past: Sequence[float]) -> tuple[float, float]:
    """Median and 90 % of what was measured; before that the handler's own guess, and three times it."""
    if len(past) >= 5:
        ordered = sorted(past)
        return tuple(round(ordered[int(share * (len(ordered) - 1))], 1) for share in (_MEDIAN, _NINE_TENTHS))  # type: ignore[return-value]
    return round(used.seconds, 1), round(used.seconds * 3, 1)
