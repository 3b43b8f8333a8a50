"""Children get the settings of their parent."""

from pathlib import Path

import pytest

from app.processes.environment import settings_environment
from app.settings import Settings


def test_a_child_reads_back_what_its_parent_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        data=tmp_path,
        model_api_key="sk-geheim",  # type: ignore[arg-type]
        model_name="qwen-plus",
        model_temperature=0.5,
        require_keys=True,
        cors_origins=["https://shop.example", "https://店铺.example"],
        redis_url="redis://:p%40ss@127.0.0.1:1/0",
        log_format="json",
    )
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_what_up_has_chosen_goes_in_place_of_what_was_set(tmp_path: Path) -> None:
    env = settings_environment(
        Settings(data=tmp_path, port=0), port=8123, chroma_url="http://127.0.0.1:2", redis_url=None
    )
    assert env == {"COPILOT_DATA": str(tmp_path), "COPILOT_PORT": "8123", "COPILOT_CHROMA_URL": "http://127.0.0.1:2"}
