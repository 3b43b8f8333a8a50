"""Messages that come more than once, many at a time, or whose answer cannot go the way they came (F4, F5, F7, F14).
What the double cannot prove: when DingTalk really pushes again, and how a group looks while it does."""

from dataclasses import replace
from pathlib import Path

import pytest

from bots.sandbox.faults import stall
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push, Redelivery
from tests.bots.faults.asking import ANSWER, HURRIED, LONG, QUESTION, all_ended, ask, bots_of, ended, messages_in
from tests.bots.house import House, TypingModel, bot_of, take_in_returns, user
from tests.e2e.redis_server import RedisServer

# The same message again: F4


async def delivered_four_times(gateway: Gateway, house: House, group: Conversation, *, early: bool) -> Push:
    """At once with the same frame id; over another connection with a new one; and a minute later. ``early``: all of
    them while the answer is written."""
    here, there = gateway.connections[0], gateway.connections[-1]
    push = await ask(house, group, connection=here, redeliver=Redelivery.duplicate())
    if not early:
        await ended(house, push)
    minute = Redelivery.duplicate(60, new_message_id=True, other_connection=True)
    again = await ask(house, group, connection=there, msg_id=push.msg_id, redeliver=minute)
    gateway.clock.advance(61)
    await gateway.wait_for(lambda: sum(bool(one.acks) for one in (*push.deliveries, *again.deliveries)) == 4, LONG)
    return push


@pytest.mark.parametrize("early", [True, False], ids=["while-it-is-answered", "after-it-was-answered"])
@pytest.mark.parametrize("bots", [1, 2])
async def test_f4_a_message_that_is_delivered_four_times_is_answered_once(
    gateway: Gateway, group: Conversation, tmp_path: Path, redis: RedisServer, bots: int, early: bool
) -> None:
    model = TypingModel(ANSWER, pause=0.1)
    async with bots_of(bots, gateway, tmp_path, redis=redis, model=model) as house:
        push = await delivered_four_times(gateway, house, group, early=early)
        assert (await ended(house, push)).state == "done"
        await ended(house, await ask(house, group, "/帮助"))  # whatever else was in the queue came before it
    assert model.asked == [QUESTION]
    assert [card.content for card in gateway.cards.values()] == [ANSWER]
    assert ["/图" in message.text for message in gateway.messages] == [True]


async def test_f4_what_is_not_acknowledged_is_taken_when_it_comes_again(
    gateway: Gateway, group: Conversation, tmp_path: Path, redis: RedisServer
) -> None:
    """Redis is away when it comes first; a minute later it is back."""
    model = TypingModel(ANSWER)
    async with bot_of(gateway, tmp_path, model=model, redis_url=redis.url, tempo=HURRIED) as house:
        await take_in_returns(house)
        redis.kill()
        push = await ask(house, group, redeliver=Redelivery(after=16, times=3, new_message_id=True))
        gateway.clock.advance(17)
        redis.start()
        assert (await ended(house, push)).state == "done"
        await gateway.wait_for(lambda: all(one.acks for one in push.deliveries), LONG)
        assert len(model.asked) == 1
        assert len(gateway.cards) == 1
    gateway.forgive("slow:")  # an acknowledgement waits for the inbox: that long, Redis was away


# More than can be answered at once: F5


