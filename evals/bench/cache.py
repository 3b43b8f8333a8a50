"""The first token of a kept answer, over real HTTP and SSE, beside the plain relay that keeps none.

    copilot bench cache        or        python -m evals.bench.cache --per-second 50

``exact`` asks what was asked before; ``evidence`` puts 请问 before it, so that every request is embedded, searched and
compared. Requests start at a fixed pace, whatever became of those before. The relay's figure is the model's own first
token and its overhead: what a cache saves. That answers were kept ones is read from the service's own count.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeAlias

import httpx
import orjson
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from evals.bench import servers
from evals.bench.servers import Server, ServerNotReady
from evals.bench.sse_client import Order
from evals.bench.streaming import LONGEST_STREAM_S, QUESTIONS, drive_apart, percentiles

Kind: TypeAlias = Literal["exact", "evidence", "plain relay"]

MOST_QUESTIONS = 10


@dataclass(frozen=True, slots=True)
class CachedRow:
    """First token in milliseconds; ``kept`` is how many requests the service says it answered from this cache."""

    kind: Kind
    requests: int
    failed: int
    kept: int | None
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float | None


async def run(per_second: float, seconds: float, first_token_ms: float) -> list[CachedRow]:
    """Measure. Raises :class:`evals.bench.servers.ServerNotReady`."""
    async with (
        servers.fake_model(tokens=100, rate=0, first_token_ms=first_token_ms) as model,
        servers.baseline(model) as plain,
        servers.copilot(model) as copilot,
    ):
        exact, evidence = await _kept_questions(copilot)
        return [
            await _measure("exact", copilot, exact, per_second, seconds),
            await _measure("evidence", copilot, evidence, per_second, seconds),
            await _measure("plain relay", plain, exact, per_second, seconds),
        ]


async def _kept_questions(copilot: Server) -> tuple[list[str], list[str]]:
    """Questions whose answers are kept now, and others that are answered by their evidence."""
    rows = [orjson.loads(line) for line in QUESTIONS.read_bytes().splitlines() if line.strip()]
    exact: list[str] = []
    evidence: list[str] = []
    async with httpx.AsyncClient(base_url=copilot.url, timeout=LONGEST_STREAM_S, trust_env=False) as http:
        for question in [row["question"] for row in rows if row["answerable"] and not row["question"].isascii()]:
            await _cached(http, question)
            if len(exact) < MOST_QUESTIONS and await _cached(http, question) == "exact":
                exact.append(question)
                if await _cached(http, f"请问{question}") == "evidence":
                    evidence.append(f"请问{question}")
    if not exact or not evidence:
        raise ServerNotReady("It keeps none of its answers, so there is nothing to measure.")
    return exact, evidence


async def _cached(http: httpx.AsyncClient, question: str) -> str | None:
    answer = await http.post("/v1/chat", json={"question": question, "stream": False})
    found: str | None = answer.raise_for_status().json()["cached"]
    return found


async def _measure(kind: Kind, server: Server, questions: list[str], per_second: float, seconds: float) -> CachedRow:
    count = round(per_second * seconds)
    order = Order(
        url=f"{server.url}/v1/chat",
        bodies=[{"question": question} for question in questions],
        dialect="events",
        clients=count,
        rounds=1,
        spread_s=seconds,
        timeout_s=LONGEST_STREAM_S,
    )
    before, cpu = await _counted(server, kind), server.cpu_seconds()
    timings = await drive_apart(order)
    after, spent = await _counted(server, kind), server.cpu_seconds()
    good = [timing.first_token_s * 1000 for timing in timings if not timing.error]
    p50, p95, p99 = percentiles(good)
    return CachedRow(
        kind,
        requests=count,
        failed=count - len(good),
        kept=None if before is None or after is None else after - before,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        cpu_ms=None if cpu is None or spent is None else (spent - cpu) / count * 1000,
    )


async def _counted(server: Server, kind: Kind) -> int | None:
    if kind == "plain relay":
        return None
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        use: dict[str, Any] = (await http.get("/v1/answer-cache")).raise_for_status().json()
    return int(use[kind])


def _table(rows: list[CachedRow], per_second: float, first_token_ms: float) -> Table:
    title = f"First token at {per_second:g} requests/s; the model's own takes {first_token_ms:g} ms"
    table = Table(title=title, box=SIMPLE, padding=0)
    for heading in ("answered by", "requests", "failed", "from the cache", "p50 ms", "p95", "p99", "CPU ms each"):
        table.add_column(heading, justify="left" if heading == "answered by" else "right", no_wrap=True)
    for row in rows:
        kept = "" if row.kept is None else f"{row.kept}"
        cpu = "" if row.cpu_ms is None else f"{row.cpu_ms:.1f}"
        times = (f"{time:.1f}" for time in (row.p50_ms, row.p95_ms, row.p99_ms))
        table.add_row(row.kind, f"{row.requests}", f"{row.failed}", kept, *times, cpu)
    return table


def main(
    per_second: Annotated[float, typer.Option(help="Requests a second.")] = 50.0,
    seconds: Annotated[float, typer.Option(help="How long each is measured.")] = 10.0,
    first_token_ms: Annotated[float, typer.Option(help="What the model itself takes to begin.")] = 200.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time to the first token of kept answers, by question and by evidence, beside a plain relay."""
    try:
        rows = asyncio.run(run(per_second, seconds, first_token_ms))
    except ServerNotReady as exc:
        Console(stderr=True).print(exc, style="red", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        print(orjson.dumps([asdict(row) for row in rows]).decode())
    else:
        Console().print(_table(rows, per_second, first_token_ms))


if __name__ == "__main__":
    typer.run(main)
