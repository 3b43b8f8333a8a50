"""The connection: kept up through everything the other side does (F1, F2, F3), and never brought down by what comes
over it (F6). What the double cannot prove: DingTalk's own ping period and when it really pushes again."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from bots.dingtalk.client import NewCard
from bots.dingtalk.replies import Replies
from bots.dingtalk.stream import Pace, Stream
from bots.messages import CardAction, Incoming
from bots.sandbox import faults
from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.people import Conversation, User
from knowledge.errors import Unavailable
from tests.dingtalk.ours import calls, client_of

HURRIED = Pace(first=0.02, longest=0.2, lasted=30.0, ping=5.0, idle=20.0, open=5.0)
TOPIC = "/v1.0/im/bot/messages/get"
SOON = 2.0  # seconds: it takes less than one, and the machine may be busy


class Bot:
    """Takes everything in. ``before`` is done with each message first, ``act`` with each click."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.actions: list[CardAction] = []
        self.before: Callable[[Incoming], Awaitable[None]] | None = None
        self.act: Callable[[CardAction], Awaitable[Mapping[str, Any]]] | None = None

    async def on_message(self, message: Incoming) -> None:
        if self.before is not None:
            await self.before(message)
        self.messages.append(message)

    async def on_action(self, action: CardAction) -> Mapping[str, Any]:
        self.actions.append(action)
        return await self.act(action) if self.act else {}

    @property
    def heard(self) -> list[str]:
        return [message.text for message in self.messages]


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def user(gateway: Gateway) -> User:
    return gateway.people.users["u1"]


@asynccontextmanager
async def running(
    gateway: Gateway, bot: Bot, *, pace: Pace = HURRIED, timeout_s: float = 5.0, secret: str | None = None
) -> AsyncIterator[Stream]:
    async with client_of(gateway, timeout_s=timeout_s, secret=secret) as client:
        stream = Stream(client.open_connection, bot.on_message, bot.on_action, robot="cid", pace=pace)
        task = asyncio.ensure_future(stream.run())
        try:
            yield stream
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def says(gateway: Gateway, group: Conversation, user: User, text: str) -> None:
    await (await gateway.push_bot(group, user, text, wants_answer=False)).answered()


async def test_a_message_is_taken_in_and_acknowledged(
    gateway: Gateway, group: Conversation, user: User, bot: Bot
) -> None:
    async with running(gateway, bot) as stream:
        await gateway.connected()
        push = await gateway.push_bot(group, user, "运费多少", wants_answer=False)
        await push.answered()
        assert stream.health.state == "connected"
    assert bot.heard == ["运费多少"]
    assert push.ack_code == 200
    assert json.loads(push.deliveries[0].acks[0].data) == {"response": None}
    assert stream.health.state == "stopped"


async def test_messages_are_taken_in_in_the_order_they_came(
    gateway: Gateway, group: Conversation, user: User, bot: Bot
) -> None:
    """Also when the inbox is slow with some of them."""

    async def slow(message: Incoming) -> None:
        await asyncio.sleep(0.02 if message.text.endswith("0") else 0)

    bot.before = slow
    async with running(gateway, bot):
        await gateway.connected()
        pushes = [await gateway.push_bot(group, user, f"第{number}条", wants_answer=False) for number in range(30)]
        await asyncio.gather(*(push.answered() for push in pushes))
    assert bot.heard == [f"第{number}条" for number in range(30)]


async def test_pings_and_events_are_answered(gateway: Gateway, bot: Bot) -> None:
    async with running(gateway, bot):
        await gateway.connected()
        gateway.push_system("ping")
        before = gateway.streams.pings.sent
        gateway.clock.advance(61)
        await gateway.wait_for(lambda: gateway.streams.pings.sent > before)
        gateway.push_raw(json.dumps({"type": "EVENT", "headers": {"messageId": "e1"}, "data": "{}"}))
        await gateway.wait_for(lambda: not gateway.streams.pings._open)


