"""The sandbox's stream: tickets, who gets what, acknowledgements, pushing again, and lines that break."""

import asyncio
import json

import aiohttp
import pytest

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Redelivery
from bots.sandbox.streams import NotConnected
from tests.dingtalk.plain_bot import CLICKS, EVENTS, MESSAGES, PlainBot


async def test_a_ticket_opens_one_connection_and_only_for_90_seconds(gateway: Gateway, bot: PlainBot) -> None:
    _, opened = await bot.open()
    url = f"{opened['endpoint']}?ticket={opened['ticket']}"
    async with bot.session.ws_connect(url):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await bot.session.ws_connect(url)
    _, opened = await bot.open()
    gateway.clock.advance(90)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await bot.session.ws_connect(f"{opened['endpoint']}?ticket={opened['ticket']}")


async def test_a_wrong_secret_opens_nothing(bot: PlainBot) -> None:
    status, body = await bot.open(wrong=True)
    assert (status, body["code"]) == (401, "authFailed")


async def test_a_message_is_told_as_dingtalk_tells_it(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    line = await bot.connect()
    push = await gateway.push_bot(group, group.members[0], "你好", wants_answer=False)
    data = await line.take()
    assert data["text"] == {"content": " 你好"}
    assert (data["msgId"], data["conversationId"], data["conversationType"]) == (push.msg_id, group.id, "2")
    assert (data["senderStaffId"], data["senderNick"], data["robotCode"]) == ("u1", "张三", "cid")
    assert data["sessionWebhookExpiredTime"] - data["createAt"] == 5_400_000
    await push.answered()
    assert push.ack_ms is not None

    push = await gateway.push_bot(group, group.members[3], "外面的", wants_answer=False, isAdmin=None)
    data = await line.take()
    assert not {"senderStaffId", "senderCorpId", "isAdmin"} & set(data)
    await push.answered()


async def test_a_connection_gets_what_it_subscribed_to(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    messages, events = await bot.connect(MESSAGES), await bot.connect(EVENTS)
    await gateway.push_event("org_dept_create", {"deptId": [1]})
    assert await events.take() == {"deptId": [1]}
    await gateway.push_bot(group, group.members[0], "你好", wants_answer=False)
    assert (await messages.take())["text"]["content"] == " 你好"
    await gateway.wait_for(lambda: all(push.acked.is_set() for push in gateway.pushes))


async def test_what_nobody_subscribed_to_cannot_be_pushed(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    await bot.connect(CLICKS)
    with pytest.raises(NotConnected):
        await gateway.push_bot(group, group.members[0], "你好")


async def test_what_is_not_acknowledged_comes_again_after_its_time(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    first, second = await bot.connect(), await bot.connect()
    policy = Redelivery(60, new_message_id=True, other_connection=True)
    push = await gateway.push_bot(
        group, group.members[0], "你好", redeliver=policy, connection=gateway.connections[0], wants_answer=False
    )
    missed = await first.frame()
    gateway.clock.advance(40)
    assert len(push.deliveries) == 1
    gateway.clock.advance(20)
    again = await second.frame()
    assert json.loads(again["data"])["msgId"] == json.loads(missed["data"])["msgId"]
    assert again["headers"]["messageId"] != missed["headers"]["messageId"]
    await second.acknowledge(again)
    await push.answered()
    gateway.clock.advance(600)
    assert len(push.deliveries) == 2
    gateway.forgive("was never acknowledged")


async def test_what_is_lost_twice_comes_until_it_is_acknowledged(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    line = await bot.connect()
    policy = Redelivery.duplicate(0, until_acked=16)
    push = await gateway.push_bot(group, group.members[0], "你好", redeliver=policy, wants_answer=False)
    for number in (2, 3, 4):
        await line.frame()
        await gateway.wait_for(lambda count=number: len(push.deliveries) >= min(count, 2))
        gateway.clock.advance(16)
    assert len(push.deliveries) == 5
    for _ in range(2):
        await line.acknowledge(await line.frame())
    await push.answered()
    gateway.clock.advance(600)
    assert len(push.deliveries) == 5
    gateway.forgive("was never acknowledged")


async def test_a_duplicate_comes_though_it_was_acknowledged(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    line = await bot.connect()
    policy = Redelivery.duplicate(16, times=2)
    await gateway.push_bot(group, group.members[0], "你好", redeliver=policy, wants_answer=False)
    seen = [await line.take()]
    for _ in range(2):
        gateway.clock.advance(16)
        seen.append(await line.take())
    assert len({data["msgId"] for data in seen}) == 1
    await gateway.wait_for(lambda: all(delivery.acks for delivery in gateway.pushes[0].deliveries))
    gateway.clock.advance(16)
    assert len(gateway.pushes[0].deliveries) == 3


async def test_a_message_while_nobody_is_connected_waits_for_somebody(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    push = await gateway.push_bot(group, group.members[0], "你好", redeliver=Redelivery(60), wants_answer=False)
    line = await bot.connect()
    gateway.clock.advance(60)
    assert (await line.take())["msgId"] == push.msg_id
    await push.answered()


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("no json", "ack: not an acknowledgement"),
        ('{"code":200,"headers":{"contentType":"application/json","messageId":"x"},"data":{}}', "data"),
        ('{"code":200,"headers":{"contentType":"application/json","messageId":"x"},"data":"{}"}', "unknown messageId"),
        ('{"code":"200","headers":{"contentType":"application/json"},"data":"{}"}', "code"),
    ],
)
async def test_wrong_acknowledgements_are_written_down(gateway: Gateway, bot: PlainBot, said: str, rule: str) -> None:
    line = await bot.connect()
    await line.socket.send_str(said)
    await gateway.wait_for(lambda: gateway.violations)
    assert rule in gateway.violations[0]
    gateway.forgive("ack:")


async def test_acknowledging_twice_is_written_down(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    line = await bot.connect()
    await gateway.push_bot(group, group.members[0], "你好", wants_answer=False)
    frame = await line.frame()
    await line.acknowledge(frame)
    await line.acknowledge(frame)
    await gateway.wait_for(lambda: gateway.violations)
    assert "acknowledged twice" in gateway.check()[0]
    gateway.forgive("acknowledged twice")


async def test_a_ping_is_echoed_with_its_opaque_or_the_line_is_cut(gateway: Gateway, bot: PlainBot) -> None:
    line = await bot.connect()
    gateway.clock.advance(60)
    frame = await line.frame(pings=True)
    assert frame["headers"]["topic"] == "ping"
    await line.acknowledge(frame, data=frame["data"])
    await gateway.wait_for(lambda: gateway.streams.pings.waiting == 0)
    assert gateway.violations == []
    gateway.streams.pings.due = 0.05
    gateway.push_system("ping")
    await line.frame(pings=True)
    await gateway.wait_for(lambda: not gateway.connections)
    assert "was not echoed" in gateway.violations[0]
    gateway.forgive("ping:")


async def test_ten_seconds_after_a_disconnect_the_line_is_cut(gateway: Gateway, bot: PlainBot) -> None:
    line = await bot.connect()
    gateway.push_system("disconnect")
    assert (await line.frame())["headers"]["topic"] == "disconnect"
    gateway.clock.advance(5)
    assert gateway.connections
    gateway.clock.advance(5)
    await gateway.wait_for(lambda: not gateway.connections)


@pytest.mark.parametrize("code", [1000, 1001, 1011])
async def test_a_line_is_closed_with_the_code_one_likes(gateway: Gateway, bot: PlainBot, code: int) -> None:
    line = await bot.connect()
    gateway.close(code=code)
    message = await line.socket.receive(timeout=10)
    assert (message.type, line.socket.close_code) == (aiohttp.WSMsgType.CLOSE, code)
    await gateway.wait_for(lambda: not gateway.connections)


async def test_a_message_on_a_line_that_breaks_is_lost_and_no_fault_of_the_bot(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    line = await bot.connect()
    await gateway.push_bot(group, group.members[0], "你好")
    gateway.abort()
    await line.frame()
    assert (await line.socket.receive(timeout=10)).type is not aiohttp.WSMsgType.TEXT
    await gateway.wait_for(lambda: gateway.pushes[0].deliveries[0].lost)


async def test_a_frozen_line_reads_nothing_until_it_thaws(gateway: Gateway, bot: PlainBot) -> None:
    line = await bot.connect()
    (connection,) = gateway.connections
    gateway.freeze()
    await line.socket.send_str("no json")
    await line.socket.ping()
    with pytest.raises(TimeoutError):
        await line.socket.receive(timeout=0.2)
    assert gateway.violations == []
    connection.thaw()
    await gateway.wait_for(lambda: gateway.violations)
    gateway.forgive("ack:")


async def test_anything_can_be_pushed_raw(gateway: Gateway, bot: PlainBot) -> None:
    line = await bot.connect()
    gateway.push_raw("{not json")
    gateway.push_raw(b"\x00\x01")
    assert (await line.socket.receive(timeout=10)).data == "{not json"
    assert (await line.socket.receive(timeout=10)).data == b"\x00\x01"


async def test_a_port_that_is_shut_refuses_and_opens_again(gateway: Gateway, bot: PlainBot) -> None:
    await bot.connect()
    await gateway.refuse_connections()
    with pytest.raises(aiohttp.ClientConnectorError):
        await bot.open()
    await gateway.accept_connections()
    assert (await bot.open())[0] == 200


async def test_fifty_messages_come_in_the_order_they_were_sent(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    line = await bot.connect()

    async def read() -> list[str]:
        return [(await line.take())["text"]["content"].strip() for _ in range(50)]

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read())
        for number in range(50):
            await gateway.push_bot(group, group.members[0], str(number), wants_answer=False)
    assert reading.result() == [str(number) for number in range(50)]
    await gateway.wait_for(lambda: all(push.acked.is_set() for push in gateway.pushes))


@pytest.mark.parametrize("status", [401, 503])
async def test_a_handshake_fails_when_it_is_told_to(gateway: Gateway, bot: PlainBot, status: int) -> None:
    gateway.fault("connect", count=1, action=status)
    with pytest.raises(aiohttp.WSServerHandshakeError, match=str(status)):
        await bot.connect()
    await bot.connect()
    assert [call.status for call in gateway.calls if call.route == "connect"] == [status, 0]


@pytest.mark.parametrize(
    ("action", "seen"), [("no_ticket", (200, "endpoint")), ("html", (403, "<html>")), (429, (429, "system.error"))]
)
async def test_no_connection_can_be_opened_when_it_is_told_so(
    gateway: Gateway, bot: PlainBot, action: str | int, seen: tuple[int, str]
) -> None:
    gateway.fault("open", action=action)
    status, body = await bot.open()
    assert (status, seen[1] in str(body), "ticket" in str(body)) == (*seen[:1], True, False)
