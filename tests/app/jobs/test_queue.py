"""Waking workers where Redis is, and being told at once where it is not."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from app.jobs.queue import NAMESPACE, DramatiqQueue
from knowledge.errors import Unavailable
from tests.e2e.redis_server import RedisServer, redis_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


def messages(server: RedisServer, queue: str) -> list[bytes]:
    with redis.Redis.from_url(server.url) as client:
        return list(client.hvals(f"{NAMESPACE}:{queue}.msgs"))


def test_a_message_carries_the_id_of_a_job_and_nothing_else_of_it(server: RedisServer) -> None:
    with closing(DramatiqQueue(server.url)) as queue:
        queue.wake("image", "job-42")
    (message,) = messages(server, "image")
    assert b'"args":["job-42"]' in message
    assert b'"actor_name":"work_image"' in message
    assert len(message) < 400


def test_a_redis_that_is_down_is_said_to_be_so_and_one_that_is_back_is_used(server: RedisServer) -> None:
    with closing(DramatiqQueue(server.url)) as queue:
        queue.wake("text", "a")
        server.kill()
        began = time.perf_counter()
        with pytest.raises(Unavailable) as down:
            queue.wake("text", "b")
        assert down.value.error_code == "queue_unavailable"
        assert time.perf_counter() - began < 5  # at once, whatever else this machine does
        server.start()
        queue.wake("text", "c")
    kept = messages(server, "text")  # "a" with it, if it was on the disk; the ledger wakes it again if not
    assert any(b'"args":["c"]' in message for message in kept)
