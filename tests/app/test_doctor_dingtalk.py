"""``copilot doctor`` on the DingTalk app: do its settings fit together, and does DingTalk know it?"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.doctor import Report, examine, render
from app.settings import Settings
from bots.sandbox.faults import Action, answer, html, refuse
from bots.sandbox.gateway import Gateway, running_gateway

SECRET = "secret-of-the-app-0123456789"
TOKEN = "token"


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without a ``.env``, and no settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COPILOT_{name.upper()}", raising=False)
    monkeypatch.setenv("COPILOT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway(client_secret=SECRET) as running:
        yield running


async def examined(gateway: Gateway, *, secret: str = SECRET, **settings: Any) -> Report:
    app = {"dingtalk_client_id": gateway.client_id, "dingtalk_client_secret": secret}
    return await examine(Settings(port=0, dingtalk_openapi_url=gateway.url, **app | settings))


def said(report: Report) -> dict[str, str]:
    """Code → level, of DingTalk's findings."""
    return {one.code: one.level for one in report.findings if one.code.startswith("dingtalk_")}


async def test_an_app_that_dingtalk_knows_is_well_and_what_it_does_without_is_told(gateway: Gateway) -> None:
    report = await examined(gateway)
    assert report.healthy
    assert said(report) == {
        "dingtalk_tenant": "ok",
        "dingtalk_stream": "ok",
        "dingtalk_templates_none": "note",
        "dingtalk_no_url": "note",
        "dingtalk_known": "ok",
    }
    assert [call.route for call in gateway.calls] == [TOKEN]


async def test_everything_set_is_all_well(gateway: Gateway) -> None:
    report = await examined(
        gateway,
        dingtalk_mode="http",
        dingtalk_callback_url="https://bot.example",
        dingtalk_corps={"dingA": "default", "dingB": "other"},
        dingtalk_answer_template="a.schema",
        dingtalk_job_template="j.schema",
        public_url="https://copilot.example",
        dingtalk_images="link",
    )
    assert set(said(report).values()) == {"ok"}
    text = render(report, "en")
    assert "dingA → default, dingB → other" in text
    assert "sends its messages to https://bot.example, which must lead to port 8010" in text


@pytest.mark.parametrize(
    ("settings", "code", "level"),
    [
        ({"dingtalk_client_secret": None}, "dingtalk_half", "warning"),
        ({"dingtalk_client_id": None}, "dingtalk_half", "warning"),
        ({"dingtalk_mode": "http"}, "dingtalk_no_callback", "error"),
        ({"dingtalk_images": "link"}, "dingtalk_images_no_url", "warning"),
        ({"dingtalk_answer_template": "a"}, "dingtalk_template_missing", "note"),
    ],
)
async def test_what_does_not_fit_together_is_said(
    gateway: Gateway, settings: dict[str, Any], code: str, level: str
) -> None:
    report = await examined(gateway, **settings)
    assert said(report)[code] == level
    assert report.healthy == (level != "error")


async def test_a_template_that_is_missing_is_named(gateway: Gateway) -> None:
    for given, missing in (("answer", "JOB"), ("job", "ANSWER")):
        text = render(await examined(gateway, **{f"dingtalk_{given}_template": "t.schema"}), "en")
        assert f"COPILOT_DINGTALK_{missing}_TEMPLATE is not set" in text


async def test_a_secret_that_is_refused_is_an_error_and_not_shown(gateway: Gateway) -> None:
    wrong = "another-secret-0123456789"
    report = await examined(gateway, secret=wrong)
    assert said(report)["dingtalk_refused"] == "error"
    for text in (render(report, "en"), render(report, "zh"), json.dumps(report.json())):
        assert "invalidClientIdOrSecret" in text
        assert wrong not in text


@pytest.mark.parametrize("action", [html(403), answer(500), answer(200, {"success": True}), refuse(503, "busy")])
async def test_a_dingtalk_that_answers_nonsense_is_an_error(gateway: Gateway, action: Action) -> None:
    gateway.fault(TOKEN, action=action)
    assert said(await examined(gateway))["dingtalk_failing"] == "error"


async def test_a_dingtalk_that_cannot_be_reached_is_an_error() -> None:
    app: dict[str, Any] = {"dingtalk_client_id": "ding", "dingtalk_client_secret": SECRET}
    report = await examine(Settings(port=0, dingtalk_openapi_url="http://127.0.0.1:1", **app))
    assert said(report)["dingtalk_unreachable"] == "error"
    assert "http://127.0.0.1:1" in render(report, "en")
