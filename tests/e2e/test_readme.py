"""Every command of the README, run as it stands there against a copilot that was started as it says; and its page."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path

import httpx
import pytest

from app.doctor import settings_table
from app.doctor.readme import Where
from app.processes.ports import any_free_port
from tests.browser.acts import answer, ask, in_widget
from tests.browser.conftest import NewPage
from tests.e2e.conftest import SampleCopilot

ROOT = Path(__file__).parent.parent.parent
TWO_COMMANDS = {"make up", "make test"}  # what runs this test, and what the fixture below does
RUNS_ON = ".venv/bin/copilot dingtalk-sandbox"  # until it is stopped


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        joined = block.replace("\\\n", " ")
        found += [line.split("   #")[0].strip() for line in joined.splitlines() if line.strip()]
    found += re.findall(r"`(copilot keys [^`]+)`", text)
    return [command for command in found if command not in {*TWO_COMMANDS, RUNS_ON}]


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


@pytest.mark.processes
def test_the_sandbox_of_the_readme_runs_until_it_is_stopped(sample_copilot: SampleCopilot, tmp_path: Path) -> None:
    assert RUNS_ON in (ROOT / "README.md").read_text(encoding="utf-8")
    port, log = any_free_port(), tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*argv(RUNS_ON, sample_copilot.url), "--port", str(port)],
            cwd=ROOT,
            env={**environ, "COPILOT_DATA": str(sample_copilot.data)},
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + 90
        while not (process.poll() is not None or time.monotonic() > deadline or answers(port)):
            time.sleep(0.1)
        assert answers(port), log.read_text(encoding="utf-8")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, log.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.mark.processes
@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_a_question_about_a_sample_document_is_answered_with_its_source(
    sample_copilot: SampleCopilot, new_page: NewPage
) -> None:
    page = await new_page(sample_copilot.url)
    await page.wait_for_selector(".composer")
    await ask(page, "首图最小尺寸是多少像素？")
    assert "800×800" in await answer(page).inner_text()
    sources = await page.locator(".turn:last-of-type .sources").inner_text()
    assert "商品图片规范.md" in sources
    await page.locator(".turn:last-of-type .md .chip").first.click()
    await page.wait_for_selector("mark")
    assert "800×800" in await page.locator("mark").first.inner_text()
    assert await in_widget(page, "document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.processes
@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_the_console_shows_what_was_taken_in(sample_copilot: SampleCopilot, new_page: NewPage) -> None:
    page = await new_page(f"{sample_copilot.url}/console")
    await page.get_by_text("samples").first.click()
    await page.wait_for_selector("text=2026年收费标准.md")


@pytest.mark.parametrize("where", ["root", "bots", "knowledge"])
def test_the_settings_table_is_that_of_the_code(where: Where) -> None:
    text = (ROOT / ("" if where == "root" else where) / "README.md").read_text(encoding="utf-8")
    table = text.split("<!-- settings -->\n", 1)[1].split("<!-- /settings -->", 1)[0]
    assert table.strip() == settings_table(where).strip()


@pytest.mark.parametrize(("readme", "most"), [("README.md", 210), ("bots/README.md", 90), ("knowledge/README.md", 80)])
def test_a_readme_is_short_and_its_links_lead_somewhere(readme: str, most: int) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= most
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert ((ROOT / readme).parent / target).exists(), target
