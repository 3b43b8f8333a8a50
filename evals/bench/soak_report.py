"""What a soak found, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

Memory: TypeAlias = Sequence[tuple[float, int]]
"""When, in seconds, and how many bytes."""

MB = 1 << 20
WARM_UP = 0.5  # of the run, before memory is looked at: a process keeps its last 256 turns, and must have had them


@dataclass(frozen=True, slots=True)
class SoakReport:
    """Times in milliseconds for acknowledgements, in seconds for answers; memory in MB of the bot that lives on.

    ``plain_calls`` is what one answer costs a bot that sends every piece. ``repeated``: what was said later,
    or again for who asked. ``broken`` are the sandbox's rules.
    """

    minutes: float
    seed: int
    messages: int
    clicks: int
    answered: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    repeated: int
    broken: tuple[str, ...]
    restarts: int
    troubles: Mapping[str, int]
    throttled_percent: float
    ack_ms: Mapping[str, float]
    first_text_s: Mapping[str, float]
    end_s: Mapping[str, float]
    calls_per_answer: float
    plain_calls: float
    rss_mb: tuple[float, ...]
    rss_mb_per_hour: float

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled)

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "good": self.good}

    def table(self) -> Table:
        title = f"{self.minutes:g} minutes with faults, seed {self.seed}, two bots"
        table = Table(title=title, box=SIMPLE, show_header=False)
        troubles = ", ".join(f"{count} × {name}" for name, count in sorted(self.troubles.items()))
        rows = {
            "messages / clicks": f"{self.messages} / {self.clicks}",
            "answered": f"{self.answered}",
            "lost": " ".join([str(len(self.lost)), *self.lost[:10]]),
            "doubled": " ".join([str(len(self.doubled)), *self.doubled[:10]]),
            "said later, or again when asked": f"{self.repeated}",
            "rules broken": "\n".join([str(len(self.broken)), *self.broken[:10]]),
            "bots killed": f"{self.restarts}",
            "throttled": f"{self.throttled_percent:.2f} % of calls",
            "acknowledged, p50/p95/max": "{p50:.0f} / {p95:.0f} / {max:.0f} ms".format(**self.ack_ms),
            "first text, p50/p95": "{p50:.2f} / {p95:.2f} s".format(**self.first_text_s),
            "end, p50/p95": "{p50:.2f} / {p95:.2f} s".format(**self.end_s),
            "calls an answer": f"{self.calls_per_answer:.1f}; a frame for each piece: {self.plain_calls:.1f}, "
            f"{self.plain_calls / self.calls_per_answer:.1f} times as many",
            "memory, each minute": " ".join(f"{value:.0f}" for value in self.rss_mb) + " MB",
            "memory, slope": f"{self.rss_mb_per_hour:+.1f} MB an hour",
            "troubles": troubles,
        }
        for row in rows.items():
            table.add_row(*row)
        return table


def percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"p50": float("nan"), "p95": float("nan"), "max": float("nan")}
    p50, p95, most = np.percentile(values, (50, 95, 100))
    return {"p50": float(p50), "p95": float(p95), "max": float(most)}


def minutely(memory: Memory) -> tuple[float, ...]:
    """At the start, every minute, and at the end, in MB."""
    began = memory[0][0]
    starts = {int((at - began) // 60): rss for at, rss in reversed(memory)}
    return tuple(rss / MB for _, rss in [*sorted(starts.items()), memory[-1]])


def slope(memory: Memory) -> float:
    """MB an hour, after the warm-up."""
    settled = memory[int(len(memory) * WARM_UP) :]
    if len(settled) < 3:
        return 0.0
    times, sizes = zip(*settled, strict=True)
    rise, _ = np.polyfit(np.array(times) - times[0], np.array(sizes) / MB, 1)
    return float(rise) * 3600
