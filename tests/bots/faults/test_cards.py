"""Tokens, cards, frames and clicks that go wrong, under a whole bot (F8, F9, F10, F11). What the double cannot prove:
what DingTalk says to a frame after the last one, and whether a card that was not delivered exists."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bots.dingtalk.attempts import Patience
from bots.sandbox.cards import CardState
from bots.sandbox.faults import stall
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push
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
)
from tests.bots.house import House, TypingModel, bot_of, take_in_returns, user
from tests.e2e.redis_server import RedisServer

QUICK = replace(HURRIED, patience=Patience(first_s=0.01, longest_s=0.02))  # for calls that fail to the last


@asynccontextmanager
async def a_bot(gateway: Gateway, data: Path, *, pause: float = 0.05, **more: object) -> AsyncIterator[House]:
    """That knows the shop's rules."""
    model = TypingModel(ANSWER, pieces=12, pause=pause)
    async with bot_of(gateway, data, **{"model": model, "tempo": HURRIED, **more}) as house:  # type: ignore[arg-type]
        await take_in_returns(house)
        yield house


async def finished(house: House, push: Push) -> CardState:
    """The card of a message that was answered on it, and nowhere else."""
    assert (await ended(house, push)).state == "done"
    card = card_of(house.gateway, push)
    assert card is not None
    assert (card.state, card.content) == ("FINISHED", ANSWER)
    assert not house.gateway.messages
    return card


async def said_below(house: House, place: Conversation, push: Push) -> None:
    """The answer came as one message, and no card is left that looks as if something came."""
    await ended(house, push)
    assert [ANSWER in message.text for message in messages_in(house.gateway, place)] == [True]
    house.gateway.clear_faults()
    await house.bot.recovery.sweep()
    assert all(card.ended for card in house.gateway.cards.values())


# What opens every call: F8


