"""``copilot up``: everything on one machine, in one command, and nothing of it left when it ends."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

from app.processes.children import ChildSpec
from app.processes.data_folder import check_data_folder
from app.processes.embedded import Services, start_embedded
from app.processes.environment import FEW_ARENAS, settings_environment, without_dingtalk_secrets
from app.processes.pids import ProcessMark, own_mark
from app.processes.ports import any_free_port, check_port, reachable_host
from app.processes.probes import http_answers
from app.processes.runtime import (
    Record,
    RecordedChild,
    Running,
    data_folder_held,
    forget_ready_marks,
    forget_record,
    is_marked_ready,
    stop_leftovers,
    write_record,
)
from app.processes.supervisor import StopRequested, Supervisor, supervised
from app.processes.terminal import Screen, columns
from app.processes.words import Language, StartFailure, preferred_language
from app.settings import Settings
from knowledge.errors import CopilotError

Migrate: TypeAlias = Callable[[], Awaitable[None]]
Hook: TypeAlias = Callable[[Running], Awaitable[None]]
Children: TypeAlias = Callable[[Settings, Services, int], Sequence[ChildSpec]]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOCK_WAIT = 1.0  # seconds: long enough for somebody who only asks whether the folder is held
DISTRIBUTION = "merchant-copilot"


def copilot_children(settings: Settings, services: Services, port: int) -> Sequence[ChildSpec]:
    """The API, the workers and, where there is a DingTalk app, the bot; told by their environment where everything is.

    The API is ready when GET /readyz says so; the others when they call :func:`app.processes.runtime.mark_ready`, the
    bot before it has reached DingTalk: a secret that is refused is its own trouble.
    """
    data = settings.data.absolute()

    async def takes_work(pid: int) -> bool:
        return is_marked_ready(data, pid)

    places: dict[str, object] = {
        "data": data,
        "port": port,
        "redis_url": services.redis_url,
        "chroma_url": services.chroma_url,
    }

    def env(number: int, more: Mapping[str, object]) -> dict[str, str]:
        """Of a child; ``number`` says which of the ports for metrics is its own."""
        own = settings.metrics_port and settings.metrics_port + number
        return settings_environment(settings, **{**places, "metrics_port": own, **more}) | FEW_ARENAS

    readyz = f"{api_url(settings.host, port)}/readyz"
    secretless = without_dingtalk_secrets(settings)
    worker = (sys.executable, "-m", "app", "worker", "--queues")
    api = (sys.executable, "-m", "app", "api")
    children = [
        ChildSpec("api", api, env=env(0, secretless), ready=lambda _: http_answers(readyz)),
        ChildSpec("worker", (*worker, "text,ingest"), env=env(0, secretless), ready=takes_work),
        ChildSpec("images", (*worker, "image"), env=env(1, secretless), ready=takes_work),
    ]
    if settings.dingtalk_app:
        children.append(ChildSpec("bot", (sys.executable, "-m", "bots"), env=env(2, {}), ready=takes_work))
    return children


def run_up(
    settings: Settings,
    *,
    migrate: Migrate,
    first_run: Hook,
    on_ready: Sequence[Hook] = (),
    children: Children = copilot_children,
    verbose: bool = False,
    language: Language | None = None,
) -> int:
    """Start everything, serve until a signal or a death, stop everything; → the exit code of the command.

    ``migrate`` brings the database up to date before anything runs. ``first_run`` is called when all is ready and
    before the URLs are shown; ``on_ready`` after that. They may be cancelled at any await. A CopilotError from any of
    them is shown as its sentence and ends the command with 1.

    Runs its own event loop in the calling thread, which must be the main one: signals arrive there, and the children
    are tied to it.
    """
    up = _Up(
        settings=settings,
        migrate=migrate,
        first_run=first_run,
        on_ready=on_ready,
        make_children=children,
        verbose=verbose,
        screen=Screen(language or preferred_language()),
    )
    return asyncio.run(up.run())


def api_url(host: str, port: int) -> str:
    return f"http://{reachable_host(host)}:{port}"


def copilot_version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:  # run from the source folder, not installed
        return "0"


@dataclass(slots=True)
class _Up:
    settings: Settings
    migrate: Migrate
    first_run: Hook
    on_ready: Sequence[Hook]
    make_children: Children
    verbose: bool
    screen: Screen
    owner: ProcessMark = field(default_factory=own_mark)
    recorded: list[RecordedChild] = field(default_factory=list)
    parts: list[tuple[str, float]] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    @property
    def data(self) -> Path:
        return self.settings.data.absolute()

    async def run(self) -> int:
        try:
            await self._run()
        except StopRequested:
            self.screen.say("stopped")
            return 0
        except StartFailure as failure:
            self.screen.failure(failure)
            return 1
        except CopilotError as error:
            self.screen.error(error.message)
            return 1
        finally:
            self.screen.close()
        return 0

    async def _run(self) -> None:
        check_data_folder(self.data)
        async with data_folder_held(self.data, wait=LOCK_WAIT) as running:
            if running:
                raise StartFailure("already_running", url=running.url, pid=running.pid)
            try:
                async with supervised(
                    on_line=self.screen.child_line, on_change=self._record, stop_on=STOP_SIGNALS
                ) as supervisor:
                    await self._serve_until_stopped(supervisor)
            finally:
                forget_ready_marks(self.data)
                forget_record(self.data)

    async def _serve_until_stopped(self, supervisor: Supervisor) -> None:
        try:
            await supervisor.guard(self._serve(supervisor))
        except StopRequested:
            self.screen.say("stopping")
            raise

    async def _serve(self, supervisor: Supervisor) -> None:
        with self._timed("part_leftovers"):
            await self._clear_leftovers()
        port = self._api_port()
        self.screen.say("starting")
        if self.verbose:
            self.screen.forward_children()
        with self._timed("part_migrate"):
            await self.migrate()
        with self._timed("part_stores"):
            services = await start_embedded(supervisor, self.settings, redis=True, chroma=True)
        with self._timed("part_services"):
            await supervisor.start_ready(self.make_children(self.settings, services, port))
        async with self._announced(self._running(services, port)) as running:
            with self._timed("part_first_run"):
                await self.first_run(running)
            self._show(running, supervisor)
            for hook in self.on_ready:
                await hook(running)
            self.screen.forward_children()
            await asyncio.get_running_loop().create_future()  # until the guard breaks it off

    async def _clear_leftovers(self) -> None:
        names = await asyncio.to_thread(stop_leftovers, self.data)
        forget_ready_marks(self.data)
        if names:
            self.screen.say("leftovers_stopped", names=", ".join(names))

    def _api_port(self) -> int:
        if self.settings.port == 0:
            return any_free_port(self.settings.host)
        check_port(self.settings.host, self.settings.port)
        return self.settings.port

    def _running(self, services: Services, port: int) -> Running:
        ports = {"api": port, "redis": services.redis_port, "chroma": services.chroma_port}
        return Running(
            url=api_url(self.settings.host, port),
            pid=self.owner.pid,
            redis_url=services.redis_url or "",
            chroma_url=services.chroma_url or "",
            ports={name: number for name, number in ports.items() if number},
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=copilot_version(),
        )

    @asynccontextmanager
    async def _announced(self, running: Running) -> AsyncIterator[Running]:
        """Written down as answering, until it starts to stop."""
        write_record(self.data, Record(self.owner, self.recorded, running))
        try:
            yield running
        finally:
            write_record(self.data, Record(self.owner, self.recorded))

    def _record(self, children: list[RecordedChild]) -> None:
        self.recorded = children
        write_record(self.data, Record(self.owner, children))

    def _show(self, running: Running, supervisor: Supervisor) -> None:
        if self.verbose:
            rows = [(self._word(code), f"{seconds:.2f}") for code, seconds in self.parts]
            rows += [(f"  {child.spec.name}", f"{child.ready_after or 0:.2f}") for child in supervisor.children]
            self.screen.show(columns(rows, title=(self._word("part"), self._word("seconds"))))
        self.screen.say("ready", seconds=f"{time.perf_counter() - self.began:.1f}")
        pages = {"chat_page": "/", "console_page": "/console", "api_docs": "/docs"}
        places = {code: running.url + path for code, path in pages.items()} | {"data_folder": str(self.data)}
        self.screen.show(columns([(f"  {self._word(code)}", place) for code, place in places.items()]))
        if self.settings.keys_required:
            self.screen.say("keys_needed")
        if any(child.spec.name == "bot" for child in supervisor.children):
            self.screen.say("bot_runs")
        elif self.settings.dingtalk_client_id and not self.settings.dingtalk_app:
            self.screen.say("bot_half")
        self.screen.say("how_to_stop")

    def _word(self, code: str) -> str:
        return self.screen.word(code)

    @contextmanager
    def _timed(self, part: str) -> Generator[None]:
        began = time.perf_counter()
        yield
        self.parts.append((part, time.perf_counter() - began))
