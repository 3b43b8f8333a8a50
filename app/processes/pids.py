"""Processes named so that a stranger who was given the same number later is never taken for one of ours."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process id and when that process started.

    ``started`` is opaque: on Linux ``boot id:clock ticks since boot``, elsewhere what ``ps -o lstart`` prints; empty
    where neither could be read, and then the mark fits no process.
    """

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; one that has ended but was not yet collected by its parent does not."""
        return bool(self.started) and _started(self.pid) == self.started


def mark(pid: int) -> ProcessMark:
    return ProcessMark(pid, _started(pid))


def own_mark() -> ProcessMark:
    return mark(os.getpid())


def end_group(leader: ProcessMark, *, grace: float) -> bool:
    """Stop a process group of ours by its leader: SIGTERM, and SIGKILL after ``grace`` seconds.

    → whether there was anything to stop.
    """
    if not leader.alive:
        return False
    signal_group(leader.pid, signal.SIGTERM)
    if not _gone_within(leader, grace):
        signal_group(leader.pid, signal.SIGKILL)
        _gone_within(leader, 2.0)
    return True


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the group led by ``pid``; a group that is gone is no error."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _gone_within(process: ProcessMark, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _started(pid: int) -> str:
    if sys.platform == "linux":
        return _started_linux(pid)
    # Fixed arguments: no shell, nothing from outside.
    found = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip()


def _started_linux(pid: int) -> str:
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The name may contain spaces and brackets; after its last bracket come fields 3 (state) to 52 of proc_pid_stat(5).
    state, *fields = stat.rpartition(")")[2].split()
    if state in "ZX":
        return ""
    boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}:{fields[18]}"
