"""The official SDK, unmodified, finds nothing in the sandbox that is not as it knows it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation

_BOT = Path(__file__).with_name("sdk_bot.py")
_LONG = 30  # seconds: the machine may be busy


@pytest.fixture(autouse=True)
async def sdk(gateway: Gateway) -> AsyncIterator[None]:
    """The bot, connected."""
    environment = {"DINGTALK_OPENAPI_ENDPOINT": gateway.url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_BOT), "cid", "sec", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await gateway.connected(timeout=_LONG)
        yield
    finally:
        process.kill()
        await process.wait()


async def test_it_answers_by_webhook_what_it_was_asked_in_a_group(gateway: Gateway, group: Conversation) -> None:
    push = await gateway.push_bot(group, group.members[0], "webhook")
    await push.answered(_LONG)
    (said,) = gateway.messages
    assert (said.conversation, said.way, said.kind, said.text) == (group, "webhook", "markdown", "**粗**体")
    assert said.answers == push.msg_id
    assert push.ack_code == 200


async def test_it_streams_a_card_to_its_end(gateway: Gateway, group: Conversation) -> None:
    push = await gateway.push_bot(group, group.members[0], "card")
    await push.answered(_LONG)
    (card,) = gateway.cards.values()
    assert [frame.content for frame in card.frames] == ["七天", "七天无理由", "七天无理由退货。"]
    assert (card.state, card.content, card.space) == ("FINISHED", "七天无理由退货。", group)
    assert gateway.visible(group)[-1] is card


async def test_its_helper_ends_a_card_by_the_status_variable(gateway: Gateway, group: Conversation) -> None:
    single = gateway.single(group.members[0])
    push = await gateway.push_bot(single, group.members[0], "helper")
    await push.answered(_LONG)
    (card,) = gateway.cards.values()
    assert (card.state, card.content, card.space) == ("FINISHED", "七天无理由退货。", single)


async def test_its_answer_to_a_click_changes_the_card(gateway: Gateway, group: Conversation) -> None:
    await (await gateway.push_bot(group, group.members[0], "card")).answered(_LONG)
    (card,) = gateway.cards.values()
    click = await gateway.push_card_action(card.id, group.members[1], "up", {"action": "up"})
    await click.answered(_LONG)
    assert card.values["msgTitle"] == "u2 点过"
    assert card.content == "七天无理由退货。"
    assert click.response_ms is not None
    assert click.response_ms < 2000


async def test_it_downloads_a_picture_that_somebody_sent(gateway: Gateway, group: Conversation) -> None:
    code = gateway.put_file(b"\x89PNG" * 10, "a.png")
    content = {"downloadCode": code, "pictureDownloadCode": code}
    push = await gateway.push_bot(group, group.members[0], msgtype="picture", content=content)
    await push.answered(_LONG)
    assert gateway.messages[-1].text == "40 bytes"


async def test_it_echoes_pings_and_events_and_comes_back_after_a_disconnect(gateway: Gateway) -> None:
    gateway.push_system("ping")
    event = await gateway.push_event("org_dept_create", {"deptId": [1]})
    await event.answered(_LONG)
    (first,) = gateway.connections
    gateway.push_system("disconnect")
    await gateway.wait_for(lambda: gateway.connections and gateway.connections[0] is not first, _LONG)
    assert gateway.streams.pings.sent == 1
    assert gateway.streams.pings.waiting == 0
