"""Every command of the README, run as it stands there against a copilot that was started as it says."""

import json
import re
import shlex
import subprocess
import sys
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path

import pytest

from tests.e2e.conftest import SampleCopilot

ROOT = Path(__file__).parent.parent.parent
TWO_COMMANDS = {"make up", "make test"}  # what runs this test, and what the fixture below does


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        joined = block.replace("\\\n", " ")
        found += [line.split("   #")[0].strip() for line in joined.splitlines() if line.strip()]
    found += re.findall(r"`(copilot keys [^`]+)`", text)
    return [command for command in found if command not in TWO_COMMANDS]


def argv(command: str, url: str) -> list[str]:
    words = shlex.split(command.replace("http://127.0.0.1:8000", url))
    if words[0].endswith("copilot"):
        return [sys.executable, "-m", "app", *words[1:]]
    return words


@pytest.mark.processes
@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_works(command: str, sample_copilot: SampleCopilot) -> None:
    done = subprocess.run(
        argv(command, sample_copilot.url),
        cwd=ROOT,
        env={**environ, "COPILOT_DATA": str(sample_copilot.data), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert done.stdout.strip()
    if command.startswith("curl"):
        names = re.findall(r"^event: (\w+)", done.stdout, re.MULTILINE)
        assert names[0] == "started"
        assert names[-1] == "done"
        end = json.loads(done.stdout.rsplit("data: ", 1)[1].strip())
        assert "800×800" in end["answer"]
        assert end["citations"]


def test_the_settings_table_is_that_of_the_code() -> None:
    from app.doctor import settings_table

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.split("<!-- settings -->\n", 1)[1].split("<!-- /settings -->", 1)[0]
    assert table.strip() == settings_table().strip()


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
