"""``copilot dingtalk-sandbox`` as people start it: real processes, from the first page to nothing left."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from app.processes.ports import any_free_port
from tests.e2e.copilot import running

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

START_SECONDS = 200
STOP_SECONDS = 5.0


@contextmanager
def sandbox(data: Path, log: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A sandbox whose bot is connected, and a client of its page."""
    port = any_free_port()
    command = [sys.executable, "-m", "app", "dingtalk-sandbox", "--data", str(data), "--port", str(port)]
    settings = {"LANG": "zh_CN.UTF-8", "COPILOT_PORT": "0", "PYTHONUTF8": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen([*command, *arguments], stdout=out, stderr=out, env={**environ, **settings})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            _until(lambda: _connected(http), process, log)
            yield process, http
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_it_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    with sandbox(data, log, "--no-samples") as (process, http):
        _until(lambda: "http://127.0.0.1" in log.read_text() and "可以试试" in log.read_text(), process, log)
        state = _state(http)
        group = next(one for one in state["conversations"] if one["kind"] == "group")
        http.post("/api/say", json={"conversation": group["id"], "user": "op1", "text": "/状态"}).raise_for_status()
        _until(lambda: "您的角色：运营" in json.dumps(_state(http), ensure_ascii=False), process, log)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 6  # redis, chroma, the API, two workers, the sandbox, its bot
        http.post("/api/kill", json={}).raise_for_status()
        _until(lambda: not _connected(http), process, log)
        _until(lambda: _connected(http), process, log)
        family = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert time.monotonic() - began < STOP_SECONDS * 2  # half of it for a machine that is busy
        assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert "Traceback" not in log.read_text()


def test_it_works_beside_a_copilot_that_runs(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    with running(data, "--no-samples") as (copilot, _), sandbox(data, log) as (process, http):
        assert _state(http)["links"]["console"].startswith(copilot.record()["running"]["url"])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert copilot.process.poll() is None


def test_it_does_not_mix_with_a_real_bot(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app", "dingtalk-sandbox"]
    settings = {**environ, "COPILOT_DINGTALK_CLIENT_ID": "dingreal", "COPILOT_DATA": str(tmp_path)}
    refused = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 1
    assert "sandbox_beside_real" in refused.stderr


def _state(http: httpx.Client) -> dict[str, Any]:
    """Everything, as a page gets it first."""
    with http.stream("GET", "/api/events") as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                found: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return found
    raise AssertionError("the page was told nothing")


def _connected(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def _until(holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)
