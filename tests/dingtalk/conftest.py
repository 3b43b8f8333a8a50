"""A DingTalk for every test that wants one: one app, one group, four people. At the end nothing may be wrong."""

from collections.abc import AsyncIterator

import pytest

from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.people import Conversation
from tests.dingtalk.plain_bot import PlainBot, plain_bot


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """With 张三 ``u1``, 李四 ``u2``, 王运营 ``op1`` and 外部客户 ``out1`` (from outside) in the group 测试群.

    What a test breaks on purpose it says with ``gateway.forgive("ack:", …)``.
    """
    async with running_gateway() as running:
        people = [
            running.add_user("u1", "张三"),
            running.add_user("u2", "李四"),
            running.add_user("op1", "王运营"),
            running.add_user("out1", "外部客户", external=True),
        ]
        running.add_group("测试群", people)
        yield running
        assert running.check() == []


@pytest.fixture
def group(gateway: Gateway) -> Conversation:
    """The group that all are in."""
    return next(one for one in gateway.people.conversations.values() if one.kind == "group")


@pytest.fixture
async def bot(gateway: Gateway) -> AsyncIterator[PlainBot]:
    """A bot that does what it is told; templates ``answer`` (streams ``content``) and ``job`` are registered."""
    async with plain_bot(gateway) as running:
        yield running
