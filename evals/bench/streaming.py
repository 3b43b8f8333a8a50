"""What our service adds to a model's stream, beside a plain relay and the model alone, in the same run.

    copilot bench streaming        or        python -m evals.bench.streaming --concurrency 1 --concurrency 100

All three answer the same raw client with the same tokens: the fake model itself, the relay everybody would write
(:mod:`evals.bench.baseline_server`), and ours with everything that an answer needs (retrieval, evidence, citations,
storing the turn); ``relay`` is ours too, but that it does not search. The
clients run closed loops that start evenly over one answer's length, so that N concurrent chats are in every phase of
an answer; ``burst`` starts them all at the same instant instead. They ask for answers that are made now.

CPU time is counted for the one server process; on a shared machine it says more than the clock. So is memory: the most
it held while the clients were at it, over what it held before, shared out among the streams.
"""

import asyncio
import math
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import compress, product
from pathlib import Path
from subprocess import PIPE
from typing import Annotated, Any, TypeAlias

import httpx
import numpy as np
import orjson
import typer
from rich.console import Console

from evals.bench import servers
from evals.bench.servers import Server, ServerNotReady
from evals.bench.sse_client import Order, Timing
from evals.bench.streaming_report import Measured, Name, StreamingReport
from evals.fake_replies import DEFAULT_TEXT, to_length, tokenise

Report: TypeAlias = Callable[[str], None]

FEWEST_STREAMS = 6  # for one client: a percentile of less says nothing
ROUNDS = 3
MEMORY_SECONDS = 0.25  # between two looks
LONGEST_STREAM_S = 120.0
QUESTIONS = Path(__file__).parent.parent / "datasets" / "samples_zh.jsonl"
# Particles that say nothing, put after every question in pairs: no two are the same, so that each is embedded.
PARTICLES = "啊呀呢哦哈嘛啦哇呗咯"


@dataclass(frozen=True, slots=True)
class _Target:
    name: Name
    server: Server


