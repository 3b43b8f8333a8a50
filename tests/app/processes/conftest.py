"""A real ``copilot up`` (with stand-ins for API and worker) for tests that look at processes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
import pytest

from app.processes.ports import any_free_port
from app.processes.runtime import Running, find_running
from app.settings import Settings

ROOT = Path(__file__).parents[3]
UP_COMMAND = Path(__file__).with_name("up_command.py")
READY = "Press Ctrl-C to stop."


@dataclass
class Up:
    """The command under test. ``family`` is every process it had when it was ready, by name; itself is ``up``."""

    process: "subprocess.Popen[bytes]"
    output: Path
    data: Path
    family: dict[str, psutil.Process] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    @property
    def running(self) -> Running:
        running = find_running(Settings(data=self.data))
        assert running is not None
        return running

    def wait_for(self, text: str, seconds: float = 60) -> "Up":
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.02)
        self.look_around()
        return self

    def look_around(self) -> None:
        own = psutil.Process(self.process.pid)
        self.family = {"up": own} | {_name(child): child for child in own.children(recursive=True)}

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends_within(self, seconds: float) -> int:
        """→ the exit code; fails if the command or any of its family still runs after that."""
        began = time.monotonic()
        code = self.process.wait(seconds)
        self.gone_within(seconds - (time.monotonic() - began))
        return code

    def gone_within(self, seconds: float) -> None:
        _, alive = psutil.wait_procs(self.family.values(), timeout=seconds)
        left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
        assert not left, [process.cmdline() for process in left]


def _name(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    names = ("redis-server", "chroma", "stand_in.py api", "stand_in.py worker", "stand_in.py images", "-m bots")
    found = next((name for name in names if name in line), line)
    return found.removeprefix("stand_in.py ").removeprefix("-m ").removesuffix("-server").replace("bots", "bot")


StartUp = Callable[..., Up]


Children = Callable[[], list[psutil.Process]]


@pytest.fixture
def children() -> Children:
    """The processes started since the test began; the browser that other tests share is none of them."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [child for child in psutil.Process().children(recursive=True) if child not in before]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "数据 data"


@pytest.fixture
def start_up(tmp_path: Path, data: Path) -> Iterator[StartUp]:
    """``start_up(*options, port=…, …settings)``: starts the command; whatever it left is killed after the test.

    ``under`` is a program that executes it, such as nohup.
    """
    started: list[Up] = []

    def start(
        *options: str, under: tuple[str, ...] = (), stdout: IO[bytes] | int | None = None, **settings: object
    ) -> Up:
        output = tmp_path / f"output-{len(started)}.txt"
        chosen = {"data": data, "port": any_free_port()} | settings
        env = {f"COPILOT_{name.upper()}": str(value) for name, value in chosen.items()}
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*under, sys.executable, str(UP_COMMAND), *options],
                env={"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "LANG": "C.UTF-8", **env},
                stdout=stdout or file,
                stderr=file,
                cwd=tmp_path,
                start_new_session=True,
            )
        up = Up(process, output, data)
        started.append(up)
        return up

    yield start
    for up in started:
        for process in up.family.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        up.process.kill()
        up.process.wait()
