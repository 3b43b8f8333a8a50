"""compose.yaml and Dockerfile say what is true: commands, settings, modules and folders that are there."""

import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.main import get_command

from app.cli import service
from app.settings import Settings
from bots import cli as bots_cli
from tests.conftest import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
SETTINGS = {f"COPILOT_{name.upper()}" for name in Settings.model_fields}
PINNED = re.compile(r".+:\d+\.\d+(\.\d+)?(-\w+)*$")


def commands() -> set[str]:
    app = typer.Typer()
    for register in (service.register, bots_cli.register):
        register(app)
    return set(get_command(app).commands)  # type: ignore[attr-defined]


def test_it_runs_two_apis_and_two_workers_and_the_three_stores() -> None:
    assert {"postgres", "redis", "chroma", "api-1", "api-2", "worker-1", "worker-2", "bot"} == set(SERVICES)
    assert SERVICES["bot"]["profiles"] == ["dingtalk"]
    assert COMPOSE["services"]["api-1"]["ports"] != COMPOSE["services"]["api-2"]["ports"]


@pytest.mark.parametrize("name", OURS)
def test_each_process_of_ours_is_a_command_that_there_is(name: str) -> None:
    program, first, *_ = OURS[name]["command"]
    if program == "copilot":
        assert first in commands()
    else:
        assert (program, first) == ("chroma", "run")
        assert shutil.which("chroma", path=str(Path(sys.executable).parent))


def test_every_setting_it_names_is_one_of_the_table() -> None:
    named = set(re.findall(r"COPILOT_[A-Z_]+[A-Z]", (ROOT / "compose.yaml").read_text(encoding="utf-8") + DOCKERFILE))
    assert named - SETTINGS == set()
    assert set(OURS["api-1"]["environment"]) == set(OURS["worker-1"]["environment"]) == set(OURS["bot"]["environment"])


def test_what_several_machines_share_is_one_volume_and_each_has_a_folder_of_its_own() -> None:
    named = {name: service["volumes"] for name, service in OURS.items() if name != "chroma"}
    assert all(volumes == [f"{name}:/data", "shared:/shared"] for name, volumes in named.items())
    assert {volume.partition(":")[0] for service in SERVICES.values() for volume in service["volumes"]} == set(
        COMPOSE["volumes"]
    )
    for name in ("COPILOT_FILES_FOLDER", "COPILOT_ARTIFACTS_URL"):
        assert OURS["api-1"]["environment"][name].startswith("/shared/")


def test_no_password_is_written_down_and_no_store_is_open_to_the_outside() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert all(value.startswith("${") for value in re.findall(r"(?:PASSWORD|SECRET): (\S+)", text))
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api-1", "api-2"]


def test_images_are_pinned_and_every_service_that_others_wait_for_says_when_it_is_well() -> None:
    images = {service["image"] for service in SERVICES.values()} | set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M))
    assert [image for image in images if not PINNED.match(image)] == []
    waited_for = {name for service in SERVICES.values() for name in service.get("depends_on") or ()}
    assert waited_for == {"postgres", "redis", "chroma"}
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == ["bot"]


def test_the_image_is_made_of_what_is_there_and_runs_as_nobody_in_particular() -> None:
    for sources in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.M):
        assert [name for name in sources.split() if not (ROOT / name).exists()] == []
        ignored = (ROOT / ".dockerignore").read_text().split()
        assert [name for name in sources.split() if f"!{name}" not in ignored] == []
    for module in re.findall(r"python -m ([\w.]+) ", DOCKERFILE):
        assert find_spec(module) is not None
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.M) == ["copilot"]
