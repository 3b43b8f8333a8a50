"""Children get the settings of their parent."""

from pathlib import Path

import pytest

from app.channel_settings import RobotAddress
from app.processes.environment import settings_environment, without_dingtalk_secrets
from app.settings import ModelPrice, Prices, Settings


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
        prices=Prices(models={"qwen-plus": ModelPrice(input=0.8)}),
        dingtalk_corps={"dingA": "default"},
        dingtalk_robots={"运营": RobotAddress(url="https://oapi/robot", secret="SECgeheim")},  # type: ignore[arg-type]
    )
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_what_up_has_chosen_goes_in_place_of_what_was_set(tmp_path: Path) -> None:
    env = settings_environment(
        Settings(data=tmp_path, port=0), port=8123, chroma_url="http://127.0.0.1:2", redis_url=None
    )
    assert env == {"COPILOT_DATA": str(tmp_path), "COPILOT_PORT": "8123", "COPILOT_CHROMA_URL": "http://127.0.0.1:2"}


def test_all_children_but_the_bot_know_that_there_is_an_app_and_not_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    robots = {"运营": RobotAddress(url="https://oapi/robot?access_token=geheim", secret="SECgeheim")}  # type: ignore[arg-type]
    settings = Settings(dingtalk_client_id="ding", dingtalk_client_secret="geheim", dingtalk_robots=robots)  # type: ignore[arg-type]
    env = settings_environment(settings, **without_dingtalk_secrets(settings))
    assert "geheim" not in str(env)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    told = Settings()
    assert told.dingtalk_client_id == "ding"
    assert set(told.dingtalk_robots) == {"运营"}
    assert not told.dingtalk_app
    assert without_dingtalk_secrets(Settings.model_construct()) == {}
