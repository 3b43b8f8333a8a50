"""The servers of a bench, each a process of its own on loopback, stopped when the block is left."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from os import environ  # noqa: TID251 (a child inherits what we were given; nothing is read from it)
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import httpx
import psutil

from app.processes.ports import any_free_port
from app.samples import FOLDER, SAMPLES
from ingest.sources import expand

START_SECONDS = 240.0  # a first start converts the embedder and takes in the samples
SECONDS_PER_CHUNK = 0.05
STOP_SECONDS = 10.0
LOOPBACK = "127.0.0.1"
UNDER_WAY = {"received", "processing"}


class ServerNotReady(Exception):
    """A server of the bench ended or stayed silent; the message has the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Server:
    """``url`` has no path; ``pid`` is the process whose CPU is counted, ``None`` if it is not ours to look at.

    ``env`` is what another process of the same service is started with.
    """

    url: str
    pid: int | None
    env: Mapping[str, str] = field(default_factory=dict)

    def cpu_seconds(self) -> float | None:
        """User and system time so far."""
        if self.pid is None:
            return None
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int | None:
        return None if self.pid is None else int(psutil.Process(self.pid).memory_info().rss)


@asynccontextmanager
async def fake_model(*, tokens: int, rate: float, first_token_ms: float, port: int = 0) -> AsyncGenerator[Server]:
    """The model that all three talk to; any free port for 0."""
    port = port or any_free_port(LOOPBACK)
    settings = ("--first-token-ms", f"{first_token_ms}", "--rate", f"{rate}", "--tokens", f"{tokens}", "--no-cite")
    command = (sys.executable, "-m", "evals.fake_model", "--port", f"{port}", *settings)
    async with _running(command, port, ready="/v1/models") as server:
        yield server


@asynccontextmanager
async def baseline(model: Server) -> AsyncGenerator[Server]:
    """The plain relay."""
    port = any_free_port(LOOPBACK)
    options = ("--model-url", f"{model.url}/v1", "--port", f"{port}")
    async with _running((sys.executable, "-m", "evals.bench.baseline_server", *options), port) as server:
        yield server


@asynccontextmanager
async def copilot(model: Server, *, chunks: int = 0, command: Sequence[str] | None = None) -> AsyncGenerator[Server]:
    """Our service with the sample documents, in a data folder of its own that is deleted afterwards.

    ``chunks`` are put beside those of the samples.

    ``command`` takes the place of ``copilot up``; it gets the port as its last argument and the rest, as any of our
    processes, from ``COPILOT_*``. The process that counts is the API's.
    """
    port = any_free_port(LOOPBACK)
    with tempfile.TemporaryDirectory(prefix="copilot-bench-") as folder:
        env = {
            "COPILOT_DATA": folder,
            "COPILOT_MODEL_BASE_URL": f"{model.url}/v1",
            "COPILOT_MODEL_API_KEY": "none",
            "COPILOT_MODEL_NAME": "fake",
            "COPILOT_SUGGESTIONS": "off",  # a second call of the model, which no baseline makes
        }
        argv = (*(command or (sys.executable, "-m", "app", "up", "--port")), f"{port}")
        async with _running(argv, port, ready="/readyz", env=env) as server:
            await _samples_are_in(server)
            await _add_chunks(server, chunks)
            yield Server(server.url, _api_process(server), env | _stores(Path(folder)))


@asynccontextmanager
async def relay(copilot: Server) -> AsyncGenerator[Server]:
    """A second API process of the service, which does not search; see :mod:`evals.bench.without_retrieval`."""
    port = any_free_port(LOOPBACK)
    command = (sys.executable, "-m", "evals.bench.without_retrieval", "--port", f"{port}")
    async with _running(command, port, ready="/readyz", env=copilot.env) as server:
        yield server


@asynccontextmanager
async def _running(
    command: Sequence[str], port: int, *, ready: str = "/healthz", env: Mapping[str, str] | None = None
) -> AsyncGenerator[Server]:
    url = f"http://{LOOPBACK}:{port}"
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=log, stderr=log, env={**environ, **(env or {})}
        )
        try:
            if not await _answers(process, url + ready):
                log.seek(0)
                told = log.read()[-2000:].decode(errors="replace")
                raise ServerNotReady(f"{' '.join(command[1:4])} is not ready:\n{told}")
            yield Server(url, process.pid)
        finally:
            await _stop(process)


async def _answers(process: asyncio.subprocess.Process, url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while process.returncode is None:
                    with suppress(httpx.HTTPError):
                        if (await http.get(url)).is_success:
                            return True
                    await asyncio.sleep(0.2)
    return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _samples_are_in(server: Server) -> None:
    """``copilot up`` takes in the samples once it serves; measuring begins when that is over."""
    expected = len(list(expand([str(FOLDER)])))
    async with (
        httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as http,
        asyncio.timeout(START_SECONDS),
    ):
        while True:
            answer = await http.get(f"/v1/knowledge-bases/{SAMPLES}/documents", params={"limit": 500})
            documents: list[dict[str, Any]] = answer.json()["documents"] if answer.is_success else []
            busy = any(document["status"] in UNDER_WAY for document in documents)
            if len(documents) >= expected and not busy:
                return
            await asyncio.sleep(0.5)


async def _add_chunks(server: Server, count: int) -> None:
    """Short answers about orders that nobody asks for: one chunk each."""
    if not count:
        return
    rows = (
        {
            "question": f"订单 T{number:06} 什么时候发出？",
            "answer": f"订单 T{number:06} 由{number % 97}号仓在第 {number % 31} 天发出。",
        }
        for number in range(count)
    )
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as http:
        path = f"/v1/knowledge-bases/{SAMPLES}/documents"
        sent = await http.post(path, files={"file": ("orders.jsonl", lines.encode(), "application/jsonl")})
        document = f"/v1/documents/{sent.raise_for_status().json()['id']}"
        async with asyncio.timeout(START_SECONDS + count * SECONDS_PER_CHUNK):
            while True:
                state = (await http.get(document)).json()
                if state["status"] not in UNDER_WAY:
                    break
                await asyncio.sleep(0.5)
    if state["status"] != "live":
        raise ServerNotReady(f"The chunks beside the samples were not taken in: {state['message']}")


def _stores(data: Path) -> dict[str, str]:
    """Where a running copilot has its Redis and its Chroma, as settings."""
    running = json.loads((data / "copilot.json").read_text("utf-8"))["running"]
    return {f"COPILOT_{name.upper()}": running[name] for name in ("redis_url", "chroma_url")}


def _api_process(server: Server) -> int | None:
    """The child of ``copilot up`` that runs ``copilot api``, or the process itself when it has none."""
    children = psutil.Process(server.pid).children(recursive=True)
    return next((child.pid for child in children if "api" in child.cmdline()[1:]), server.pid)
