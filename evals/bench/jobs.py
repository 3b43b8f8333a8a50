"""How many jobs a second go through ledger, queue and events, beside bare Dramatiq on the same Redis, in the same run.

    copilot bench jobs        or        python -m evals.bench.jobs

A job that does nothing, from being asked for to being done: ours is priced, written down, claimed in its tenant's turn,
run and ended, and its states are told on its stream; Dramatiq's is sent and run. Each has one worker process with as
many threads, and one process that asks; ours takes requests side by side, as the API does. The two take turns, so that
a busy neighbour slows both.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from os import environ  # noqa: TID251 (a child inherits what we were given; nothing is read from it)
from pathlib import Path
from statistics import median
from subprocess import DEVNULL
from typing import Annotated, Any, Literal, TypeAlias

import orjson
import psutil
import typer
import uvloop
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.jobs.models import JobState
from app.jobs.service import JobService, Wanted
from app.processes.embedded import embedded_services
from app.processes.runtime import is_marked_ready
from app.settings import Settings
from app.worker import SLOTS
from evals.bench.job_workers import QUEUE, jobs_of_nothing, plain_actor
from knowledge.models import DEFAULT_TENANT

Name: TypeAlias = Literal["copilot", "dramatiq"]

JOBS = 1000
ROUNDS = 3
WARM_UP = 50
AT_ONCE = 16
LONGEST_S = 120.0
START_S = 60.0
LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Round:
    """Jobs a second from the first request to the last end; milliseconds of CPU a job, of the worker and who asks."""

    jobs_per_s: float
    worker_cpu_ms: float
    asking_cpu_ms: float


@dataclass(frozen=True, slots=True)
class JobsReport:
    """``ratio``: ours to Dramatiq's, of the best rounds."""

    jobs: int
    threads: int
    cores: int | None
    rounds: dict[Name, list[Round]]

    def best(self, name: Name) -> Round:
        return max(self.rounds[name], key=lambda each: each.jobs_per_s)

    @property
    def ratio(self) -> float:
        return self.best("copilot").jobs_per_s / self.best("dramatiq").jobs_per_s

    def json(self) -> dict[str, Any]:
        best = {name: self.best(name).jobs_per_s for name in self.rounds}
        return {**asdict(self), "best_jobs_per_s": best, "ratio": self.ratio}

    def table(self) -> Table:
        title = (
            f"{self.jobs:,} jobs that do nothing, one worker process with {self.threads} threads, {self.cores} cores"
        )
        table = Table(title=title, caption="CPU: ms a job in the best round", box=SIMPLE)
        for heading in ("", "jobs/s, best", "median", "worker CPU", "asking CPU"):
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        for name, rounds in self.rounds.items():
            best = self.best(name)
            middle = median(each.jobs_per_s for each in rounds)
            cpu = (f"{best.worker_cpu_ms:.2f}", f"{best.asking_cpu_ms:.2f}")
            table.add_row(name, f"{best.jobs_per_s:,.0f}", f"{middle:,.0f}", *cpu)
        table.add_row("ratio", f"{self.ratio:.2f}", "", "", "")
        return table


class _Ours:
    """The service's jobs, worked on in another process."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        self._done = 0

    async def run(self, count: int) -> None:
        """Ask for so many and see all of them end. Raises AssertionError if one did not, or was not told of."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def ask(number: int) -> str:
            async with turns:
                return (await self._jobs.submit(Wanted(DEFAULT_TENANT, "nothing", {"number": number}))).id

        ids = await asyncio.gather(*(ask(number) for number in range(count)))
        self._done += count
        self._last = ids[-1]
        async for _ in _looks():
            if await self._succeeded() == self._done:
                break

    async def check_events(self) -> None:
        told = await self._jobs.events.read(DEFAULT_TENANT, self._last, after=None)
        states = [event.data["state"] for _, event in told]
        if states != ["queued", "running", "succeeded"]:
            raise AssertionError(f"a job was told of as {states}")

    async def _succeeded(self) -> int:
        _, total = await self._jobs.ledger.page(DEFAULT_TENANT, states=[JobState.SUCCEEDED], limit=1)
        return total


class _Bare:
    """Dramatiq as it comes; its queue is empty when the last job was acknowledged."""

    def __init__(self, redis_url: str) -> None:
        self._actor = plain_actor(redis_url)

    async def run(self, count: int) -> None:
        await asyncio.to_thread(self._run, count)

    def _run(self, count: int) -> None:
        for number in range(count):
            self._actor.send(number)
        broker: Any = self._actor.broker
        broker.join(QUEUE, interval=int(LOOK_S * 1000), timeout=int(LONGEST_S * 1000))

    def close(self) -> None:
        self._actor.broker.close()


async def run(jobs: int = JOBS, rounds: int = ROUNDS) -> JobsReport:
    """Everything in a folder that is thrown away. Raises TimeoutError if jobs do not end."""
    with tempfile.TemporaryDirectory(prefix="copilot-bench-") as folder:
        data = Path(folder)
        async with AsyncExitStack() as stack:
            settings = Settings(_env_file=None, data=data, redis_url=None)
            started = await stack.enter_async_context(embedded_services(settings, redis=True, chroma=False))
            url = started.redis_url or ""
            ours = _Ours(await stack.enter_async_context(jobs_of_nothing(data, url)))
            bare = _Bare(url)
            stack.callback(bare.close)
            sides: dict[Name, _Ours | _Bare] = {"copilot": ours, "dramatiq": bare}
            workers = {name: await stack.enter_async_context(_worker(name, data, url)) for name in sides}
            measured: dict[Name, list[Round]] = {name: [] for name in sides}
            for name, side in sides.items():
                await _measured(side, workers[name], WARM_UP)
            for _ in range(rounds):
                for name, side in sides.items():
                    measured[name].append(await _measured(side, workers[name], jobs))
            await ours.check_events()
            return JobsReport(jobs, SLOTS[QUEUE], os.cpu_count(), measured)


async def _measured(side: _Ours | _Bare, worker: psutil.Process, count: int) -> Round:
    before, asking, began = _cpu(worker), time.process_time(), time.perf_counter()
    async with asyncio.timeout(LONGEST_S):
        await side.run(count)
    took = time.perf_counter() - began
    per_job = 1000 / count
    return Round(count / took, (_cpu(worker) - before) * per_job, (time.process_time() - asking) * per_job)


def _cpu(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def _worker(name: Name, data: Path, redis_url: str) -> AsyncGenerator[psutil.Process]:
    argv = (sys.executable, "-m", "evals.bench.job_workers", name, str(data), redis_url)
    process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=DEVNULL, env=dict(environ))
    try:
        async with asyncio.timeout(START_S):
            async for _ in _looks():
                if is_marked_ready(data, process.pid):
                    break
                if process.returncode is not None:
                    raise AssertionError(f"the worker of {name} ended with {process.returncode}")
        yield psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _looks() -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(LOOK_S)


def main(
    jobs: Annotated[int, typer.Option(help="Jobs of a round.")] = JOBS,
    rounds: Annotated[int, typer.Option(help="Rounds of each; the best says most on a shared machine.")] = ROUNDS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Jobs a second through ledger, queue and events, beside bare Dramatiq."""
    report = uvloop.run(run(jobs, rounds))
    if as_json:
        print(orjson.dumps(report.json()).decode())
    else:
        Console().print(report.table())


if __name__ == "__main__":
    typer.run(main)