# --- F1: no connection is given ---


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("auth_failed", "credentials_refused"),
        (400, "channel_unavailable"),
        (500, "channel_unavailable"),
        (503, "channel_unavailable"),
        (429, "channel_throttled"),
        ("html", "channel_blocked"),
        (faults.html(200), "channel_blocked"),
        ("no_ticket", "channel_unavailable"),
        (faults.answer(200, {}), "channel_unavailable"),
        ("reset", "channel_unavailable"),
    ],
)
async def test_a_connection_that_is_refused_is_asked_for_again(
    gateway: Gateway, group: Conversation, user: User, bot: Bot, action: Any, reason: str
) -> None:
    gateway.fault("open", count=3, action=action)
    async with running(gateway, bot) as stream:
        await gateway.wait_for(lambda: stream.health.state == "degraded")
        assert stream.health.reason == reason
        await gateway.connected()
        await says(gateway, group, user, "在吗")
        assert (stream.health.state, stream.health.connections) == ("connected", 1)
    assert calls(gateway, "open") == 4


async def test_a_service_that_stalls_is_given_up(gateway: Gateway, bot: Bot) -> None:
    """And the loop is free meanwhile: others are served."""
    gateway.fault("open", nth=1, action="stall")
    gateway.fault("connect", nth=1, action="stall")
    async with running(gateway, bot, pace=Pace(first=0.02, open=0.3), timeout_s=0.3) as stream:
        await gateway.wait_for(lambda: stream.health.state == "degraded")
        await gateway.connected()


async def test_nobody_listening_is_waited_for(gateway: Gateway, group: Conversation, user: User, bot: Bot) -> None:
    await gateway.refuse_connections()
    async with running(gateway, bot) as stream:
        await gateway.wait_for(lambda: stream.health.state == "degraded")
        assert stream.health.reason == "channel_unavailable"
        await gateway.accept_connections()
        await gateway.connected()
        await says(gateway, group, user, "在吗")


async def test_a_wrong_secret_is_said_and_tried_again(gateway: Gateway, bot: Bot) -> None:
    async with running(gateway, bot, secret="wrong") as stream:
        await gateway.wait_for(lambda: calls(gateway, "open") > 2)
        assert (stream.health.state, stream.health.reason) == ("degraded", "credentials_refused")


# --- F2: the handshake fails ---


@pytest.mark.parametrize("status", [401, 503])
async def test_each_attempt_has_a_ticket_of_its_own(gateway: Gateway, bot: Bot, status: int) -> None:
    gateway.fault("connect", count=2, action=status)
    async with running(gateway, bot) as stream:
        await gateway.wait_for(lambda: stream.health.state == "degraded")
        assert stream.health.reason == f"handshake_{status}"
        await gateway.connected()
    assert calls(gateway, "open") == calls(gateway, "connect") == 3


# --- F3: the connection ends ---


@pytest.mark.parametrize("end", [1000, 1001, 1011, "abort", "disconnect", "disconnect without id"])
async def test_a_connection_that_ends_is_replaced(
    gateway: Gateway, group: Conversation, user: User, bot: Bot, end: int | str
) -> None:
    async with running(gateway, bot) as stream:
        await gateway.connected()
        first = gateway.connections[0]
        if isinstance(end, int):
            gateway.close(code=end)
        elif end == "abort":
            gateway.abort()
        else:
            gateway.push_system("disconnect", message_id=end == "disconnect")
        await first.closed.wait()
        await gateway.connected()
        await says(gateway, group, user, "还在吗")
        assert stream.health.connections == 2
    assert bot.heard == ["还在吗"]


async def test_a_silent_peer_is_given_up(gateway: Gateway, group: Conversation, user: User, bot: Bot) -> None:
    async with running(gateway, bot, pace=Pace(first=0.02, ping=0.3)) as stream:
        await gateway.connected()
        frozen = gateway.connections[0]
        gateway.freeze()
        await gateway.wait_for(lambda: stream.health.connections == 2)
        await gateway.wait_for(lambda: any(one is not frozen for one in gateway.connections))
        alive = next(one for one in gateway.connections if one is not frozen)
        await (await gateway.push_bot(group, user, "在吗", connection=alive, wants_answer=False)).answered()


