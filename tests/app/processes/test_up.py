"""``copilot up`` with a real Redis and a real Chroma: what it starts, how it ends, and that nothing is left of it."""

import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from app.processes.embedded import embedded_services
from app.processes.pids import mark
from app.processes.ports import any_free_port
from app.processes.runtime import Record, RecordedChild, find_running, read_record, write_record
from app.settings import Settings
from tests.app.processes.conftest import READY, StartUp, Up

pytestmark = pytest.mark.processes

MEBI = 2**20
COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


def api_settings(up: Up) -> dict[str, object]:
    return dict(httpx.get(f"{up.running.url}/settings").json())


def store_vector(chroma_url: str, id_: str) -> None:
    body = {"name": "kept", "get_or_create": True}
    collection = httpx.post(f"{chroma_url}{COLLECTIONS}", json=body).raise_for_status().json()["id"]
    rows = {"ids": [id_], "embeddings": [[1.0, 2.0, 3.0]]}
    httpx.post(f"{chroma_url}{COLLECTIONS}/{collection}/add", json=rows).raise_for_status()


def nearest_vector(chroma_url: str) -> str:
    collection = httpx.get(f"{chroma_url}{COLLECTIONS}/kept").raise_for_status().json()["id"]
    question = {"query_embeddings": [[1.0, 2.0, 3.0]], "n_results": 1}
    found = httpx.post(f"{chroma_url}{COLLECTIONS}/{collection}/query", json=question).raise_for_status().json()
    return str(found["ids"][0][0])


def test_it_starts_everything_and_says_where(start_up: StartUp, data: Path) -> None:
    up = start_up("--verbose", model_api_key="sk-secret").wait_for(READY)

    assert set(up.family) == {"up", "redis", "chroma", "api", "worker", "images"}
    assert f"{up.running.url}/console" in up.text
    assert f"first run at {up.running.url}" in up.text
    seen = api_settings(up)
    assert seen["redis_url"] == up.running.redis_url
    assert seen["chroma_url"] == up.running.chroma_url
    assert seen["data"] == str(data)
    assert seen["model_api_key"] == "sk-secret"
    assert "sk-secret" not in up.text
    assert stat.S_IMODE((data / "copilot.json").stat().st_mode) == 0o600
    with redis.Redis.from_url(up.running.redis_url) as client:
        assert client.ping()
    with redis.Redis(port=up.running.ports["redis"]) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()


