"""Several `copilot api` on one database, Redis and Chroma, with a model that types slowly."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path
from typing import Any

import httpx

from app.processes.embedded import chroma_spec, chroma_url
from app.processes.ports import any_free_port
from app.settings import Settings
from app.wiring import running_services
from tests.e2e.redis_server import RedisServer, redis_server
from tests.products import FEES, take_in

START_SECONDS = 90
QUESTION = "旗舰店的保证金是多少？"


@dataclass(frozen=True, slots=True)
class Event:
    """One of a stream, as the wire has it."""

    number: int
    name: str
    data: dict[str, Any]


class Api:
    """One process of the service."""

    def __init__(self, stage: "Stage", **env: str) -> None:
        port = any_free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = stage.data.parent / f"api-{port}.log"
        given = {
            "COPILOT_REDIS_URL": stage.redis.url,
            "COPILOT_CHROMA_URL": stage.chroma,
            "COPILOT_MODEL_BASE_URL": stage.model,
            "COPILOT_MODEL_API_KEY": "k",
            "COPILOT_MODEL_NAME": "fake",
            **env,
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "api", "--data", str(stage.data), "--port", str(port)],
                stdout=out,
                stderr=out,
                env={**environ, "LANG": "C.UTF-8", **given},
            )

    def wait_ready(self) -> "Api":
        wait_for(lambda: answers(f"{self.url}/healthz"), what=self.log)
        return self

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()
        self.process.wait()

    def files(self) -> int:
        """Open files, sockets among them."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def resident(self) -> int:
        """Bytes of memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096


class Stage:
    """What the processes share."""

    def __init__(self, data: Path, redis: RedisServer, chroma: str, model: str) -> None:
        self.data, self.redis, self.chroma, self.model = data, redis, chroma, model

    @contextmanager
    def apis(self, count: int = 1, **env: str) -> Iterator[list[Api]]:
        started = [Api(self, **env) for _ in range(count)]
        try:
            yield [api.wait_ready() for api in started]
        finally:
            for api in started:
                api.process.terminate()
            for api in started:
                try:
                    api.process.wait(10)
                except subprocess.TimeoutExpired:
                    api.kill()

    def model_stats(self) -> dict[str, int]:
        """What the model saw: requests, in_flight, finished, disconnects."""
        seen: dict[str, int] = httpx.post(f"{self.model}/stats", json={}).json()
        return seen


@contextmanager
def fake_model(*arguments: str) -> Iterator[str]:
    """→ its base URL."""
    command = [sys.executable, "-m", "evals.fake_model", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A shop with one document; the model types 20 tokens a second, eight seconds long."""
    data, port = folder / "data", any_free_port()
    data.mkdir()
    spec = chroma_spec(data, port)
    with (folder / "chroma.log").open("ab") as log:
        chroma = subprocess.Popen(spec.argv, cwd=spec.cwd, stdout=log, stderr=log, env={**environ, **spec.env})
    try:
        wait_for(lambda: answers(f"{chroma_url(port)}/api/v2/heartbeat"), what=folder / "chroma.log")
        asyncio.run(_filled(data, chroma_url(port)))
        with (
            redis_server(data) as redis,
            fake_model("--first-token-ms", "50", "--rate", "20", "--tokens", "160") as url,
        ):
            yield Stage(data, redis, chroma_url(port), url)
    finally:
        chroma.kill()
        chroma.wait()


async def _filled(data: Path, chroma: str) -> None:
    settings = Settings(_env_file=None, data=data, chroma_url=chroma)  # type: ignore[call-arg]
    async with running_services(settings) as services:
        await take_in(services, "shop", "费用.md", FEES)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def wait_for(condition: Any, *, what: Path, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what.read_text(encoding="utf-8")[-3000:]
        time.sleep(0.05)


@asynccontextmanager
async def reading(
    http: httpx.AsyncClient, turn_id: str | None = None, *, after: int = 0, question: str = QUESTION
) -> AsyncGenerator[AsyncGenerator[Event, None]]:
    """The events of a turn, or of a question asked now, as they come."""
    if turn_id is None:
        body = {"question": question, "kb": ["shop"]}
        call = http.stream("POST", "/v1/chat", json=body, headers={"Cache-Control": "no-cache"})
    else:
        call = http.stream("GET", f"/v1/turns/{turn_id}/events", headers={"Last-Event-ID": str(after)} if after else {})
    async with call as response:
        if response.status_code != 200:
            await response.aread()
        assert response.status_code == 200, response.text
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncGenerator[Event, None]:
    number, name = 0, ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            number = int(value)
        elif field == "event":
            name = value
        elif field == "data":
            yield Event(number, name, json.loads(value))


def text_of(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "token")
