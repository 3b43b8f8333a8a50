"""The converted encoder survives kills, damage and company."""

import logging
import os
import shutil
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
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_two_processes_that_convert_at_once_both_succeed_and_leave_one_file(tmp_path: Path) -> None:
    both = [start_converting(tmp_path), start_converting(tmp_path)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert files(tmp_path) == ["encoder.data", "encoder.onnx"]


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


@pytest.mark.parametrize("damaged", ["encoder.onnx", "encoder.data"])
def test_damaged_files_are_made_again_and_what_killed_conversions_left_is_cleared(
    tmp_path: Path, embedder_cache: Path, damaged: str
) -> None:
    whole = BundledEmbedder(embedder_cache).embed_query("退货运费谁承担")
    good, copy = encoder_path(embedder_cache).parent, encoder_path(tmp_path).parent
    shutil.copytree(good, copy)
    content = (good / damaged).read_bytes()
    (copy / damaged).write_bytes(content[: len(content) // 2])
    for name, age_s in (("old.part", 3600), ("running.part", 5)):
        (copy / name).mkdir()
        os.utime(copy / name, (time.time() - age_s,) * 2)
    assert BundledEmbedder(tmp_path).embed_query("退货运费谁承担") == pytest.approx(whole, abs=1e-5)
    assert (copy / damaged).read_bytes() == content
    assert sorted(path.name for path in copy.iterdir()) == ["encoder.data", "encoder.onnx", "running.part"]
