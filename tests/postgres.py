"""A PostgreSQL of the tests' own, started when the first of them wants a database and gone with the run."""

import asyncio
import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg

from app.database import migrate
from app.processes.ports import any_free_port
from knowledge.database import Database

INSTALL = "PostgreSQL is not installed; on Debian: apt-get install postgresql"
USER = "nobody"  # it refuses to run as root
START_SECONDS = 60
chosen = False  # whether the running test has its databases here; a fixture of tests/conftest.py says so
# Nothing of it is kept, so it need not wait for the disk.
OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200", "shared_buffers=32MB")


def programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``; Debian keeps it off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "postgres").exists()), None)


class PostgresServer:
    """Trusts everybody on a loopback port."""

    def __init__(self) -> None:
        bin_ = programs()
        assert bin_ is not None, INSTALL
        self.databases: set[str] = set()
        self._folder = Path(tempfile.mkdtemp(prefix="copilot-postgres-"))
        self._as: dict[str, Any] = {"cwd": self._folder}
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER)
            self._as |= {"user": USER, "extra_groups": []}
        init = [bin_ / "initdb", "-D", "data", "-A", "trust", "-U", "copilot", "-E", "UTF8", "--no-sync"]
        subprocess.run([*init, "--locale=C.UTF-8"], check=True, capture_output=True, **self._as)
        self._address = f"copilot@127.0.0.1:{any_free_port()}"
        self._start(bin_)

    def _start(self, bin_: Path) -> None:
        port = self._address.rpartition(":")[2]
        options = [word for option in OPTIONS for word in ("-c", option)]
        command = [bin_ / "postgres", "-D", "data", "-p", port, "-h", "127.0.0.1", "-k", self._folder, *options]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as)
        atexit.register(self.stop)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run([bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", port], check=False).returncode:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:  # somebody is still connected
            self._process.send_signal(3)  # SIGQUIT: at once
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://{self._address}/{name}"

    def fresh(self, name: str, *, template: str = "template0") -> str:
        """→ the URL of a new database."""
        _now(self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'))
        self.databases.add(name)
        return self.url(name)

    def of_folder(self, data: Path) -> str:
        """→ the URL of the database that belongs to a data folder, migrated; the same for the same folder."""
        name = sha256(str(data.absolute()).encode()).hexdigest()[:16]
        return self.url(name) if name in self.databases else self.fresh(name, template=self._migrated())

    def forget(self, names: set[str]) -> None:
        for name in names:
            _now(self._run(f'DROP DATABASE "{name}" WITH (FORCE)'))
            self.databases.discard(name)

    @cache  # noqa: B019 (there is one server, and it lives as long as the process)
    def _migrated(self) -> str:
        _now(_migrate(self.fresh("migrated")))
        self.databases.discard("migrated")
        return "migrated"

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(f"postgresql://{self._address}/postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@cache
def server() -> PostgresServer:
    return PostgresServer()


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()


def _now(work: Coroutine[Any, Any, None]) -> None:
    """Also where a test's own loop runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