async def test_f8_a_token_that_is_revoked_in_the_middle_of_answers_is_replaced_once_for_all(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with a_bot(gateway, tmp_path, pause=0.15, dingtalk_frame_ms=500) as house:
        places = [gateway.add_group(f"群 {number}", [user(gateway, "u1")]) for number in range(4)]
        pushes = [await ask(house, place) for place in places]
        for push in pushes:
            await growing(house, push)
        before = calls(gateway, "token")
        gateway.tokens.revoke_all()
        for push in pushes:
            card = await finished(house, push)
            assert grew(card)
        assert calls(gateway, "token") == before + 1
        assert gateway.changed.most_at_once("token") == 1


@pytest.mark.parametrize("trouble", ["busy", "slow"])
async def test_f8_however_many_wait_for_a_token_it_is_asked_for_once(
    gateway: Gateway, tmp_path: Path, trouble: str
) -> None:
    """Slow: five answers wait for one token. Busy: each of the five tries again, still one call at a time."""
    gateway.fault("token", count=2, action=trouble, delay=1.0 if trouble == "slow" else 0)
    async with a_bot(gateway, tmp_path, dingtalk_frame_ms=500) as house:
        places = [gateway.add_group(f"群 {number}", [user(gateway, "u1")]) for number in range(5)]
        for push in [await ask(house, place) for place in places]:
            await finished(house, push)
    assert calls(gateway, "token") == (1 if trouble == "slow" else 3)
    assert gateway.changed.most_at_once("token") == 1


async def test_f8_a_token_of_one_second_is_used_while_it_lives(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    gateway.fault("token", action="short_token")
    async with a_bot(gateway, tmp_path, pause=0.2) as house:
        card = await finished(house, await ask(house, group))
        assert len(card.frames) > 5
    assert calls(gateway, "token") <= 6


async def test_f8_without_a_token_the_answer_goes_by_the_webhook_which_needs_none(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    fault = gateway.fault("token", action="bad_secret")
    async with a_bot(gateway, tmp_path) as house:
        await said_below(house, group, await ask(house, group))
    assert fault.done <= 2


async def test_f8_a_token_that_is_never_accepted_is_replaced_once_for_each_call(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    gateway.fault("card_create_and_deliver", action="auth")
    async with a_bot(gateway, tmp_path) as house:
        await said_below(house, group, await ask(house, group))
        assert calls(gateway, "token") <= calls(gateway, "card_create_and_deliver")
        assert calls(gateway, "card_create_and_deliver") <= 8


# Creating a card: F9


async def test_f9_an_answer_that_gets_no_card_is_a_message(gateway: Gateway, tmp_path: Path) -> None:
    async with a_bot(gateway, tmp_path, pause=0.02) as house:
        for trouble in ("scope", "unpublished", "undelivered", "qps", "busy", "html", "month"):
            place = gateway.add_group(f"群 {trouble}", [user(gateway, "u1")])
            fault = gateway.fault("card_create_and_deliver", action=trouble)
            await said_below(house, place, await ask(house, place))
            assert 1 <= fault.done <= 4, trouble
    assert not gateway.cards


async def test_f9_a_card_that_could_not_be_created_at_first_is_there_once(gateway: Gateway, tmp_path: Path) -> None:
    """Also where it was created and only the answer to that was lost: the second try finds it there."""
    async with a_bot(gateway, tmp_path, pause=0.02, tempo=replace(HURRIED, call_s=1.0)) as house:
        for number, trouble in enumerate(("qps", "busy", "reset", "drop", stall(30, applying=True)), 1):
            place = gateway.add_group(f"群 {number}", [user(gateway, "u1")])
            gateway.fault("card_create_and_deliver", nth=1, action=trouble)
            await finished(house, await ask(house, place))
            assert len(gateway.cards) == number, trouble
            gateway.clear_faults()


async def test_f9_a_card_that_nobody_confirms_is_written_on_as_if_it_were_there(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """It is, and would look unfinished for ever."""
    gateway.fault("card_create_and_deliver", action="drop")
    async with a_bot(gateway, tmp_path) as house:
        await finished(house, await ask(house, group))


# Text that streams: F10


_FRAMES: list[dict[str, Any]] = [
    {"every": 2, "action": "qps"},
    {"every": 2, "nth": 2, "action": "unknown_error"},
    {"every": 2, "action": "drop"},
    {"every": 2, "action": "reset"},
    {"every": 3, "action": "html"},
    {"delay": 0.5},
    {"nth": 2, "action": "too_large"},
]


async def test_f10_whatever_frames_meet_the_answer_grows_and_is_whole_in_the_end(
    gateway: Gateway, tmp_path: Path
) -> None:
    """One frame at a time, none shorter than the one before, no more than the rate allows, and one that is the last."""
    async with a_bot(gateway, tmp_path, pause=0.05) as house:
        for number, trouble in enumerate(_FRAMES):
            place = gateway.add_group(f"群 {number}", [user(gateway, "u1")])
            fault = gateway.fault("card_streaming", **trouble)
            card = await finished(house, await ask(house, place, f"退货期限是几天？第 {number} 次问"))
            assert fault.done, trouble
            assert grew(card), trouble
            assert sum(frame.final for frame in card.frames) == 1, trouble
            gateway.clear_faults()
    assert gateway.changed.most_at_once("card_streaming") == 1
    assert not [call for call in gateway.calls if call.throttled and not call.fault]


async def test_f10_an_answer_whose_card_takes_no_end_stands_below_it(gateway: Gateway, tmp_path: Path) -> None:
    """And the card is ended as soon as it can be."""
    async with a_bot(gateway, tmp_path, pause=0.06, tempo=QUICK) as house:
        for number, trouble in enumerate(("too_large", "unknown_error", "reset")):
            place = gateway.add_group(f"群 {number}", [user(gateway, "u1")])
            push = await ask(house, place, f"退货期限是几天？第 {number} 次问")
            card = await growing(house, push)
            gateway.fault("card_streaming", action=trouble)
            assert (await ended(house, push)).state == "unclosed", trouble
            await said_below(house, place, push)
            assert card.state == "FAILED", trouble
            assert (await ended(house, push)).state == "done", trouble


async def test_f10_a_card_that_cannot_be_ended_is_tried_less_and_less_often(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """Each try costs calls of the month."""
    async with a_bot(gateway, tmp_path, pause=0.06, tempo=QUICK) as house:
        push = await ask(house, group)
        await growing(house, push)
        fault = gateway.fault("card_streaming", action="unknown_error")
        assert (await ended(house, push)).state == "unclosed"
        tried = []
        for minute in range(16):
            before = fault.done
            await house.bot.recovery.sweep(at=1e9 + minute * 60)
            tried += [minute] if fault.done > before else []
        assert tried == [0, 1, 2, 4, 8]
        await said_below(house, group, push)


async def test_f10_an_end_that_was_shown_and_never_confirmed_is_left_as_it_is(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """The answer is said once more below: nobody could know. The card is not touched again."""
    async with a_bot(gateway, tmp_path, pause=0.06, tempo=QUICK) as house:
        push = await ask(house, group)
        card = await growing(house, push)
        gateway.fault("card_streaming", action="drop")
        await said_below(house, group, push)
        assert (card.state, card.content) == ("FINISHED", ANSWER)
    gateway.forgive("extra:")  # the card, and the message below it


# Buttons that are pressed: F11


async def test_f11_a_double_click_acts_once_and_everybody_else_is_left_out(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with a_bot(gateway, tmp_path) as house:
        first = await ask(house, group)
        card = await finished(house, first)
        await gateway.wait_for(lambda: card.values["show_regenerate"] == "true", LONG)
        for who in ("u2", "out1"):
            other = await gateway.push_card_action(card.id, user(gateway, who), "regenerate")
            await other.answered()
            assert other.response == {}
        clicks = [await gateway.push_card_action(card.id, user(gateway, "u1"), "regenerate") for _ in range(2)]
        for click in clicks:
            await click.answered()
        await gateway.wait_for(
            lambda: len(gateway.cards) == 2 and all(one.ended for one in gateway.cards.values()), LONG
        )
        assert (await ended(house, await ask(house, group, "/帮助"))).state == "done"  # what was queued came before
        assert len(gateway.cards) == 2
        assert card.values["show_regenerate"] == "false"
    first.answers = 2  # as was asked for


async def test_f11_only_who_asked_can_stop_an_answer(gateway: Gateway, group: Conversation, tmp_path: Path) -> None:
    async with a_bot(gateway, tmp_path, pause=0.3) as house:
        push = await ask(house, group)
        card = await growing(house, push)
        other = await gateway.push_card_action(card.id, user(gateway, "u2"), "stop")
        await other.answered()
        assert card.values["show_stop"] == "true"
        frames = len(card.frames)
        await gateway.wait_for(lambda: len(card.frames) > frames, LONG)
        stop = [await gateway.push_card_action(card.id, user(gateway, "u1"), "stop") for _ in range(2)]
        for click in stop:
            await click.answered()
        assert (await ended(house, push)).state == "done"
        assert card.state == "FINISHED"
        assert ANSWER.startswith(card.content)
        assert len(card.content) < len(ANSWER)


def database_of(data: Path) -> Path:
    (file,) = data.glob("*.db")
    return file


def ratings(data: Path) -> list[str]:
    with closing(sqlite3.connect(database_of(data))) as database:
        return [rating for (rating,) in database.execute("SELECT rating FROM feedback")]


async def test_f11_a_click_on_a_card_of_before_a_restart_is_acted_on(
    gateway: Gateway, group: Conversation, tmp_path: Path, redis: RedisServer
) -> None:
    async with a_bot(gateway, tmp_path, redis_url=redis.url) as house:
        card = await finished(house, await ask(house, group))
    async with a_bot(gateway, tmp_path, redis_url=redis.url) as house:
        click = await gateway.push_card_action(card.id, user(gateway, "u1"), "helpful")
        await click.answered()
        assert card.values["rated"]
        assert ratings(tmp_path) == ["up"]
        assert not click.late


async def test_f11_a_click_that_takes_long_is_answered_in_time_and_done_all_the_same(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    """The database is locked by somebody else for longer than DingTalk waits."""
    async with a_bot(gateway, tmp_path) as house:
        card = await finished(house, await ask(house, group))
        with closing(sqlite3.connect(database_of(tmp_path), isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            click = await gateway.push_card_action(card.id, user(gateway, "u1"), "helpful")
            await click.answered()
            assert click.response == {}
            assert not click.late
            await asyncio.sleep(1.2)  # more than two seconds in all
            somebody.execute("ROLLBACK")
        await gateway.wait_for(lambda: ratings(tmp_path) == ["up"], LONG)
