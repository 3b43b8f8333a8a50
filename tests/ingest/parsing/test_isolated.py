"""A bomb, a hang and a crash cost one document, and nothing is left running."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.blocks import Text
from ingest.parsing import IsolatedParser
from ingest.parsing.process import Limits
from knowledge.errors import DocumentRefused

ROGUE = "tests.ingest.parsing.rogue"
LIMITS = Limits(resident=200 << 20, asked=1 << 30, silent=0.8, seconds=60)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def parser() -> Generator[IsolatedParser]:
    parser = IsolatedParser(slots=1, limits=LIMITS, module=ROGUE)
    yield parser
    parser.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def read(parser: IsolatedParser, path: Path, name: str = "good", **more) -> str:  # type: ignore[no-untyped-def]
    (block,) = parser.load(path, name=name, max_bytes=1 << 20, **more).blocks
    assert isinstance(block, Text)
    return block.text


def refused(parser: IsolatedParser, path: Path, name: str) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        read(parser, path, name)
    return caught.value


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_warm_process_reads_one_file_after_the_other(parser: IsolatedParser, file: Path) -> None:
    assert read(parser, file) == read(parser, file)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("bomb", "too_large"), ("one great piece", "too_large"), ("crash", "corrupt"), ("bug", "corrupt")],
)
def test_what_goes_wrong_is_refused_and_the_next_file_is_read(
    parser: IsolatedParser, file: Path, name: str, reason: str
) -> None:
    found = refused(parser, file, name)
    assert found.reason == reason
    assert found.message.endswith(".")
    assert read(parser, file).startswith("good")


def test_a_hang_ends_with_all_that_it_started(parser: IsolatedParser, file: Path) -> None:
    found = refused(parser, file, "hang")
    assert found.reason == "too_large"
    assert "0.8 s" in found.message
    wait_for(lambda: not runs(int(file.read_text())))


def test_every_report_of_progress_renews_the_time(parser: IsolatedParser, file: Path) -> None:
    reports: list[tuple[int, int]] = []
    assert read(parser, file, "slow", progress=lambda *report: reports.append(report)).startswith("slow")
    assert (11, 12) in reports


def test_an_overall_bound_ends_what_reports_for_ever(file: Path) -> None:
    parser = IsolatedParser(slots=1, limits=Limits(silent=20, seconds=0.5), module=ROGUE)
    try:
        assert refused(parser, file, "slow").reason == "too_large"
    finally:
        parser.close()


def test_who_wants_the_file_no_more_is_heard_within_a_tick(parser: IsolatedParser, file: Path) -> None:
    class Unwanted(Exception):
        pass

    def unwanted(done: int, total: int) -> None:
        if file.stat().st_size:
            raise Unwanted

    with pytest.raises(Unwanted):
        read(parser, file, "hang", progress=unwanted)
    wait_for(lambda: not runs(int(file.read_text())))


def test_a_worn_process_that_died_is_no_fault_of_the_file(parser: IsolatedParser, file: Path) -> None:
    read(parser, file)
    assert read(parser, file, "crash once").startswith("crash once")


def test_what_a_library_prints_is_no_reply(parser: IsolatedParser, file: Path) -> None:
    assert read(parser, file, "noise").startswith("noise")


def test_files_wait_for_a_free_process(file: Path) -> None:
    parser = IsolatedParser(slots=2, limits=LIMITS, module=ROGUE)
    try:
        with ThreadPoolExecutor(6) as threads:
            texts = list(threads.map(lambda _: read(parser, file), range(6)))
        assert 1 <= len(set(texts)) <= 2
    finally:
        parser.close()


def test_closing_ends_the_processes(file: Path) -> None:
    parser = IsolatedParser(slots=1, module=ROGUE)
    pid = int(read(parser, file).split()[-1])
    parser.close()
    wait_for(lambda: not runs(pid))


PARENT = """
import pathlib, sys
from ingest.parsing import IsolatedParser
IsolatedParser(module="tests.ingest.parsing.rogue").load(pathlib.Path(sys.argv[1]), name="hang", max_bytes=1)
"""


def test_a_killed_parent_leaves_nothing_behind(file: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(file)], cwd=ROOT)
    wait_for(lambda: file.stat().st_size)
    parent.kill()
    parent.wait()
    wait_for(lambda: not runs(int(file.read_text())))


@pytest.mark.parametrize("number", [1, 2])
def test_a_page_that_cannot_be_drawn_in_bounds_is_refused_and_the_next_file_is_read(
    parser: IsolatedParser, file: Path, number: int
) -> None:
    with pytest.raises(DocumentRefused) as caught:
        parser.page_picture(file, number=number, max_bytes=1)
    assert caught.value.reason == "too_large"
    assert read(parser, file).startswith("good")
