"""The month's calls and messages come to their end. What the double cannot prove: what DingTalk counts, and when its
month begins."""

from collections import Counter
from pathlib import Path

import pytest

from app.channels.calls import Counted, china_today
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from tests.bots.faults.asking import ANSWER, HURRIED, all_ended, ask, card_of, ended, growing, messages_in
from tests.bots.house import TypingModel, bot_of, take_in_returns, user
from tests.e2e.redis_server import RedisServer

MONTH = 31 * 86_400


async def test_with_fifty_calls_left_answers_go_down_the_ladder_and_all_are_given(
    gateway: Gateway, tmp_path: Path, redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten at a time: cards that do not grow, then messages by webhook; DingTalk never has to refuse one."""
    async with bot_of(gateway, tmp_path) as house:
        await house.services.calls.merge(gateway.client_id, [Counted(china_today(), "card_stream", 4950)])
    gateway.usage.calls = 4950
    places = [gateway.add_group(f"群 {number}", [user(gateway, "u1")]) for number in range(10)]
    async with bot_of(gateway, tmp_path, model=TypingModel(ANSWER), redis_url=redis.url, tempo=HURRIED) as house:
        await take_in_returns(house)
        pushes = [
            await ask(house, place, f"退货期限是几天？第 {number} 次问") for number in range(4) for place in places
        ]
        replies = await all_ended(house, pushes)
        standing = await house.wire.governor.standing()
    steps = Counter((reply.rung, reply.reason) for reply in replies)
    with capsys.disabled():
        print(f"\nforty answers with 50 calls left: {dict(steps)}, {gateway.usage.calls - 4950} calls used")
    assert {reply.state for reply in replies} == {"done"}
    assert set(steps) == {("final", "month_nearly_spent"), ("markdown", "month_spent")}
    assert steps["final", "month_nearly_spent"] >= 20
    assert gateway.usage.calls <= 5000
    assert not [call for call in gateway.calls if "ApiCountLimit" in call.code]
    assert standing.calls_used == gateway.usage.calls
    assert sum(ANSWER in message.text for message in gateway.messages) == steps["markdown", "month_spent"]


async def test_an_answer_in_whose_middle_the_month_ends_is_a_message(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Somebody else in the organisation used the last call; the card ends when there are calls again."""
    model = TypingModel(ANSWER, pieces=10, pause=0.15)
    async with bot_of(gateway, tmp_path, model=model, tempo=HURRIED) as house:
        await take_in_returns(house)
        push = await ask(house, group)
        card = await growing(house, push)
        gateway.usage.calls = gateway.limits.monthly_calls
        assert (await ended(house, push)).state == "unclosed"
        await house.bot.recovery.sweep()
        assert card.state == "INPUTING"
        gateway.clock.advance(MONTH)
        await house.bot.recovery.sweep()
        assert (await ended(house, push)).state == "done"
        assert card.state == "FAILED"
    (message,) = messages_in(gateway, group)
    assert message.way == "webhook"
    assert ANSWER in message.text


async def test_what_neither_calls_nor_messages_are_left_for_is_shown_with_the_next_message(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Next month: the answer, why the question after it was not read, and then the new answer."""
    model = TypingModel(ANSWER, pieces=10, pause=0.15)
    async with bot_of(gateway, tmp_path, model=model, tempo=HURRIED) as house:
        await take_in_returns(house)
        push = await ask(house, group)
        card = await growing(house, push)
        gateway.usage.calls = gateway.limits.monthly_calls
        gateway.usage.messages = gateway.limits.monthly_messages
        assert (await ended(house, push)).state == "stored"
        unread = await ask(house, group, "退款要多久？")
        assert (await ended(house, unread)).state == "stored"
        assert not gateway.messages
        gateway.clock.advance(MONTH)
        assert (await ended(house, await ask(house, group, "/帮助"))).state == "done"
        await house.bot.recovery.sweep()
        assert card.state == "FAILED"
        assert [reply.state for reply in await all_ended(house, [push, unread])] == ["done", "done"]
    answer, note, help_ = messages_in(gateway, group)
    assert ANSWER in answer.text
    assert "额度" in note.text
    assert "/图" in help_.text
    assert card_of(gateway, push) is card
    gateway.forgive(push.msg_id)  # its answer came by the webhook of the last