async def test_a_connection_over_which_nothing_comes_is_given_up(gateway: Gateway, bot: Bot) -> None:
    """It lives, as far as TCP knows, but DingTalk has forgotten it."""
    async with running(gateway, bot, pace=Pace(first=0.02, idle=0.3)) as stream:
        await gateway.wait_for(lambda: stream.health.connections >= 2)


async def test_twenty_closes_in_a_row_are_no_storm(gateway: Gateway, bot: Bot) -> None:
    """Opened for a moment and closed again: each time it is waited for longer."""
    pace = Pace(first=0.05, longest=10.0)
    opened: list[float] = []

    def close_at_once() -> None:
        for connection in gateway.connections:
            if connection.opened not in opened and len(opened) < 20:
                opened.append(connection.opened)
                connection.close(1000)

    gateway.journal.listeners.append(close_at_once)
    async with running(gateway, bot, pace=pace):
        with pytest.raises(TimeoutError):
            await gateway.wait_for(lambda: len(opened) >= 20, timeout=2)
    # Pauses of at least half of 0.05, 0.1, 0.2, …: after seven of them more than 3 s have passed.
    assert 2 <= len(opened) <= 8


async def test_a_connection_that_lasted_is_replaced_at_once(gateway: Gateway, bot: Bot) -> None:
    async with running(gateway, bot, pace=Pace(first=0.02, lasted=0.05, longest=10)) as stream:
        for number in range(1, 11):
            await gateway.wait_for(lambda number=number: stream.health.connections == number and gateway.connections)
            await asyncio.sleep(0.06)
            gateway.abort()


async def test_what_is_under_way_when_a_connection_ends_is_done(
    gateway: Gateway, group: Conversation, user: User, bot: Bot
) -> None:
    taken, may_go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Incoming) -> None:
        taken.set()
        await may_go_on.wait()

    bot.before = wait
    async with running(gateway, bot):
        await gateway.connected()
        await gateway.push_bot(group, user, "运费多少", wants_answer=False)
        await taken.wait()
        gateway.abort()
        await gateway.wait_for(lambda: calls(gateway, "connect") == 2)
        may_go_on.set()
        await gateway.wait_for(lambda: bot.heard == ["运费多少"])


# --- the end ---


async def test_it_ends_within_a_second_and_acknowledges_what_it_has(
    gateway: Gateway, group: Conversation, user: User, bot: Bot
) -> None:
    taken = asyncio.Event()

    async def slow(_: Incoming) -> None:
        taken.set()
        await asyncio.sleep(0.2)

    bot.before = slow
    loop = asyncio.get_running_loop()
    async with running(gateway, bot):
        await gateway.connected()
        push = await gateway.push_bot(group, user, "运费多少", wants_answer=False)
        await taken.wait()
        began = loop.time()
    assert loop.time() - began < SOON
    await gateway.wait_for(push.acked.is_set)
    await gateway.wait_for(lambda: not gateway.connections)


@pytest.mark.parametrize("when", ["connected", "frozen", "opening", "shaking hands", "refused"])
async def test_it_ends_within_a_second_whatever_it_is_doing(gateway: Gateway, bot: Bot, when: str) -> None:
    if when in ("opening", "shaking hands"):
        gateway.fault("open" if when == "opening" else "connect", action="stall")
    if when == "refused":
        await gateway.refuse_connections()
    loop = asyncio.get_running_loop()
    async with running(gateway, bot, pace=Pace(first=20), timeout_s=30) as stream:
        if when in ("connected", "frozen"):
            await gateway.connected()
        elif when == "refused":
            await gateway.wait_for(lambda: stream.health.state == "degraded")
        else:
            route = "open" if when == "opening" else "connect"
            await gateway.wait_for(lambda: calls(gateway, route) == 1)
        if when == "frozen":
            gateway.freeze()
        began = loop.time()
    assert loop.time() - began < SOON


