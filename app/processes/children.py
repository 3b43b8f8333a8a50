"""One child process: how it is started, what it said, whether it is ready, how it ended."""

import asyncio
import re
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from os import SEEK_END, environ  # noqa: TID251 (a child inherits what we were given; nothing is read from it)
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import IO, cast

from app.processes.pids import ProcessMark, mark, signal_group
from app.processes.tether import tethered
from app.processes.words import StartFailure

TAIL_LINES = 5
LONGEST_LINE = 8_192  # bytes; a longer one is shown in pieces
LARGEST_LOG = 10 * 2**20  # bytes; a larger one is set aside at the next start
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Ready = Callable[[int], Awaitable[bool]]
OnLine = Callable[[str, str], None]


class Stage(IntEnum):
    """In which order children are stopped: those who use the stores first."""

    SERVICE = 0
    STORE = 1


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run.

    ``env`` is added to our own environment, out of which our settings are left: a child has those it is given.
    ``ready`` is asked with the child's process id until it says yes; without one the child is ready as soon as it
    runs. ``log`` takes the output; without one it is forwarded, line by line. ``start_timeout`` is in seconds.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Ready | None = None
    stage: Stage = Stage.SERVICE
    log: Path | None = None
    cwd: Path | None = None
    start_timeout: float = 60.0


class ChildDied(StartFailure):
    """A child ended that should not have; ``tail`` is the last of what it said, at most five lines."""

    def __init__(self, child: "Child") -> None:
        status = child.exit_status
        code = "child_killed" if status < 0 else "child_exited"
        super().__init__(code, name=child.spec.name, status=_signal_name(-status) if status < 0 else status)
        self.tail = child.tail()
        self.log = child.spec.log


class ChildSilent(StartFailure):
    """A child runs but does not become ready."""

    def __init__(self, child: "Child") -> None:
        super().__init__("child_silent", name=child.spec.name, seconds=f"{child.spec.start_timeout:g}")
        self.tail = child.tail()
        self.log = child.spec.log


class Child:
    """A started child; made by :func:`spawn`. Call :meth:`let_go` when done with it."""

    def __init__(
        self, spec: ChildSpec, transport: asyncio.SubprocessTransport, voice: "_Voice", log_start: int
    ) -> None:
        self.spec = spec
        self.mark: ProcessMark = mark(transport.get_pid())
        self.ready_after: float | None = None  # seconds from its start
        self._transport = transport
        self._voice = voice
        self._log_start = log_start
        self._started = asyncio.get_running_loop().time()

    @property
    def running(self) -> bool:
        return self._transport.get_returncode() is None

    @property
    def exit_status(self) -> int:
        """The exit code, or minus the number of the signal that ended it; 0 as long as it runs."""
        return self._transport.get_returncode() or 0

    async def ended(self) -> None:
        await self._voice.ended.wait()

    async def until_ready(self) -> None:
        """Raises ChildDied or ChildSilent."""
        try:
            async with asyncio.timeout(self.spec.start_timeout):
                while self.running and not await self._is_ready():  # noqa: ASYNC110 (the other side is a process)
                    await asyncio.sleep(0.03)
        except TimeoutError:
            raise ChildSilent(self) from None
        if not self.running:
            raise await self.death()
        self.ready_after = asyncio.get_running_loop().time() - self._started

    async def death(self) -> ChildDied:
        """The error to raise for a child that has ended, once what it said last has come through the pipe."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await self._voice.all_said.wait()
        return ChildDied(self)

    def signal(self, number: signal.Signals) -> None:
        """To the child and to whatever it started; nothing if the child has ended."""
        if self.running:
            signal_group(self.mark.pid, number)

    def tail(self) -> tuple[str, ...]:
        if self.spec.log is None:
            return tuple(self._voice.tail)
        with self.spec.log.open("rb") as file:
            file.seek(max(self._log_start, file.seek(0, SEEK_END) - TAIL_LINES * LONGEST_LINE))
            lines = [_readable(line) for line in file.read().splitlines()]
        return tuple([line for line in lines if line][-TAIL_LINES:])

    def let_go(self) -> None:
        """Close our ends of its pipes; kills it if it still runs."""
        self._transport.close()

    async def _is_ready(self) -> bool:
        return self.spec.ready is None or await self.spec.ready(self.mark.pid)


async def spawn(spec: ChildSpec, *, on_line: OnLine, on_end: Callable[[], None]) -> Child:
    """Start a child in a session of its own, so that Ctrl-C in the terminal reaches only us, tied to our life."""
    log = None if spec.log is None else _opened(spec.log)
    start = 0 if log is None else log.tell()
    try:
        # Not asyncio.create_subprocess_exec: its wait() ends only when the pipes are closed too, so the death of a
        # child would go unnoticed as long as something that it started holds them.
        transport, voice = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Voice(spec.name, on_line, on_end),
            *tethered(spec.argv),
            stdin=DEVNULL,
            stdout=PIPE if log is None else log,
            stderr=STDOUT,
            env={**_without_settings(environ), "PYTHONUNBUFFERED": "1", **spec.env},
            cwd=spec.cwd,
            start_new_session=True,
        )
    finally:
        if log is not None:
            log.close()
    return Child(spec, transport, voice, start)


class _Voice(asyncio.SubprocessProtocol):
    """What comes from a child: its lines, and the news of its end."""

    def __init__(self, name: str, on_line: OnLine, on_end: Callable[[], None]) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.ended = asyncio.Event()
        self.all_said = asyncio.Event()
        self._name = name
        self._on_line = on_line
        self._on_end = on_end
        self._rest = b""
        self._pid = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transport does not inherit from the class that asyncio promises.
        self._pid = cast("asyncio.SubprocessTransport", transport).get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 (its signature)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            self._hand_on(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 (its signature)
        if self._rest:
            self._hand_on(self._rest)
        self._rest = b""
        self.all_said.set()

    def process_exited(self) -> None:
        # What it started and left behind goes with it. At once: the number of an empty group may be given to a
        # stranger later.
        signal_group(self._pid, signal.SIGKILL)
        self.ended.set()
        self._on_end()

    def _hand_on(self, raw: bytes) -> None:
        if readable := _readable(raw):
            self.tail.append(readable)
        self._on_line(self._name, raw.decode("utf-8", "replace").rstrip())


def _without_settings(given: Mapping[str, str]) -> dict[str, str]:
    """No server of somebody else's is to be told our secrets."""
    return {name: value for name, value in given.items() if not name.upper().startswith("COPILOT_")}


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
    file = path.open("ab")
    file.seek(0, SEEK_END)
    return file


def _readable(raw: bytes) -> str:
    return _COLOURS.sub("", raw.decode("utf-8", "replace")).rstrip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
