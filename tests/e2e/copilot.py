"""A real `copilot up` in a folder, for tests that start, kill and start again."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ, kill  # noqa: TID251 (children inherit our environment)
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 120


class Copilot:
    """One run of ``copilot up``."""

    def __init__(self, data: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "up", "--data", str(data), "--port", "0", *arguments],
                stdout=out,
                stderr=out,
                env={**environ, "LANG": "C.UTF-8", **(env or {})},
            )

    def record(self) -> dict[str, Any]:
        path = self.data / "copilot.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def wait_ready(self) -> str:
        """→ the URL."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"copilot ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
            running = self.record().get("running")
            if running:
                return str(running["url"])
            time.sleep(0.1)
        raise AssertionError(f"copilot was not ready in {START_SECONDS} s:\n{self.log.read_text()[-3000:]}")

    def pids(self) -> dict[str, int]:
        return {child["name"]: child["process"]["pid"] for child in self.record().get("children", [])}

    def kill_child(self, name: str) -> None:
        kill(self.pids()[name], signal.SIGKILL)

    def stop(self, seconds: float = 10) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def running(data: Path, *arguments: str, env: dict[str, str] | None = None) -> Iterator[tuple[Copilot, httpx.Client]]:
    """A copilot that is ready, and a client of it."""
    copilot = Copilot(data, *arguments, env=env)
    try:
        with httpx.Client(base_url=copilot.wait_ready(), timeout=30) as http:
            yield copilot, http
    finally:
        if copilot.process.poll() is None:
            copilot.stop()