# --- F6: rubbish ---


def frame(**over: Any) -> str:
    headers = {"messageId": "raw-1", "topic": TOPIC, "contentType": "application/json", "time": "1"}
    return json.dumps({"specVersion": "1.0", "type": "CALLBACK", "headers": headers, "data": "{}", **over})


@pytest.mark.parametrize(
    "raw",
    [
        "no json",
        b"\xff\xfe",
        "",
        "[]",
        "null",
        "5",
        "[" * 100_000,
        frame(headers=None),
        frame(headers={}),
        frame(headers={"messageId": "raw-1", "topic": TOPIC, "time": "soon"}),
        frame(headers={"messageId": 7, "topic": []}),
        frame(headers={"messageId": "raw-1", "topic": "/v1.0/unknown"}),
        frame(type="UNKNOWN"),
        frame(type=None),
        frame(data="no json"),
        frame(data=None),
        frame(data="[]"),
        frame(data={"msgId": 5}),
        frame(data="[" * 100_000),
        frame(headers={"messageId": "raw-1", "topic": "/v1.0/card/instances/callback"}, data='{"extension":""}'),
        frame(type="SYSTEM", headers={"topic": "ping"}),
        frame(type="SYSTEM", headers={"topic": "KEEPALIVE", "messageId": "raw-1"}, data="no json"),
        frame(data=json.dumps({"padding": "x" * (2 << 20)})),
    ],
    ids=lambda raw: repr(raw)[:60],
)
async def test_the_next_message_works_whatever_came(
    gateway: Gateway, group: Conversation, user: User, bot: Bot, raw: str | bytes
) -> None:
    async with running(gateway, bot) as stream:
        await gateway.connected()
        gateway.push_raw(raw)
        await says(gateway, group, user, "还在吗")
        assert stream.health.connections == 1
    assert bot.heard == ["还在吗"]


async def test_a_message_of_two_megabytes_is_a_message(
    gateway: Gateway, group: Conversation, user: User, bot: Bot
) -> None:
    async with running(gateway, bot) as stream:
        await gateway.connected()
        await says(gateway, group, user, "货" * 700_000)
        assert stream.health.connections == 1
    assert len(bot.heard[0]) == 700_000


async def test_what_cannot_be_read_is_refused_by_its_acknowledgement(
    gateway: Gateway, group: Conversation, user: User, bot: Bot
) -> None:
    async with running(gateway, bot):
        await gateway.connected()
        push = await gateway.push_bot(group, user, "?", conversationType="9", wants_answer=False)
        await push.answered()
        assert push.ack_code == 400
        push = await gateway.push_bot(group, user, msgtype="picture", content={}, wants_answer=False)
        await push.answered()
        assert push.ack_code == 200
    assert [message.unreadable for message in bot.messages] == ["picture"]


