"""``copilot up`` with a DingTalk app: its bot is one more process, and the only one that knows the app's secret."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from app.processes.ports import any_free_port
from bots.sandbox.gateway import Gateway, running_gateway
from tests.app.processes.conftest import READY, StartUp, Up

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

SECRET = "secret-of-the-app"
MEBI = 2**20
OURS = {"api", "worker", "images"}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway(client_secret=SECRET) as running:
        running.add_group("测试群", [running.add_user("u1", "张三")])
        yield running


async def started(start_up: StartUp, gateway: Gateway, *options: str, secret: str = SECRET, **settings: object) -> Up:
    """Waited for in a thread: the gateway answers meanwhile."""
    app = {"dingtalk_client_id": gateway.client_id, "dingtalk_client_secret": secret}
    urls = {"dingtalk_openapi_url": gateway.url, "dingtalk_oapi_url": gateway.url}
    up = start_up(*options, **app, **urls, **settings)
    return await asyncio.to_thread(up.wait_for, READY)


async def ended(up: Up, seconds: float) -> int:
    up.send(signal.SIGTERM)
    return await asyncio.to_thread(up.ends_within, seconds)


async def seen_by_api(up: Up) -> dict[str, Any]:
    """The stand-in reads its settings as our API does, ``.env`` and all."""
    answer = await asyncio.to_thread(httpx.get, f"{up.running.url}/settings")
    return dict(answer.json())


def environment(process: psutil.Process) -> str:
    return "\n".join(f"{name}={value}" for name, value in process.environ().items())


async def test_the_bot_runs_beside_the_others_and_is_gone_within_five_seconds(
    start_up: StartUp, gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    port = any_free_port()
    up = await started(start_up, gateway, metrics_port=port)
    assert set(up.family) == {"up", "redis", "chroma", "bot", *OURS}
    assert "The DingTalk bot runs." in up.text
    few_arenas = [name for name in ("bot", *OURS) if "MALLOC_ARENA_MAX=2" in environment(up.family[name])]
    assert few_arenas == ["bot", *OURS]
    assert f"COPILOT_METRICS_PORT={port}\n" in environment(up.family["worker"]) + "\n"
    assert f"COPILOT_METRICS_PORT={port + 1}\n" in environment(up.family["images"]) + "\n"
    said = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{port + 2}/metrics")
    assert "copilot_turns" in said.text
    await gateway.connected(timeout=60)
    group = next(iter(gateway.people.conversations.values()))
    await gateway.push_bot(group, gateway.people.users["u1"], "/帮助")
    await gateway.wait_for(lambda: gateway.messages, 60)

    resident = up.family["bot"].memory_info().rss // MEBI
    with capsys.disabled():
        print(f" [bot: {resident} MiB resident]", end="")
    assert resident < 400
    assert await ended(up, 5) == 0
    assert "Traceback" not in up.text
    assert gateway.check() == []


async def test_nobody_but_the_bot_is_told_the_secret(start_up: StartUp, gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"COPILOT_DINGTALK_CLIENT_SECRET={SECRET}\n", encoding="utf-8")
    robots = '{"ops": {"url": "https://oapi.dingtalk.com/robot/send?access_token=geheim", "secret": "SECgeheim"}}'
    up = await started(start_up, gateway, dingtalk_robots=robots)
    bot = environment(up.family["bot"])
    assert SECRET in bot
    assert "SECgeheim" in bot
    for name in ("redis", "chroma", *OURS):
        told = environment(up.family[name])
        assert [word for word in (SECRET, "geheim") if word in told] == [], name
    seen = await seen_by_api(up)
    assert seen["dingtalk_client_secret"] == ""
    assert set(seen["dingtalk_robots"]) == {"ops"}
    assert "geheim" not in str(seen)
    assert SECRET not in up.text
    assert await ended(up, 5) == 0


async def test_a_secret_that_is_refused_takes_nothing_down_and_the_log_says_why(
    start_up: StartUp, gateway: Gateway
) -> None:
    up = await started(start_up, gateway, secret="another-secret")
    deadline = time.monotonic() + 60
    while up.text.count("credentials_refused, connecting again") < 3:
        assert time.monotonic() < deadline, up.text
        await asyncio.sleep(0.1)
    pauses = [float(line.split(" in ")[1].split()[0]) for line in up.text.splitlines() if "connecting again" in line]
    assert pauses[2] > pauses[0]
    assert (await seen_by_api(up))["dingtalk_client_id"] == gateway.client_id
    assert up.process.poll() is None
    assert "another-secret" not in up.text
    assert await ended(up, 5) == 0


async def test_so_it_is_where_dingtalk_calls_us(start_up: StartUp, gateway: Gateway) -> None:
    port = any_free_port()
    by_http = {"dingtalk_mode": "http", "dingtalk_callback_url": "https://bot.example", "dingtalk_callback_port": port}
    up = await started(start_up, gateway, secret="another-secret", **by_http)
    await asyncio.to_thread(up.wait_for, "clicks are not sent to us code=credentials_refused")
    assert "another-secret" not in up.text
    assert await ended(up, 5) == 0


def test_a_bot_that_nobody_could_reach_is_not_started_and_says_what_to_set(start_up: StartUp) -> None:
    up = start_up(dingtalk_client_id="ding-app", dingtalk_client_secret=SECRET, dingtalk_mode="http")
    assert up.ends_within(60) == 1
    assert "bot ended unexpectedly (exit code 1)" in up.text
    assert "Set COPILOT_DINGTALK_CALLBACK_URL" in up.text
    assert "Traceback" not in up.text


def test_half_an_app_starts_no_bot_and_says_what_is_missing(start_up: StartUp) -> None:
    up = start_up(dingtalk_client_id="ding-app").wait_for(READY)
    assert "bot" not in up.family
    assert "COPILOT_DINGTALK_CLIENT_SECRET is not." in up.text


async def test_a_bot_that_dies_is_named_and_everything_else_is_stopped(start_up: StartUp, gateway: Gateway) -> None:
    up = await started(start_up, gateway)
    up.family["bot"].kill()
    assert await asyncio.to_thread(partial(up.ends_within, 20)) == 1
    assert "bot was killed unexpectedly (SIGKILL); everything else was stopped." in up.text
