"""A Redis that a test may kill and start again, with what it kept or without."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from app.processes.embedded import redis_spec, redis_url
from app.processes.ports import any_free_port

PASSWORD = "of-tests"
START_SECONDS = 60


class RedisServer:
    """As ``copilot up`` runs it: with a password and an append-only file, on one port for good."""

    def __init__(self, folder: Path) -> None:
        port = any_free_port()
        self._spec = redis_spec(folder, port, PASSWORD)
        self._folder = folder / "redis"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = redis_url(port, PASSWORD)

    def start(self) -> None:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(self._spec.argv, cwd=self._spec.cwd, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
                    return
            except redis.RedisError:
                time.sleep(0.02)
        raise AssertionError((self._folder / "redis.log").read_text()[-2000:])

    @property
    def running(self) -> bool:
        return self._process is not None

    def kill(self) -> None:
        """``kill -9``: what was written in the last second may be lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Its file is gone, as after a lost disk. Only while it is not running. Redis 7 has a folder of them."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        (self._folder / "appendonly.aof").unlink(missing_ok=True)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