async def test_f5_a_flood_in_one_conversation_is_bounded_and_said_so_once(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Fifty wait, the rest is refused, all are acknowledged at once; those that wait are answered in turn."""
    model = TypingModel("好的。", pieces=1, pause=1.0)
    async with bot_of(gateway, tmp_path, model=model, cards=False, tempo=HURRIED) as house:
        await take_in_returns(house)
        first = await ask(house, group, "退货期限是几天？开头")
        await gateway.wait_for(lambda: model.asked, LONG)
        model.pause = 0
        waiting = [await ask(house, group, "/帮助") for _ in range(49)]
        refused = [await ask(house, group, "/帮助") for _ in range(8)]
        for push in (first, *waiting, *refused):
            await push.answered(LONG)
        await all_ended(house, [first, *waiting])
        said = messages_in(gateway, group)
        assert sum("消息有点多" in message.text for message in said) == 1
        assert [message.answers for message in said if "消息有点多" not in message.text] == [
            push.msg_id for push in (first, *waiting)
        ]
    gateway.forgive(*(push.msg_id for push in refused))  # one word for all of them


# The way back is gone: F7


_OTHER_WAYS: dict[str | int, str] = {
    "session_gone": "api",
    "too_long": "api",
    "scope": "api",
    500: "api",
    "html": "api",
    "too_fast": "api",
}


async def test_f7_an_answer_whose_webhook_does_not_take_it_goes_another_way_and_is_there_once(
    gateway: Gateway, tmp_path: Path
) -> None:
    model = TypingModel(ANSWER, pause=0.02)
    async with bot_of(gateway, tmp_path, model=model, cards=False, tempo=HURRIED) as house:
        await take_in_returns(house)
        for trouble, way in {**_OTHER_WAYS, "once": "webhook", "expired": "api", "refused": "api"}.items():
            more: dict[str, object] = {}
            if trouble == "expired":
                more = {"sessionWebhookExpiredTime": gateway.clock.ms() - 1000}
            elif trouble == "refused":  # nobody listens there
                more = {"sessionWebhook": "http://127.0.0.1:9/robot/sendBySession?session=none"}
            elif trouble == "once":
                gateway.fault("webhook", nth=1, action=500)
            else:
                gateway.fault("webhook", action=trouble)
            place = gateway.add_group(f"群 {trouble}", [user(gateway, "u1")])
            assert (await ended(house, await ask(house, place, **more))).state == "done", trouble
            (message,) = messages_in(gateway, place)
            assert message.way == way, trouble
            assert ANSWER in message.text, trouble
            gateway.clear_faults()


async def test_f7_a_webhook_that_ends_while_the_answer_is_written_is_replaced(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    model = TypingModel(ANSWER, pause=0.1)
    async with bot_of(gateway, tmp_path, model=model, cards=False, tempo=HURRIED) as house:
        await take_in_returns(house)
        push = await ask(house, group)
        await gateway.wait_for(lambda: model.asked, LONG)
        gateway.clock.advance(5400)
        assert (await ended(house, push)).state == "done"
    (message,) = messages_in(gateway, group)
    assert message.way == "api"
    assert ANSWER in message.text


async def test_f7_what_may_have_arrived_is_not_sent_at_once_again_and_never_called_sent(
    gateway: Gateway, tmp_path: Path
) -> None:
    """Nobody can know; with the next message it is said how to get it, and then it is given once."""
    troubles = {"reset": False, stall(30): False, "drop": True, stall(30, applying=True): True}
    tempo = replace(HURRIED, call_s=1.0)
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), cards=False, tempo=tempo) as house:
        await take_in_returns(house)
        for number, (trouble, arrived) in enumerate(troubles.items()):
            place = gateway.add_group(f"群 {number}", [user(gateway, "u1")])
            gateway.fault("webhook", nth=1, action=trouble)
            push = await ask(house, place)
            assert (await ended(house, push)).state == "unsure", trouble
            assert len(messages_in(gateway, place)) == arrived, trouble
            assert (await ended(house, await ask(house, place, "/帮助"))).state == "done", trouble
            assert (await ended(house, push)).state == "done", trouble
            *_, told, help_ = messages_in(gateway, place)
            assert "可能没有送达" in told.text
            assert ANSWER not in told.text
            assert "/图" in help_.text
            for _ in range(2):  # the second time because it is asked for: it is the last answer
                assert (await ended(house, await ask(house, place, "/上一条"))).state == "done", trouble
                *_, again = messages_in(gateway, place)
                assert again.text.count(ANSWER) == 1
                assert "上一条回复是" in again.text
            assert len(messages_in(gateway, place)) == arrived + 4, trouble
            gateway.clear_faults()
            if not arrived:
                gateway.forgive(push.msg_id)  # its answer came by the webhook of another


async def test_the_last_answer_is_given_again_as_it_stood_on_its_card(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), tempo=HURRIED) as house:
        assert (await ended(house, await ask(house, group, "/last"))).state == "done"
        assert "Nothing has been answered" in messages_in(gateway, group)[-1].text
        await take_in_returns(house)
        await ended(house, await ask(house, group))
        assert (await ended(house, await ask(house, group, "/上一条"))).state == "done"
        again = messages_in(gateway, group)[-1].text
        assert ANSWER in again
        assert "参考资料" in again


async def test_f7_a_message_that_no_way_takes_is_kept_until_one_does(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Telling it may fail too: then it is kept on, and the new message is answered all the same."""
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), cards=False, tempo=HURRIED) as house:
        await take_in_returns(house)
        for route in ("webhook", "group_send"):
            gateway.fault(route, action="busy")
        kept = [await ask(house, group), await ask(house, group, "退款要多久？")]
        assert (await ended(house, kept[1])).state == "stored"
        assert (await ended(house, kept[0])).state == "stored"  # it was tried again with the second
        gateway.clear_faults()
        assert (await ended(house, await ask(house, group, "/帮助"))).state == "done"
        assert [reply.state for reply in await all_ended(house, kept)] == ["done", "done"]
        assert sum(ANSWER in message.text for message in messages_in(gateway, group)) == 2
    gateway.forgive(*(push.msg_id for push in kept))  # their answers came by the webhook of the third
