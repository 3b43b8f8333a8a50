"""What is known of a running copilot: a lock and a file in the data folder, for the CLI and for the next start.

``{data}/copilot.lock``  held (flock) as long as somebody runs servers on this folder; contains the process id.
``{data}/copilot.json``  what runs and where, mode 600 because it has the password of the embedded Redis; removed at a
                         clean end, so after a crash it names the leftovers.
``{data}/run/PID.ready`` made by a child that has no port to ask when it is ready.
"""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError

from app.processes.pids import ProcessMark, end_group
from app.processes.words import StartFailure
from knowledge.settings import KnowledgeSettings

LOCK = "copilot.lock"
RECORD = "copilot.json"
READY_MARKS = "run"


@dataclass(frozen=True, slots=True)
class Running:
    """A copilot that answers. URLs are as seen from this machine; ``started_at`` is ISO 8601 in UTC.

    ``ports`` has those of ``api`` and of the embedded ``redis`` and ``chroma``.
    """

    url: str
    pid: int
    redis_url: str
    chroma_url: str
    ports: dict[str, int]
    started_at: str
    version: str


@dataclass(frozen=True, slots=True)
class RecordedChild:
    name: str
    process: ProcessMark


@dataclass(frozen=True, slots=True)
class Record:
    """The content of ``copilot.json``. ``running`` is set once the API answers."""

    owner: ProcessMark
    children: list[RecordedChild] = field(default_factory=list)
    running: Running | None = None


_record = TypeAdapter(Record)


def find_running(settings: KnowledgeSettings) -> Running | None:
    """The copilot that serves this data folder, if one does now."""
    running = _recorded(settings.data)
    return running if running and is_locked(settings.data) else None


def read_record(data: Path) -> Record | None:
    """What was last written down; ``None`` without a file, or with one that cannot be understood."""
    try:
        return _record.validate_json((data / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def write_record(data: Path, record: Record) -> None:
    """Replace the file in one step, readable by its owner only."""
    # mkstemp makes files of mode 600.
    handle, name = tempfile.mkstemp(dir=data, prefix=f".{RECORD}-")
    with os.fdopen(handle, "wb") as file:
        file.write(_record.dump_json(record, indent=2))
    Path(name).replace(data / RECORD)


def forget_record(data: Path) -> None:
    (data / RECORD).unlink(missing_ok=True)


def mark_ready(data: Path) -> None:
    """Called by a child without a port (the worker) once it takes work."""
    folder = data / READY_MARKS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{os.getpid()}.ready").touch()


def is_marked_ready(data: Path, pid: int) -> bool:
    return (data / READY_MARKS / f"{pid}.ready").exists()


def forget_ready_marks(data: Path) -> None:
    for path in (data / READY_MARKS).glob("*.ready"):
        path.unlink(missing_ok=True)


def stop_leftovers(data: Path, *, grace: float = 3.0) -> list[str]:
    """Stop what a run that was killed has left behind, by name; call it with the lock held.

    Only processes whose id *and* start time fit the record are touched.
    """
    record = read_record(data)
    children: Sequence[RecordedChild] = record.children if record else []
    # The last started first: who uses the stores before the stores.
    return [child.name for child in reversed(children) if end_group(child.process, grace=grace)]


def is_locked(data: Path) -> bool:
    """Whether somebody holds the folder. A shared lock, so that two who ask do not see each other."""
    try:
        with (data / LOCK).open("rb") as file:
            return not _lock(file, fcntl.LOCK_SH)
    except (FileNotFoundError, NotADirectoryError):
        return False


@asynccontextmanager
async def data_folder_held(data: Path, *, wait: float) -> AsyncIterator[Running | None]:
    """Hold the folder; or → the copilot that serves it already, and hold nothing.

    Waits up to ``wait`` seconds for another command to end, then raises StartFailure ``data_in_use``. The shortest
    useful wait is a second: whoever asks :func:`is_locked` holds the lock for an instant.
    """
    with (data / LOCK).open("a+b") as file:
        deadline = asyncio.get_running_loop().time() + wait
        while not _lock(file, fcntl.LOCK_EX):
            if running := _recorded(data):
                yield running
                return
            if asyncio.get_running_loop().time() > deadline:
                raise StartFailure("data_in_use", path=str(data), pid=_holder(file))
            await asyncio.sleep(0.05)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield None  # closing the file gives the lock back


def _recorded(data: Path) -> Running | None:
    record = read_record(data)
    return record.running if record and record.owner.alive else None


def _lock(file: IO[bytes], kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    return False


def _holder(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(20).decode("ascii", "replace") or "?"
