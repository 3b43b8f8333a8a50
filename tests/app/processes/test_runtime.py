"""The lock and the file by which others find a running copilot."""

import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from app.processes.pids import ProcessMark, mark, own_mark
from app.processes.runtime import (
    Record,
    Running,
    data_folder_held,
    find_running,
    is_locked,
    is_marked_ready,
    mark_ready,
    read_record,
    write_record,
)
from app.settings import Settings

RUNNING = Running(
    url="http://127.0.0.1:8000",
    pid=1,
    redis_url="redis://:secret@127.0.0.1:1/0",
    chroma_url="http://127.0.0.1:2",
    ports={"api": 8000},
    started_at="2026-01-01T00:00:00+00:00",
    version="1",
)


def ended_process() -> ProcessMark:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return mark(process.pid)


async def test_a_copilot_is_found_only_while_its_process_lives_and_holds_the_folder(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert find_running(settings) is None
    write_record(tmp_path, Record(own_mark(), [], RUNNING))
    assert find_running(settings) is None  # nobody holds the lock: left from a crash
    async with data_folder_held(tmp_path, wait=0):
        assert find_running(settings) == RUNNING
        write_record(tmp_path, Record(own_mark(), []))
        assert find_running(settings) is None  # starting, or stopping
        write_record(tmp_path, Record(ended_process(), [], RUNNING))
        assert find_running(settings) is None


def test_the_record_can_be_read_by_its_owner_only_and_leaves_no_other_file(tmp_path: Path) -> None:
    for _ in range(3):
        write_record(tmp_path, Record(own_mark(), [], RUNNING))
    assert [path.name for path in tmp_path.iterdir()] == ["copilot.json"]
    assert stat.S_IMODE((tmp_path / "copilot.json").stat().st_mode) == 0o600
    assert read_record(tmp_path) == Record(own_mark(), [], RUNNING)


async def test_whoever_asks_for_a_served_folder_is_told_who_serves_it(tmp_path: Path) -> None:
    async with data_folder_held(tmp_path, wait=0):
        write_record(tmp_path, Record(own_mark(), [], RUNNING))
        async with data_folder_held(tmp_path, wait=10) as serving:
            assert serving == RUNNING
        assert is_locked(tmp_path)


async def test_a_folder_can_be_taken_while_another_process_keeps_asking_whether_it_is_held(tmp_path: Path) -> None:
    with asking_all_the_time(tmp_path):
        for _ in range(20):
            async with data_folder_held(tmp_path, wait=1.0) as serving:
                assert serving is None


@contextmanager
def asking_all_the_time(data: Path) -> Generator[None]:
    (data / "copilot.lock").touch()
    program = "import sys; from pathlib import Path; from app.processes.runtime import is_locked\nprint(flush=True)\n"
    loop = "while True: is_locked(Path(sys.argv[1]))"
    argv = [sys.executable, "-c", program + loop, str(data)]
    with subprocess.Popen(argv, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def test_a_process_that_has_ended_or_has_another_start_is_not_alive() -> None:
    own = own_mark()
    assert own.alive
    assert not ProcessMark(own.pid, own.started + "0").alive
    assert not ProcessMark(own.pid, "").alive
    assert not ended_process().alive


def test_a_child_without_a_port_marks_itself_ready(tmp_path: Path) -> None:
    assert not is_marked_ready(tmp_path, own_mark().pid)
    mark_ready(tmp_path)
    assert is_marked_ready(tmp_path, own_mark().pid)
