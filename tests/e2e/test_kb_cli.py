"""A snapshot taken without a running service, and evals on it."""

import json
import subprocess
import sys
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path

import pytest

from tests.products import FEES

pytestmark = pytest.mark.processes


def test_a_snapshot_is_taken_and_measured_with_no_service_running(tmp_path: Path) -> None:
    document, file, questions = tmp_path / "费用.md", tmp_path / "shop.zip", tmp_path / "questions.jsonl"
    document.write_text(FEES, encoding="utf-8")
    asked = {"id": "1", "question": "旗舰店的保证金是多少？", "documents": ["费用.md"], "facts": ["50000"]}
    questions.write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")

    def copilot(*arguments: str) -> str:
        command = [sys.executable, "-m", "app", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env={**environ})
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = ("--data", str(tmp_path / "data"))
    copilot("ingest", str(document), "--kb", "shop", *data)
    copilot("kb", "snapshot", "shop", "--out", str(file), *data)
    of_it = ("--snapshot", str(file), "--questions", str(questions), "--json")
    (report,) = json.loads(copilot("eval", "retrieval", *of_it))
    assert (report["corpus"], report["questions"]) == ("shop", 1)
    assert report["rows"][-1]["recall"] == [1.0, 1.0, 1.0]
