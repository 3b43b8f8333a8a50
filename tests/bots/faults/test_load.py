"""Much at once: acknowledgements, order and the rate (F5, F12, F14). What the double cannot prove: DingTalk's true
limits, and how it counts calls that it refused.

Figures are printed; what is asserted leaves room for a busy machine, on which the double runs too.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push
from tests.bots.faults.asking import ANSWER, HURRIED, LONG, all_ended, ask, bots_of, card_of, grew
from tests.bots.house import TypingModel, bot_of, take_in_returns, user
from tests.e2e.redis_server import RedisServer

LONG_ANSWER = ANSWER * 4


def groups(gateway: Gateway, count: int) -> list[Conversation]:
    return [gateway.add_group(f"群 {number}", [user(gateway, "u1")]) for number in range(count)]


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def test_f5_f14_fifty_messages_in_five_conversations_are_acknowledged_at_once_and_answered_in_order(
    gateway: Gateway, tmp_path: Path, redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """While answers stream, with the real inbox and the real budget."""
    model = TypingModel(ANSWER, pieces=4, pause=0.03)
    places = groups(gateway, 5)
    async with bot_of(gateway, tmp_path, model=model, redis_url=redis.url, tempo=HURRIED) as house:
        await take_in_returns(house)
        pushes: dict[str, list[Push]] = {place.id: [] for place in places}
        for number in range(10):
            for place in places:
                pushes[place.id].append(await ask(house, place, f"退货期限是几天？第 {number} 次问"))
                await asyncio.sleep(0.02)  # fifty in a second
            await gateway.wait_for(lambda: any(not card.ended for card in gateway.cards.values()), LONG)
        every = [push for asked in pushes.values() for push in asked]
        replies = await all_ended(house, every)
        assert {reply.state for reply in replies} == {"done"}
    for asked in pushes.values():
        cards = [card_of(gateway, push) for push in asked]
        assert [card.created for card in cards] == sorted(card.created for card in cards)
        ends = [card.frames[-1].time for card in cards]
        assert all(end <= card.created for end, card in zip(ends, cards[1:], strict=False))  # one after the other
        assert all(card.content.startswith(ANSWER) for card in cards)
    times = [push.ack_ms or 0.0 for push in every]
    with capsys.disabled():
        print(
            f"\nacknowledged 50 messages of 5 conversations: p50 {percentile(times, 0.5):.0f} ms, "
            f"p95 {percentile(times, 0.95):.0f} ms, max {max(times):.0f} ms"
        )
    assert percentile(times, 0.95) < 250
    assert not [call for call in gateway.calls if call.throttled]


async def test_f12_ten_answers_stream_side_by_side_within_the_rate(
    gateway: Gateway, tmp_path: Path, redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty calls a second, shared by two processes, and frames as often as they are by default."""
    model = TypingModel(LONG_ANSWER, pieces=30, pause=0.1)
    places = groups(gateway, 10)
    async with bots_of(2, gateway, tmp_path, redis=redis, model=model, dingtalk_frame_ms=800) as house:
        pushes = [await ask(house, place, f"退货期限是几天？第 {number} 群") for number, place in enumerate(places)]
        replies = await all_ended(house, pushes)
    figures(gateway, "ten answers of two processes at 20 calls/s", capsys)
    assert {(reply.state, reply.rung) for reply in replies} == {("done", "stream")}
    for push in pushes:
        card = card_of(gateway, push)
        assert (card.state, card.content) == ("FINISHED", LONG_ANSWER)
        assert len(card.frames) >= 3
        assert grew(card)
    assert not gateway.messages
    assert throttled(gateway) < 0.02 * len(api_calls(gateway))


async def test_f12_a_storm_beyond_the_rate_delays_answers_and_loses_none(
    gateway: Gateway, tmp_path: Path, redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """DingTalk allows eight a second where we were told twenty: somebody else has the rest."""
    gateway.limits.qps = 8
    model = TypingModel(LONG_ANSWER, pieces=20, pause=0.1)
    places = groups(gateway, 10)
    async with bot_of(gateway, tmp_path, model=model, redis_url=redis.url, dingtalk_frame_ms=800) as house:
        await take_in_returns(house)
        pushes = [await ask(house, place, f"退货期限是几天？第 {number} 群") for number, place in enumerate(places)]
        replies = await all_ended(house, pushes)
        await house.bot.recovery.sweep()
        assert {reply.state for reply in replies} <= {"done", "unclosed"}
    figures(gateway, "ten answers at 8 calls/s, told 20", capsys)
    assert all(card.ended for card in gateway.cards.values())
    assert throttled(gateway) < 0.5 * len(api_calls(gateway))


def api_calls(gateway: Gateway) -> list[str]:
    return [call.route for call in gateway.calls if call.route.startswith(("card_", "group_", "webhook"))]


def throttled(gateway: Gateway) -> int:
    return sum(call.throttled for call in gateway.calls)


def figures(gateway: Gateway, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    total = len(api_calls(gateway))
    with capsys.disabled():
        print(f"\n{what}: {total} calls, {throttled(gateway)} refused ({throttled(gateway) / total:.1%})")
