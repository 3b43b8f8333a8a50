"""Custom robots: signed, in parts, and shown once however often they are told."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from app.channel_settings import RobotAddress
from bots.dingtalk.robots import CustomRobots
from bots.ports import ChannelRefused
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from knowledge.errors import Unavailable
from tests.dingtalk.ours import HURRIED, FreeGovernor, client_of, texts


@pytest.fixture
def governor() -> FreeGovernor:
    return FreeGovernor()


@pytest.fixture
async def robots(gateway: Gateway, group: Conversation, governor: FreeGovernor) -> AsyncIterator[CustomRobots]:
    """``signed`` checks signatures, ``open`` does not, and the secret of ``wrong`` is another's."""
    url = SecretStr(gateway.add_robot(group, "SEC123"))
    addresses = {
        "signed": RobotAddress(url=url, secret=SecretStr("SEC123")),
        "open": RobotAddress(url=SecretStr(gateway.add_robot(group))),
        "wrong": RobotAddress(url=url, secret=SecretStr("SEC456")),
    }
    async with client_of(gateway) as client:
        yield CustomRobots(client, governor, addresses, patience=HURRIED, clock=gateway.clock.now)


@pytest.mark.parametrize("name", ["signed", "open"])
async def test_a_message_is_shown(gateway: Gateway, robots: CustomRobots, governor: FreeGovernor, name: str) -> None:
    sent = await robots.say(name, "**批次** 完成")
    assert (sent.way, sent.messages, sent.calls) == ("webhook", 1, 1)
    assert [(message.way, message.title, message.text) for message in gateway.messages] == [
        ("robot", "批次 完成", "**批次** 完成")
    ]
    assert governor.taken == [("robot", "send")]


async def test_a_signature_that_is_not_accepted_is_final(gateway: Gateway, robots: CustomRobots) -> None:
    with pytest.raises(ChannelRefused) as refused:
        await robots.say("wrong", "…")
    assert refused.value.error_code == "signature_refused"
    assert gateway.messages == []


async def test_a_robot_that_is_not_set_is_refused(robots: CustomRobots) -> None:
    assert robots.names == {"signed", "open", "wrong"}
    with pytest.raises(ChannelRefused) as refused:
        await robots.say("unknown", "…")
    assert refused.value.error_code == "recipient_unknown"


@pytest.mark.parametrize("action", ["drop", "reset", "busy", 502])
async def test_a_message_whose_answer_was_lost_is_sent_again_and_shown_once(
    gateway: Gateway, robots: CustomRobots, action: str | int
) -> None:
    gateway.fault("robot_send", nth=1, count=2, action=action)
    await robots.say("signed", "只说一次")
    assert texts(gateway) == ["只说一次"]


async def test_the_same_key_is_shown_once(gateway: Gateway, robots: CustomRobots) -> None:
    for _ in range(2):
        await robots.say("signed", "任务 42 完成", key="job-42")
    assert texts(gateway) == ["任务 42 完成"]


async def test_a_long_message_comes_in_parts_that_dingtalk_takes(gateway: Gateway, robots: CustomRobots) -> None:
    paragraphs = ['"货"' * 200] * 60
    sent = await robots.say("signed", "\n\n".join(paragraphs), key="k" * 64)
    assert sent.messages == len(gateway.messages) > 1
    assert "".join("".join(texts(gateway)).split()) == "".join(paragraphs)


async def test_more_than_twenty_a_minute_are_refused_and_told(
    gateway: Gateway, robots: CustomRobots, governor: FreeGovernor
) -> None:
    for number in range(20):
        await robots.say("signed", f"第 {number} 条")
    with pytest.raises(Unavailable) as later:
        await robots.say("signed", "第 21 条")
    assert later.value.error_code == "channel_throttled"
    assert governor.backed_off["robot"] > 0
