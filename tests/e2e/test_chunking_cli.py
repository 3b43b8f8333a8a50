"""Chunk settings on the command line, with no service running."""

import json
import subprocess
import sys
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path

import pytest

from tests.app.test_chunking import LONG

pytestmark = pytest.mark.processes


def test_documents_are_cut_anew_before_the_command_ends(tmp_path: Path) -> None:
    (tmp_path / "手册.md").write_text(LONG, encoding="utf-8")

    def copilot(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app", *arguments, "--data", str(tmp_path / "data")]
        environment = {**environ, "COLUMNS": "200"}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)

    before = json.loads(copilot("ingest", str(tmp_path / "手册.md"), "--kb", "shop", "--json").stdout)
    refused = copilot("kb", "chunking", "shop", "--size", "120")
    assert refused.returncode == 1
    assert "chunk_overlap_invalid" in refused.stderr
    done = copilot("kb", "chunking", "shop", "--size", "120", "--overlap", "20", "--row-by-row", "--json")
    found = json.loads(done.stdout)
    assert (found["size"], found["row_by_row"]) == (120, True)
    assert found["documents"] == {"total": 1, "as_chosen": 1, "under_way": 0}
    after = json.loads(copilot("search", "退货", "--kb", "shop", "-k", "100", "--json").stdout)
    assert len({one["chunk_id"] for one in after["passages"]}) > before["files"][0]["chunks"]
    said = copilot("kb", "chunking", "shop").stdout
    assert said.strip().endswith("1 of 1 documents are cut so.")