@dataclass(frozen=True, slots=True)
class _Load:
    """What every server is asked, and what a whole answer is."""

    tokens: int
    text: str
    length_s: float
    rounds: int
    burst: bool
    questions: tuple[str, ...]

    def order(self, target: _Target, clients: int, *, first: int) -> Order:
        """``first`` counts questions, so that no order repeats those of another."""
        rounds = max(self.rounds, -(-FEWEST_STREAMS // clients))
        count = clients * rounds
        asked = [self.questions[(first + at) % len(self.questions)] for at in range(count)]
        model = target.name == "model"
        return Order(
            url=f"{target.server.url}/v1/chat/completions" if model else f"{target.server.url}/v1/chat",
            bodies=[_completion(question) if model else {"question": question} for question in asked],
            dialect="openai" if model else "events",
            clients=clients,
            rounds=rounds,
            spread_s=0 if self.burst else self.length_s,
            timeout_s=LONGEST_STREAM_S,
            fresh=True,
        )


async def run(
    concurrency: Sequence[int] = (1, 50, 100, 200),
    tokens: int = 100,
    rate: float = 50.0,
    first_token_ms: float = 200.0,
    relay_url: str | None = None,
    *,
    ours: bool = True,
    relay_command: Sequence[str] | None = None,
    model_port: int = 0,
    burst: bool = False,
    rounds: int = ROUNDS,
    chunks: int = 0,
    report: Report = lambda _: None,
) -> StreamingReport:
    """Measure the model alone, the baseline and ours, level by level.

    ``relay_url`` is a service of ours that runs already and whose model is at ``model_port``; its CPU is not seen.
    Without it one is started; ``relay_command`` replaces ``copilot up`` there, see
    :func:`evals.bench.servers.copilot`. ``ours=False`` leaves ours out; ``chunks`` are put beside those of the samples.
    ``report`` is told what is being done.
    Raises :class:`evals.bench.servers.ServerNotReady`.
    """
    rows: list[Measured] = []
    asked = 0
    async with AsyncExitStack() as stack:
        report("starting the servers")
        model = servers.fake_model(tokens=tokens, rate=rate, first_token_ms=first_token_ms, port=model_port)
        targets = [_Target("model", await stack.enter_async_context(model))]
        targets.append(_Target("baseline", await stack.enter_async_context(servers.baseline(targets[0].server))))
        if relay_url:
            targets.append(_Target("copilot", Server(relay_url.rstrip("/"), None)))
        elif ours:
            started = servers.copilot(targets[0].server, chunks=chunks, command=relay_command)
            copilot = await stack.enter_async_context(started)
            relay = await stack.enter_async_context(servers.relay(copilot))
            targets += [_Target("copilot", copilot), _Target("relay", relay)]
        report("choosing questions")
        load = _Load(
            tokens,
            text="".join(to_length(tokenise(DEFAULT_TEXT), tokens)),
            length_s=first_token_ms / 1000 + (tokens / rate if rate else 0.0),
            rounds=rounds,
            burst=burst,
            questions=await _questions(targets[2].server if targets[2:] else None),
        )
        for target in targets:
            report(f"warming up {target.name}")
            await drive_apart(load.order(target, 2, first=asked))
            asked += 2 * rounds
        for level in concurrency:
            alone: Measured | None = None
            for target in targets:
                report(f"{level} concurrent: {target.name}")
                measured = await _measure(target, load, level, asked, alone)
                alone = alone or measured
                rows.append(measured)
            asked += max(level * rounds, FEWEST_STREAMS)
    settings = {"tokens": tokens, "rate": rate, "first_token_ms": first_token_ms, "rounds": rounds, "burst": burst}
    return StreamingReport(settings, tuple(rows))


async def _measure(target: _Target, load: _Load, level: int, first: int, alone: Measured | None) -> Measured:
    before = target.server.cpu_seconds()
    async with _memory_seen(target.server) as grown:
        timings = await drive_apart(load.order(target, level, first=first))
    after = target.server.cpu_seconds()
    failed = Counter(why for timing in timings if (why := _failure(timing, load.text)))
    whole = [timing for timing in timings if not _failure(timing, load.text)]
    p50, p95, p99 = percentiles([timing.first_token_s * 1000 for timing in whole])
    tokens = len(whole) * load.tokens
    began = min((timing.started_at for timing in whole), default=0.0)
    ended = max((timing.started_at + timing.total_s for timing in whole), default=1.0)
    seen = before is not None and after is not None and tokens
    return Measured(
        server=target.name,
        concurrency=level,
        streams=len(timings),
        failed=dict(failed),
        ttft_p50_ms=p50,
        ttft_p95_ms=p95,
        ttft_p99_ms=p99,
        added_p50_ms=p50 - alone.ttft_p50_ms if alone else 0.0,
        added_p95_ms=p95 - alone.ttft_p95_ms if alone else 0.0,
        added_p99_ms=p99 - alone.ttft_p99_ms if alone else 0.0,
        tokens_per_s=tokens / (ended - began),
        cpu_s_per_1000_tokens=((after or 0.0) - (before or 0.0)) / tokens * 1000 if seen else None,
        kib_per_stream=max(grown) / 1024 / level if grown else None,
    )


@asynccontextmanager
async def _memory_seen(server: Server) -> AsyncGenerator[list[int]]:
    """How many bytes more the process held than at the beginning, again and again; empty where it is not seen."""
    grown: list[int] = []
    began = server.resident_bytes()
    if began is None:
        yield grown
        return

    async def look() -> None:
        while True:
            grown.append((server.resident_bytes() or began) - began)
            await asyncio.sleep(MEMORY_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(look())
        yield grown
        looking.cancel()


async def drive_apart(order: Order) -> list[Timing]:
    """Run the order in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evals.bench.sse_client", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        out, errors = await process.communicate(orjson.dumps(order))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the client failed:\n{errors.decode(errors='replace')[-2000:]}")
    return [Timing(**timing) for timing in orjson.loads(out)]


def _failure(timing: Timing, text: str) -> str | None:
    """Why a stream does not count: an error, or another answer than the model's."""
    if timing.error:
        return timing.error
    return None if timing.text.strip() == text.strip() else "another text"


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    if not values:
        return math.nan, math.nan, math.nan
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return float(p50), float(p95), float(p99)


def _completion(question: str) -> dict[str, Any]:
    return {"model": "fake", "stream": True, "messages": [{"role": "user", "content": question}]}


async def _questions(copilot: Server | None) -> tuple[str, ...]:
    """Chinese questions that the samples answer and ours does not refuse, in many variants, all different."""
    rows = [orjson.loads(line) for line in QUESTIONS.read_bytes().splitlines() if line.strip()]
    plain = [row["question"] for row in rows if row["answerable"] and not row["question"].isascii()]
    if copilot is not None:
        async with httpx.AsyncClient(base_url=copilot.url, timeout=LONGEST_STREAM_S, trust_env=False) as http:
            answered = await asyncio.gather(*(_is_answered(http, question) for question in plain))
        plain = list(compress(plain, answered))
    if not plain:
        raise ServerNotReady("It refuses every question about the samples, so there is nothing to measure.")
    return tuple(f"{question}{''.join(pair)}" for pair in product(PARTICLES, PARTICLES) for question in plain)


async def _is_answered(http: httpx.AsyncClient, question: str) -> bool:
    """As it is asked, with several of its ends: with one it may just not pass."""
    for particle in PARTICLES[::4]:
        answer = await http.post("/v1/chat", json={"question": f"{question}{particle * 2}", "stream": False})
        if not answer.is_success or answer.json()["refused"]:
            return False
    return True


def main(  # noqa: PLR0917 (a command's options)
    concurrency: Annotated[list[int] | None, typer.Option(help="Chats at the same time; may be repeated.")] = None,
    tokens: Annotated[int, typer.Option(help="Length of an answer.")] = 100,
    rate: Annotated[float, typer.Option(help="Tokens a second that the model writes.")] = 50.0,
    first_token_ms: Annotated[float, typer.Option(help="What the model itself takes to begin.")] = 200.0,
    rounds: Annotated[int, typer.Option(help="Answers that every client asks for.")] = ROUNDS,
    burst: Annotated[bool, typer.Option(help="All clients start at the same instant.")] = False,
    chunks: Annotated[int, typer.Option(help="Chunks beside those of the samples.")] = 0,
    ours: Annotated[bool, typer.Option(help="Measure our service too.")] = True,
    relay_url: Annotated[str | None, typer.Option(help="A service of ours that runs already.")] = None,
    model_port: Annotated[int, typer.Option(help="Port of the fake model; 0 for any.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time to first token, tokens a second and CPU a token, beside a plain relay and the model alone."""
    console = Console(stderr=True)
    work = run(
        concurrency or (1, 50, 100, 200),
        tokens,
        rate,
        first_token_ms,
        relay_url,
        ours=ours,
        model_port=model_port,
        burst=burst,
        rounds=rounds,
        chunks=chunks,
        report=lambda what: console.print(f"[dim]{what}"),
    )
    try:
        measured = asyncio.run(work)
    except ServerNotReady as exc:
        console.print(exc, style="red", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        print(orjson.dumps(measured.json()).decode())
    else:
        Console().print(measured.table())


if __name__ == "__main__":
    typer.run(main)
