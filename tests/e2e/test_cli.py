"""The command line as a newcomer and a script meet it: no service running, everything started for the call."""

import json
import subprocess
import sys
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path

import pytest

from tests.products import FEES, RETURNS

pytestmark = pytest.mark.processes


def copilot(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**environ, "COLUMNS": "160"},
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "资料"
    (folder / "规则").mkdir(parents=True)
    (folder / "费用.md").write_text(FEES, encoding="utf-8")
    (folder / "规则" / "退换货.md").write_text(RETURNS, encoding="utf-8")
    (folder / ".hidden.md").write_text("不入库", encoding="utf-8")
    return folder


def test_from_a_folder_to_a_cited_answer(tmp_path: Path, shop: Path) -> None:
    data = tmp_path / "data"
    first = json.loads(copilot(data, "ingest", str(shop), "--kb", "shop", "--json").stdout)
    assert first["summary"] == {"live": 2, "unchanged": 0, "failed": 0}
    assert [file["name"] for file in first["files"]] == ["规则/退换货.md", "费用.md"]

    again = json.loads(copilot(data, "ingest", str(shop), "--kb", "shop", "--json").stdout)
    assert again["summary"] == {"live": 0, "unchanged": 2, "failed": 0}
    assert sum(file["embedded"] for file in again["files"]) == 0

    found = json.loads(copilot(data, "search", "旗舰店保证金", "--kb", "shop", "-k", "3", "--json").stdout)
    best = found["passages"][0]
    assert best["document"] == "费用.md"
    assert {"chunk_id", "score", "text", "heading", "page"} <= best.keys()

    answer = json.loads(copilot(data, "ask", "旗舰店的保证金是多少？", "--kb", "shop", "--json").stdout)
    assert "50000" in answer["answer"]
    assert answer["refused"] is False
    assert answer["cached"] is None
    assert answer["citations"][0]["document"] == "费用.md"
    assert {"usage", "timings_ms"} <= answer.keys()

    shown = copilot(data, "ask", "旗舰店的保证金是多少？")
    assert "50000" in shown.stdout
    assert "费用.md" in shown.stdout


def test_a_bad_file_among_good_ones_fails_the_command_and_says_which(tmp_path: Path, shop: Path) -> None:
    (shop / "坏.pdf").write_bytes(b"%PDF-1.7 nonsense")
    done = copilot(tmp_path / "data", "ingest", str(shop), "--kb", "shop")
    assert done.returncode == 1
    assert "2 taken in, 0 unchanged, 1 failed" in done.stdout
    assert "坏.pdf" in done.stderr
    assert "corrupt" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ingest", "/no/such/file"), "path_not_found"),
        (("search", "x", "--kb", "nothing"), "knowledge_base_not_found"),
        (("ask", " "), "question_empty"),
    ],
)
def test_a_mistake_is_one_sentence_with_a_code(tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    done = copilot(tmp_path / "data", *arguments)
    assert done.returncode == 1
    assert f"[{code}]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = json.loads(copilot(data, "keys", "create", "ops", "--scope", "admin", "--json").stdout)
    assert made["key"].startswith("sk_")
    page = json.loads(copilot(data, "keys", "create", "site", "--origin", "https://shop.example", "--json").stdout)
    assert page["key"].startswith("pk_")
    assert copilot(data, "keys", "revoke", made["id"]).returncode == 0
    listed = json.loads(copilot(data, "keys", "list", "--json").stdout)["keys"]
    assert {key["name"]: bool(key["revoked_at"]) for key in listed} == {"ops": True, "site": False}
    assert made["key"] not in json.dumps(listed)
