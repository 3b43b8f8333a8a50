"""One parser process, from the side of its parent: asked, watched, and killed when it must be."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.loaders.source import Progress, too_large
from ingest.parsing.wire import Message, TooLong, packed, taken
from knowledge.errors import DocumentRefused

TICK_MS = 100  # between two looks at memory and clock
_READ = 1 << 20
_HOME = Path(__file__).resolve().parents[2]  # where the child finds our packages, installed or not


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may take. ``resident`` bytes are looked at every tick; ``asked`` bytes are the system's limit
    on what a process may ask for, against what grows faster. ``silent`` seconds without progress, ``seconds`` in all:
    text recognition of a book reports every page and takes its time.
    """

    resident: int = 1 << 30
    asked: int = 3 << 29
    silent: float = 30.0
    seconds: float = 1800.0


class Died(Exception):
    """The process ended, or said what no parser of ours says, before it had answered.

    ``fresh``: it was its first file.
    """

    def __init__(self, *, fresh: bool) -> None:
        super().__init__()
        self.fresh = fresh


class ParserProcess:
    """Not safe for several threads. After any error but a refusal it must be killed."""

    def __init__(self, module: str, limits: Limits) -> None:
        self._limits = limits
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "ingest.parsing.child", module, str(limits.asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_HOME,
            start_new_session=True,  # a group of its own, to be killed as one; and no Ctrl-C from a terminal
        )
        self._buffer = bytearray()
        self.served = 0
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: Message, progress: Progress) -> Message:
        """The answer. Raises Died, DocumentRefused ``too_large``, and whatever ``progress`` raises: it is called every
        tick, so that who wants the file no more is heard."""
        self.served += 1
        started = heard = time.monotonic()
        done = total = 0
        for message in self._messages(request):
            match message:
                case {"ready": _}:
                    started = heard = time.monotonic()  # starting is no document's fault
                case {"progress": [int(done), int(total)]}:
                    heard = time.monotonic()
                case dict():
                    return message
            progress(done, total)
            self._require_bounds(started, heard)
        raise self._died()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def resident(self) -> int:
        """Bytes of memory it has now."""
        try:
            return _resident(self.pid)
        except (OSError, ValueError, LookupError):
            return 0

    def kill(self) -> None:
        """It and all that it started, now."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _messages(self, request: Message) -> Iterator[Message | None]:
        """What it says; None every tick without a word."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise self._died()
        waiting = select.poll()
        waiting.register(stdout, select.POLLIN)
        try:
            os.write(stdin.fileno(), packed(request))  # shorter than a pipe holds
            while True:
                if not waiting.poll(TICK_MS):
                    yield None
                    continue
                data = os.read(stdout.fileno(), _READ)
                if not data:
                    raise self._died()
                self._buffer += data
                while (message := taken(self._buffer)) is not None:
                    yield message
        except TooLong:
            raise too_large("This file holds more text than a document may.") from None
        except (OSError, ValueError) as exc:
            raise self._died() from exc

    def _died(self) -> Died:
        return Died(fresh=self.served == 1)

    def _require_bounds(self, started: float, heard: float) -> None:
        now = time.monotonic()
        if now - heard > self._limits.silent or now - started > self._limits.seconds:
            allowed = self._limits.silent if now - heard > self._limits.silent else self._limits.seconds
            raise DocumentRefused(
                "too_large",
                f"Reading this file took longer than {allowed:g} s. Split it into smaller files; if it is small, "
                "open it in the program it was made with, save it again, and upload the new copy.",
            )
        if self.resident() > self._limits.resident:
            raise too_large(f"Reading this file took more than {self._limits.resident >> 20} MB of memory.")


def _resident(pid: int) -> int:
    if sys.platform == "linux":
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    shown = subprocess.run(  # noqa: S603 - a number
        ["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True, text=True
    )
    return int(shown.stdout) * 1024