async def test_a_defect_of_ours_ends_nothing(
    gateway: Gateway, group: Conversation, user: User, bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_down(message: Incoming) -> None:
        if message.text == "1":
            raise ZeroDivisionError

    bot.before = break_down
    async with running(gateway, bot) as stream:
        await gateway.connected()
        push = await gateway.push_bot(group, user, "1", wants_answer=False)
        await push.answered()
        assert push.ack_code == 500
        await says(gateway, group, user, "2")
        assert stream.health.connections == 1
    assert "ZeroDivisionError" in caplog.text


async def test_an_inbox_that_is_away_for_a_moment_loses_nothing(
    gateway: Gateway, group: Conversation, user: User, bot: Bot
) -> None:
    """And what came later does not overtake."""
    failures = iter([True, True])

    async def away(_: Incoming) -> None:
        if next(failures, False):
            raise Unavailable("Redis is away.")

    bot.before = away
    async with running(gateway, bot):
        await gateway.connected()
        pushes = [await gateway.push_bot(group, user, text, wants_answer=False) for text in "123"]
        await asyncio.gather(*(push.answered() for push in pushes))
    assert bot.heard == ["1", "2", "3"]


# --- clicks ---


@pytest.fixture
async def card_id(gateway: Gateway, group: Conversation) -> str:
    gateway.register_template("t", {"status": "text"}, streaming_key=None)
    async with client_of(gateway) as client:
        await client.create_card(NewCard("card-1", "t", {}, f"dtv1.card//IM_GROUP.{group.id}", group=True))
    return "card-1"


async def test_a_click_changes_the_card(gateway: Gateway, user: User, bot: Bot, card_id: str) -> None:
    async def act(action: CardAction) -> Mapping[str, Any]:
        return {
            "cardUpdateOptions": {"updateCardDataByKey": True},
            "cardData": {"cardParamMap": {"status": action.params["verdict"]}},
        }

    bot.act = act
    async with running(gateway, bot):
        await gateway.connected()
        push = await gateway.push_card_action(card_id, user, "review", {"verdict": "通过"})
        await push.answered()
    assert gateway.cards[card_id].values["status"] == "通过"
    assert [(action.action, action.account, action.card_id) for action in bot.actions] == [("review", "u1", card_id)]


async def test_a_click_that_takes_long_is_answered_in_time_and_still_done(
    gateway: Gateway, user: User, bot: Bot, card_id: str
) -> None:
    may_end, done = asyncio.Event(), asyncio.Event()

    async def act(_: CardAction) -> Mapping[str, Any]:
        await may_end.wait()
        done.set()
        return {}

    bot.act = act
    async with running(gateway, bot):
        await gateway.connected()
        push = await gateway.push_card_action(card_id, user, "review")
        await push.answered()
        assert (push.late, push.response) == (False, {})
        may_end.set()
        await asyncio.wait_for(done.wait(), 10)


@pytest.mark.parametrize("error", [Unavailable("Redis is away."), ZeroDivisionError()])
async def test_a_click_that_fails_is_answered_and_changes_nothing(
    gateway: Gateway, user: User, bot: Bot, card_id: str, error: Exception
) -> None:
    async def act(_: CardAction) -> Mapping[str, Any]:
        raise error

    bot.act = act
    async with running(gateway, bot):
        await gateway.connected()
        push = await gateway.push_card_action(card_id, user, "review")
        await push.answered()
        assert (push.ack_code, push.response) == (200, {})


async def test_an_inbox_that_stays_away_is_said() -> None:
    """Then DingTalk may push the message again."""
    from bots.dingtalk.frames import Frame

    async def away(_: Incoming) -> None:
        raise Unavailable("Redis is away.")

    message = {
        "msgId": "m",
        "msgtype": "text",
        "conversationType": "1",
        "conversationId": "c",
        "text": {"content": "?"},
    }
    asked = Frame.of(frame(data=json.dumps(message)))
    assert asked is not None
    async with asyncio.TaskGroup() as tasks:
        replies = Replies(tasks, away, Bot().on_action, robot="cid", inbox_s=0)
        ack = json.loads(await replies.to(asked) or "")
    assert (ack["code"], ack["headers"]["messageId"]) == (500, "raw-1")


async def test_nothing_secret_is_logged(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG, and not when things fail."""
    caplog.set_level(logging.DEBUG)
    async with running_gateway(client_secret="secret-of-the-app") as gateway:
        user = gateway.add_user("u1", "张三")
        group = gateway.add_group("测试群", [user])
        gateway.fault("connect", nth=1, action=401)
        async with running(gateway, bot):
            await gateway.connected()
            await says(gateway, group, user, "悄悄话")
            gateway.close(code=1011)
            await gateway.wait_for(lambda: calls(gateway, "connect") == 3)
            await gateway.connected()
            secrets = [*gateway.secrets(), "悄悄话"]
    logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert len(secrets) > 2
    assert not [secret for secret in secrets if secret in logged]
