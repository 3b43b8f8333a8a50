"""Snapshots, undoing and explanations on the command line, with no service running; and evals on a snapshot."""

import json
import subprocess
import sys
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path

import pytest

from tests.products import FEES, RETURNS

pytestmark = pytest.mark.processes


def test_a_knowledge_base_is_saved_changed_undone_restored_and_measured(tmp_path: Path) -> None:
    docs, file, questions = tmp_path / "docs", tmp_path / "shop.zip", tmp_path / "questions.jsonl"
    docs.mkdir()
    for name, text in (("费用.md", FEES), ("退货.md", RETURNS)):
        (docs / name).write_text(text, encoding="utf-8")
    asked = {"id": "1", "question": "旗舰店的保证金是多少？", "documents": ["费用.md"], "facts": ["50000"]}
    questions.write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=240, check=False, env={**environ, "COLUMNS": "200"}
        )

    def copilot(*arguments: str) -> str:
        done = run(*arguments, "--data", str(tmp_path / "data"))
        assert done.returncode == 0, done.stderr
        return done.stdout

    copilot("ingest", str(docs), "--kb", "shop")
    assert "bytes" in copilot("kb", "snapshot", "shop", "--out", str(file))
    asked_for = copilot("search", "旗舰店的保证金", "--kb", "shop", "--json")
    (docs / "费用.md").write_text(FEES.replace("50000", "60000"), encoding="utf-8")
    copilot("ingest", str(docs), "--kb", "shop")
    listed = json.loads(copilot("kb", "publications", "shop", "--json"))["publications"]
    assert sum(each["total"] for each in listed) >= 2
    undone = copilot("kb", "undo", "shop", "--since", listed[0]["until"])
    assert "1 as before, 0 taken out" in undone
    assert "2 documents" in copilot("kb", "restore", str(file), "--name", "copy")
    again = copilot("search", "旗舰店的保证金", "--kb", "copy", "--json")
    assert [one["text"] for one in json.loads(again)["passages"]] == [
        one["text"] for one in json.loads(asked_for)["passages"]
    ]
    told = copilot("search", "旗舰店的保证金", "--kb", "copy", "--explain", "退货.md", "-k", "1")
    assert "below the 1 that were asked for" in told
    assert "lacks: " in told

    measured = run("eval", "retrieval", "--snapshot", str(file), "--questions", str(questions), "--json")
    assert measured.returncode == 0, measured.stderr
    (report,) = json.loads(measured.stdout)
    assert (report["corpus"], report["questions"]) == ("shop", 1)
    assert report["rows"][-1]["recall"] == [1.0, 1.0, 1.0]
    broken = run("kb", "restore", str(questions), "--data", str(tmp_path / "data"))
    assert broken.returncode == 1
    assert "[snapshot_invalid]" in broken.stderr
