"""A connection that goes wrong, under a whole bot (F1, F2, F3, F6, F13). What the double cannot prove: DingTalk's own
ping period, how long it keeps a silent connection, and when it really pushes again."""

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from bots.dingtalk.stream import Pace
from bots.sandbox.faults import Proceed, stall
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Redelivery
from tests.bots.faults.asking import (
    ANSWER,
    HURRIED,
    LONG,
    ask,
    calls,
    card_of,
    ended,
    grew,
    growing,
    messages_in,
    reconnected,
)
from tests.bots.house import TypingModel, bot_of, take_in_returns
from tests.e2e.redis_server import RedisServer

# How it is opened: F1


async def test_f1_whatever_opening_meets_it_is_tried_again_until_it_works(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Degraded until then, with the reason; connected and answering afterwards."""
    gateway.fault("open", count=2, action="no_ticket")  # the first ones ever: the SDK's loop dies of it
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), tempo=HURRIED) as house:
        await take_in_returns(house)
        for trouble in (401, 400, 500, 503, 429, "auth_failed", "html", "no_ticket", "reset"):
            fault = gateway.fault("open", count=2, action=trouble)
            gateway.close(code=1011)
            await gateway.wait_for(lambda fault=fault: fault.done == 2, LONG)
            assert house.stream.health.state == "degraded", trouble
            await reconnected(house)
            push = await ask(house, group, f"退货期限是几天？{trouble}")
            assert (await ended(house, push)).state == "done", trouble


async def test_f1_nothing_else_waits_while_opening_stalls_or_is_refused(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """An answer that was being written is written on, and the loop is never held up."""
    model, tempo = TypingModel(ANSWER, pieces=12, pause=0.1), replace(HURRIED, call_s=1.0)
    async with bot_of(gateway, tmp_path, model=model, tempo=tempo) as house:
        await take_in_returns(house)
        push = await ask(house, group)
        card = await growing(house, push)
        stalled = gateway.fault("open", count=1, action=stall(30))
        gateway.abort()
        await gateway.wait_for(lambda: stalled.done, LONG)
        began = gateway.clock.now()
        await reconnected(house)
        again = gateway.connections[0].opened
        assert any(began < frame.time < again for frame in card.frames)
        assert (await ended(house, push)).state == "done"
        assert card.content == ANSWER
        await gateway.refuse_connections()
        await gateway.wait_for(lambda: house.stream.health.reason == "channel_unavailable", LONG)
        await gateway.accept_connections()
        await reconnected(house)
        assert (await ended(house, await ask(house, group, "退款要多久？"))).state == "done"


# Its handshake: F2


async def test_f2_each_handshake_that_is_refused_costs_a_new_ticket(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async def too_late(_request: web.Request, proceed: Proceed) -> web.StreamResponse:
        opened = await proceed()
        gateway.clock.advance(91)
        return opened

    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), tempo=HURRIED) as house:
        await take_in_returns(house)
        refused = [gateway.fault("connect", count=2, action=status) for status in (401, 503)]
        expired = gateway.fault("open", nth=2, action=too_late)
        gateway.close(code=1001)
        await gateway.wait_for(lambda: expired.done and all(one.done == 2 for one in refused), LONG)
        await reconnected(house)
        assert (await ended(house, await ask(house, group))).state == "done"
        assert calls(gateway, "open") == calls(gateway, "connect") == len(gateway.streams.tickets.given)


# How it ends: F3


async def test_f3_an_answer_outlives_its_connection_however_that_ends(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Once, whole, on the card it was begun on; and the next message comes over the next connection."""
    ends: list[Callable[[], None]] = [
        lambda: gateway.close(code=1000),
        lambda: gateway.close(code=1001),
        lambda: gateway.close(code=1011),
        gateway.abort,
        lambda: gateway.push_system("disconnect"),
        gateway.freeze,
    ]
    model = TypingModel(ANSWER, pieces=8, pause=0.08)
    async with bot_of(gateway, tmp_path, model=model, tempo=HURRIED) as house:
        await take_in_returns(house)
        for number, end in enumerate(ends, 1):
            push = await ask(house, group, f"退货期限是几天？第 {number} 次问", connection=gateway.connections[-1])
            card = await growing(house, push)
            end()
            await gateway.wait_for(lambda number=number: house.stream.health.connections > number, LONG)
            await reconnected(house)
            assert (await ended(house, push)).state == "done"
            assert (card.state, card.content) == ("FINISHED", ANSWER)
            assert grew(card)
            assert len(model.asked) == number
        assert len(gateway.cards) == len(ends)


async def test_f3_twenty_closes_in_a_row_are_no_storm(gateway: Gateway, group: Conversation, tmp_path: Path) -> None:
    """The pauses double up to the longest, and an answer comes through meanwhile."""
    pace = Pace(first=0.02, longest=0.3, lasted=30.0)
    async with bot_of(
        gateway, tmp_path, model=TypingModel(ANSWER, pieces=10, pause=0.2), tempo=replace(HURRIED, pace=pace)
    ) as house:
        await take_in_returns(house)
        push = await ask(house, group)
        await growing(house, push)
        first = len(gateway.streams.tickets.given)

        def close_at_once() -> None:
            if gateway.connections and len(gateway.streams.tickets.given) < first + 20:
                gateway.close()

        gateway.journal.listeners.append(close_at_once)
        gateway.close()
        await gateway.wait_for(lambda: len(gateway.streams.tickets.given) == first + 20 and gateway.connections, LONG)
        assert (await ended(house, push)).state == "done"
    opened = [call.started for call in gateway.calls if call.route == "open"]
    pauses = [later - earlier for earlier, later in itertools.pairwise(opened)]
    assert all(pause >= pace.longest / 2 for pause in pauses[8:])
    assert _opens_in_a_minute(Pace()) <= 12


def _opens_in_a_minute(pace: Pace) -> int:
    """Of a service that hangs up at once, at the pace of real life."""
    waited, opens = 0.0, 1
    while (waited := waited + pace.pause(opens - 1)) < 60:
        opens += 1
    return opens


async def test_f3_an_acknowledgement_that_is_lost_with_its_connection_leads_to_no_second_answer(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    model = TypingModel(ANSWER, pause=0.05)
    async with bot_of(gateway, tmp_path, model=model, tempo=HURRIED) as house:
        await take_in_returns(house)
        push = await ask(house, group, redeliver=Redelivery(after=60, new_message_id=True))
        gateway.abort()
        await gateway.wait_for(lambda: house.stream.health.connections == 2, LONG)
        gateway.clock.advance(61)
        await gateway.wait_for(push.acked.is_set, LONG)
        assert (await ended(house, push)).state == "done"
        assert len(model.asked) == 1


# What comes over it: F6

_MALFORMED = [
    "no json",
    b"\xff\xfe",
    "[]",
    json.dumps({"type": "CALLBACK", "headers": {}, "data": "{}"}),
    json.dumps(
        {"type": "CALLBACK", "headers": {"messageId": "raw-1", "topic": "/v1.0/im/bot/messages/get"}, "data": "x"}
    ),
    json.dumps({"type": "CALLBACK", "headers": {"messageId": "raw-2", "topic": "/v1.0/unknown"}, "data": "{}"}),
    json.dumps({"type": "UNKNOWN", "headers": {"messageId": "raw-3", "topic": "*"}, "data": "{}"}),
    json.dumps(
        {
            "type": "CALLBACK",
            "headers": {"messageId": "raw-4", "topic": "/v1.0/card/instances/callback"},
            "data": json.dumps({"outTrackId": "T1", "userId": "u1", "extension": "", "content": ""}),
        }
    ),
    json.dumps({"type": "EVENT", "headers": {"messageId": "raw-5", "topic": "*"}, "data": "x" * (2 << 20)}),
]


async def test_f6_nothing_that_comes_over_the_connection_ends_it(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), tempo=HURRIED) as house:
        await take_in_returns(house)
        for frame in _MALFORMED:
            gateway.push_raw(frame)
        assert (await ended(house, await ask(house, group))).state == "done"
        assert house.stream.health.connections == 1


async def test_f6_every_message_that_has_an_address_is_answered_whatever_is_wrong_with_it(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Of a type that nobody knows, without a text, without its sender, far too long, or withheld for the quota."""
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), tempo=HURRIED) as house:
        await take_in_returns(house)
        strange = [
            await ask(house, group, "", msgtype="hologram", content={"x": 1}),
            await ask(house, group, "", content={"content": None}),
            await ask(house, group, "", msgtype="richText", content={}),
            await ask(house, group, "没有名字", senderNick=None, senderId=None, senderStaffId=None),
            await ask(house, group, "货" * 700_000),
        ]
        for push in strange:
            await ended(house, push)
        gateway.limits.monthly_messages, before = gateway.usage.messages, gateway.limits.monthly_messages
        strange.append(await ask(house, group, "额度用完"))
        await ended(house, strange[-1])
        gateway.limits.monthly_messages = before
        for push in strange:
            assert (await ended(house, push)).state == "done"
            assert push.ack_code == 200
        assert (await ended(house, await ask(house, group))).state == "done"
        assert house.stream.health.connections == 1
        assert "额度" in "".join(message.text for message in messages_in(gateway, group))


# The end of the process: F13


@pytest.mark.parametrize("trouble", ["none", "stall"])
async def test_f13_a_bot_that_is_stopped_in_the_middle_of_an_answer_ends_soon_and_leaves_no_card_open(
    gateway: Gateway, group: Conversation, tmp_path: Path, redis: RedisServer, trouble: str
) -> None:
    """At once where DingTalk takes the last frame; else with the next start. What waits behind is answered then."""
    model = TypingModel(ANSWER, pieces=40, pause=0.2)
    async with bot_of(gateway, tmp_path, model=model, redis_url=redis.url) as house:
        await take_in_returns(house)
        push = await ask(house, group)
        card = await growing(house, push)
        behind = await ask(house, group, "退款要多久？")
        await behind.answered()
        if trouble != "none":
            gateway.fault("card_streaming", action=trouble)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert card.ended == (trouble == "none")
    assert card_of(gateway, behind) is None
    gateway.clear_faults()
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), redis_url=redis.url) as house:
        await take_in_returns(house)
        assert (await ended(house, push)).state == "done"
        assert (await ended(house, behind)).state == "done"
        assert "请再问一次" in card.content
        assert ANSWER in card_of(gateway, behind).content
