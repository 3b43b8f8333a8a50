"""What :mod:`evals.bench.streaming` found, as figures, JSON and a table."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from rich.box import SIMPLE
from rich.table import Table

Name: TypeAlias = Literal["model", "baseline", "copilot", "relay"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One server at one concurrency.

    Times in milliseconds; ``added`` is over the model alone, percentile by percentile. ``failed`` counts reasons;
    failed streams are in no other figure. CPU and memory are ``None`` where the process cannot be seen.
    """

    server: Name
    concurrency: int
    streams: int
    failed: dict[str, int]
    ttft_p50_ms: float
    ttft_p95_ms: float
    ttft_p99_ms: float
    added_p50_ms: float
    added_p95_ms: float
    added_p99_ms: float
    tokens_per_s: float
    cpu_s_per_1000_tokens: float | None
    kib_per_stream: float | None = None


@dataclass(frozen=True, slots=True)
class StreamingReport:
    """Everything measured in one run, with the settings it was measured under."""

    settings: dict[str, Any]
    rows: tuple[Measured, ...]

    def row(self, server: Name, concurrency: int) -> Measured | None:
        found = (row for row in self.rows if (row.server, row.concurrency) == (server, concurrency))
        return next(found, None)

    def tokens_per_core_ratio(self, concurrency: int, server: Name = "copilot") -> float | None:
        """How many times the baseline's tokens one core of ours relays."""
        ours, plain = self.row(server, concurrency), self.row("baseline", concurrency)
        if not (ours and plain and ours.cpu_s_per_1000_tokens and plain.cpu_s_per_1000_tokens):
            return None
        return plain.cpu_s_per_1000_tokens / ours.cpu_s_per_1000_tokens

    def json(self) -> dict[str, Any]:
        levels = sorted({row.concurrency for row in self.rows})
        ratios = {str(level): self.tokens_per_core_ratio(level) for level in levels}
        rows = [asdict(row) for row in self.rows]
        return {"settings": self.settings, "rows": rows, "tokens_per_core_ours_over_baseline": ratios}

    def table(self) -> Table:
        setup = self.settings
        answer = f"{setup['tokens']} tokens at {setup['rate']:g}/s, the first after {setup['first_token_ms']:g} ms"
        lost = [
            f"left out of {row.server} at {row.concurrency}: {count} × {why}"
            for row in self.rows
            for why, count in row.failed.items()
        ]
        explained = (
            "first token: ms, p50/p95/p99 · added: p50/p95/p99 over the model alone",
            "CPU: ms of the server's process per token · ratio: tokens per core, ours to plain · KiB: memory a stream",
        )
        table = Table(title=f"Streaming, {answer}", caption="\n".join((*explained, *lost)), box=SIMPLE, padding=0)
        for heading in ("chats", "server", "first token", "added", "tokens/s", "CPU", "ratio", "KiB"):
            table.add_column(heading, justify="left" if heading == "server" else "right", no_wrap=True)
        for row, after in zip(self.rows, (*self.rows[1:], None), strict=True):
            table.add_row(*self._cells(row), end_section=after is not None and after.concurrency != row.concurrency)
        return table

    def _cells(self, row: Measured) -> list[str]:
        ours = row.server in {"copilot", "relay"}
        ratio = self.tokens_per_core_ratio(row.concurrency, row.server) if ours else None
        return [
            f"{row.concurrency}",
            row.server,
            f"{row.ttft_p50_ms:.0f}/{row.ttft_p95_ms:.0f}/{row.ttft_p99_ms:.0f}",
            "" if row.server == "model" else f"{row.added_p50_ms:+.0f}/{row.added_p95_ms:+.0f}/{row.added_p99_ms:+.0f}",
            f"{row.tokens_per_s:,.0f}",
            "" if row.cpu_s_per_1000_tokens is None else f"{row.cpu_s_per_1000_tokens:.3f}",
            "" if ratio is None else f"× {ratio:.1f}",
            "" if row.kib_per_stream is None else f"{row.kib_per_stream:.0f}",
        ]
