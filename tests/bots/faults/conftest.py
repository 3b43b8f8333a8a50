"""A DingTalk that things go wrong in. At the end nothing may be wrong, and nothing secret may be in any log."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from app.telemetry import QUIET
from bots.sandbox.gateway import Gateway, running_gateway
from tests.e2e.redis_server import RedisServer, redis_server


@pytest.fixture
async def gateway(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Gateway]:
    """As everywhere, with a secret that is no word, and with everything logged that the bot would ever log."""
    caplog.set_level(logging.DEBUG)
    for name in QUIET:
        caplog.set_level(logging.WARNING, logger=name)
    async with running_gateway(client_secret="secret-of-the-app") as running:
        people = [
            running.add_user("u1", "张三"),
            running.add_user("u2", "李四"),
            running.add_user("op1", "王运营"),
            running.add_user("out1", "外部客户", external=True),
        ]
        running.add_group("测试群", people)
        running.actions.due_ms = 30_000.0  # what a busy machine takes is nobody's fault here
        yield running
        assert running.check() == []
        logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
        assert not [secret for secret in running.secrets() if secret in logged]


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real one."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server
