"""The converted encoder survives kills, damage and company."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knowledge.embeddings.bundled import BundledEmbedder
from knowledge.embeddings.encoder_file import encoder_path
from tests.conftest import ROOT

CONVERT = [sys.executable, "-m", "knowledge.embeddings.bundled"]


def start_converting(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*CONVERT, str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL)


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_two_processes_that_convert_at_once_both_succeed_and_leave_one_file(tmp_path: Path) -> None:
    both = [start_converting(tmp_path), start_converting(tmp_path)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert files(tmp_path) == ["encoder.onnx"]


def test_a_process_killed_while_it_converts_leaves_nothing_that_the_next_could_mistake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = start_converting(tmp_path)
    deadline = time.monotonic() + 30
    while not files(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.001)  # the first file is the one being written
    process.kill()
    process.wait(10)
    with caplog.at_level(logging.INFO, "knowledge.embeddings.encoder_file"):
        assert BundledEmbedder(tmp_path).embed_query("退货").shape == (384,)
        converted = len(caplog.records)
        BundledEmbedder(tmp_path)
    assert len(caplog.records) == converted  # the second start found it


@pytest.mark.parametrize("damage", ["empty", "half"])
def test_a_damaged_file_is_made_again_and_what_killed_conversions_left_is_cleared(
    tmp_path: Path, embedder_cache: Path, damage: str
) -> None:
    whole = BundledEmbedder(embedder_cache).embed_query("退货运费谁承担")
    content = encoder_path(embedder_cache).read_bytes()
    path = encoder_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes({"empty": b"", "half": content[: len(content) // 2]}[damage])
    for name, age_s in (("old.part", 3600), ("running.part", 5)):
        (path.parent / name).write_bytes(b"half")
        os.utime(path.parent / name, (time.time() - age_s,) * 2)
    assert BundledEmbedder(tmp_path).embed_query("退货运费谁承担") == pytest.approx(whole, abs=1e-5)
    assert path.read_bytes() == content
    assert sorted(files(tmp_path)) == ["encoder.onnx", "running.part"]