def test_its_own_share_of_the_memory_is_small(start_up: StartUp) -> None:
    up = start_up().wait_for(READY)
    resident = {name: up.family[name].memory_info().rss // MEBI for name in ("up", "redis", "chroma")}
    assert resident["up"] < 64, resident
    assert resident["redis"] < 24, resident
    assert resident["chroma"] < 96, resident


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_within_five_seconds(start_up: StartUp, data: Path, number: signal.Signals) -> None:
    up = start_up().wait_for(READY)
    up.send(number)
    assert up.ends_within(5) == 0
    assert "Everything has stopped." in up.text
    assert find_running(Settings(data=data)) is None
    assert not (data / "copilot.json").exists()


def test_under_nohup_it_survives_the_end_of_the_terminal(start_up: StartUp) -> None:
    up = start_up(under=("/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh")).wait_for(READY)
    up.send(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        up.process.wait(1)
    up.send(signal.SIGTERM)
    assert up.ends_within(20) == 0


def test_a_child_that_ignores_sigterm_and_its_own_children_are_gone_within_five_seconds(
    start_up: StartUp, tmp_path: Path
) -> None:
    pid_file = tmp_path / "grandchild.pid"
    up = start_up(f"--worker=--stubborn --grandchild {pid_file}").wait_for(READY)
    grandchild = psutil.Process(int(pid_file.read_text()))
    assert grandchild in up.family.values()
    up.send(signal.SIGTERM)
    assert up.ends_within(5) == 0


def test_a_second_ctrl_c_kills_at_once(start_up: StartUp) -> None:
    up = start_up("--worker=--stubborn", "--api=--stubborn").wait_for(READY)
    up.send(signal.SIGINT)
    up.wait_for("Stopping")
    began = time.monotonic()
    up.send(signal.SIGINT)
    assert up.ends_within(5) == 0
    assert time.monotonic() - began < 2.0  # left alone, the stubborn ones would be given 2.5 s


def test_it_can_be_stopped_in_the_middle_of_the_first_run(start_up: StartUp) -> None:
    up = start_up("--long-first-run").wait_for("first run at")
    assert "worker" in up.family
    up.send(signal.SIGTERM)
    assert up.ends_within(20) == 0


def test_kill_9_of_the_supervisor_leaves_nothing_running(start_up: StartUp) -> None:
    up = start_up().wait_for(READY)
    up.process.kill()
    up.process.wait()
    up.gone_within(20)


@pytest.mark.parametrize("victim", ["redis", "chroma", "api", "worker"])
def test_a_child_that_dies_is_named_and_everything_else_is_stopped(start_up: StartUp, victim: str) -> None:
    up = start_up().wait_for(READY)
    up.family[victim].kill()
    assert up.ends_within(20) == 1
    assert f"{victim} was killed unexpectedly (SIGKILL); everything else was stopped." in up.text


def test_a_child_that_dies_before_it_is_ready_is_named_with_its_last_five_lines(start_up: StartUp) -> None:
    up = start_up("--worker=--dies")
    assert up.ends_within(60) == 1
    assert "worker ended unexpectedly (exit code 3)" in up.text
    assert "  line 8\n" in up.text
    assert "  line 3\n" not in up.text
    assert "Press Ctrl-C" not in up.text


def test_a_server_that_cannot_start_points_to_its_log(start_up: StartUp, data: Path) -> None:
    (data / "redis").mkdir(parents=True)
    (data / "redis" / "appendonly.aof").write_bytes(b"this is no append-only file\r\n" * 3)
    up = start_up()
    assert up.ends_within(60) == 1
    assert "redis ended unexpectedly (exit code 1)" in up.text
    assert str(data / "logs" / "redis.log") in up.text
    assert "Bad file format reading the append only file" in up.text


def test_a_busy_port_is_said_in_one_sentence_and_nothing_stays(start_up: StartUp, data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = start_up(port=port)
        assert up.ends_within(30) == 1
    assert up.text == (
        f"Port {port} on 127.0.0.1 is taken by another program. "
        "Choose another with --port, or --port 0 for any free one.\n"
    )
    assert not (data / "copilot.json").exists()


def test_port_0_means_any_free_port(start_up: StartUp) -> None:
    up = start_up(port=0).wait_for(READY)
    assert up.running.ports["api"] > 0
    assert api_settings(up)["port"] == up.running.ports["api"]


def test_a_data_folder_that_is_a_file_is_said_in_one_sentence(start_up: StartUp, data: Path) -> None:
    data.touch()
    up = start_up()
    assert up.ends_within(30) == 1
    assert up.text == f"The data folder {data} cannot be used: File exists. Choose another with --data.\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a place where nobody can write")
def test_a_data_folder_that_cannot_be_made_is_said_in_chinese_too(start_up: StartUp) -> None:
    up = start_up("--language", "zh", data="/proc/copilot")
    assert up.ends_within(30) == 1
    assert up.text.startswith("数据目录 /proc/copilot 无法使用：")
    assert up.text.count("\n") == 1


def test_a_second_up_on_the_same_folder_says_where_the_first_one_is(start_up: StartUp) -> None:
    first = start_up().wait_for(READY)
    second = start_up()
    assert second.ends_within(30) == 1
    assert second.text == (
        f"A copilot is already running on this data folder, at {first.running.url} (process {first.process.pid}).\n"
    )
    assert api_settings(first)["port"] == first.running.ports["api"]


def test_a_migration_that_fails_is_said_in_its_own_sentence(start_up: StartUp) -> None:
    up = start_up("--migration-fails")
    assert up.ends_within(30) == 1
    assert up.text.endswith("The database does not answer.\n")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_second_start_finds_keys_and_vectors_again_at_the_same_ports(
    start_up: StartUp, ending: signal.Signals
) -> None:
    first = start_up().wait_for(READY)
    with redis.Redis.from_url(first.running.redis_url) as client:
        client.set("key", "kept")
    store_vector(first.running.chroma_url, "one")
    ports = first.running.ports
    first.send(ending)
    first.process.wait(20)
    first.gone_within(20)

    second = start_up().wait_for(READY)
    with redis.Redis.from_url(second.running.redis_url) as client:
        assert client.get("key") == b"kept"
    assert nearest_vector(second.running.chroma_url) == "one"
    assert {name: second.running.ports[name] for name in ("redis", "chroma")} == {
        name: ports[name] for name in ("redis", "chroma")
    }


def test_leftovers_of_a_killed_run_are_stopped_but_never_a_stranger(start_up: StartUp, data: Path) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    with (
        subprocess.Popen(sleep, start_new_session=True) as leftover,
        subprocess.Popen(sleep, start_new_session=True) as stranger,
    ):
        data.mkdir()
        owner = mark(leftover.pid)
        other_life = mark(stranger.pid)
        write_record(
            data,
            Record(
                owner,
                [
                    RecordedChild("redis", mark(leftover.pid)),
                    # the number is given to somebody else by now
                    RecordedChild("worker", type(other_life)(stranger.pid, f"{other_life.started}0")),
                ],
            ),
        )
        up = start_up().wait_for(READY)
        assert "Stopped what a previous run had left behind: redis." in up.text
        assert leftover.wait(20) == -signal.SIGTERM
        assert stranger.poll() is None
        stranger.kill()


async def test_servers_that_are_configured_are_used_and_not_started(
    start_up: StartUp, tmp_path: Path, data: Path
) -> None:
    async with embedded_services(Settings(data=tmp_path / "elsewhere"), redis=True, chroma=True) as services:
        up = start_up(redis_url=services.redis_url, chroma_url=services.chroma_url).wait_for(READY)
        assert set(up.family) == {"up", "api", "worker", "images"}
        assert api_settings(up)["redis_url"] == services.redis_url
        assert not (data / "redis").exists()
        up.send(signal.SIGTERM)
        assert up.ends_within(20) == 0
        with redis.Redis.from_url(services.redis_url or "") as client:
            assert client.ping()


def test_a_terminal_that_does_not_read_neither_blocks_the_children_nor_the_end(start_up: StartUp, data: Path) -> None:
    up = start_up("--worker=--chatty", stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while find_running(Settings(data=data)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(2)  # 64 KiB of pipe are full after a fraction of it
    up.look_around()
    assert api_settings(up)["port"] == up.running.ports["api"]
    up.send(signal.SIGTERM)
    assert up.ends_within(20) == 0
    assert up.process.stdout is not None
    up.process.stdout.close()


def test_what_a_crash_left_in_the_record_is_replaced(start_up: StartUp, data: Path) -> None:
    data.mkdir()
    (data / "copilot.json").write_text("{ cut off", encoding="utf-8")
    assert read_record(data) is None
    up = start_up(port=any_free_port()).wait_for(READY)
    assert up.running.pid == up.process.pid
