"""A bot that is killed, ended, doubled, or loses its Redis at the worst moments: each message is answered, and once."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest

from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push, Redelivery
from tests.bots.pictures import PHOTO
from tests.e2e.bots import ANSWERED, LONG, Scene, scene

AGAIN_SECONDS = 30  # an inbox's lease is 10, a start takes 2, the answer 4; a busy machine takes longer for all of it
FIVE_SECONDS = 5.0

pytestmark = [pytest.mark.processes, pytest.mark.timeout(400)]


def group(scene: Scene) -> Conversation:
    return next(one for one in scene.gateway.people.conversations.values() if one.kind == "group")


async def test_an_answer_that_its_bot_died_of_is_finished_on_its_card_and_the_next_comes_after_it(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, pieces=20, pause=0.15) as here:
        one, other = (here.gateway.people.users[name] for name in ("u1", "u2"))
        (bot,) = await here.start()
        first = await here.ask(group(here), one)
        behind = await here.ask(group(here), other, "退款要几天？")
        await here.growing(first)
        await here.kill(bot)
        killed = time.monotonic()
        await here.start()
        card, next_card = await here.answered(first, behind)
        assert time.monotonic() - killed < 2 * AGAIN_SECONDS
        assert [card.state, next_card.state] == ["FINISHED"] * 2
        assert card.content == next_card.content == ANSWERED
        assert card.frames[-1].time - card.created < AGAIN_SECONDS
        assert next_card.created >= card.frames[-1].time
        assert list(here.gateway.cards) == [card.id, next_card.id]
        assert here.said_in(group(here)) == []


async def test_what_was_shown_when_its_bot_died_is_not_shown_again(tmp_path: Path) -> None:
    """On a card whose last frame had come, and in a message that was being sent."""
    async with scene(tmp_path, pieces=2, call_s=20.0) as here:
        one, other = (here.gateway.people.users[name] for name in ("u1", "u2"))
        alone = here.gateway.single(other)
        here.gateway.cards_api.undeliverable.add(alone.id)
        here.gateway.fault("card_update", action="stall")
        here.gateway.fault("webhook", action="stall_after")
        (bot,) = await here.start()
        on_card, in_message = await here.ask(group(here), one), await here.ask(alone, other)
        await here.gateway.wait_for(lambda: (card := here.card(on_card)) and card.ended, LONG)
        await here.gateway.wait_for(lambda: here.said_in(alone), LONG)
        await here.kill(bot)
        here.gateway.clear_faults()
        await here.start()
        (card,) = await here.answered(on_card)
        await here.ask(alone, other, "退款要几天？")
        await here.gateway.wait_for(lambda: len(here.said_in(alone)) == 3, LONG)
        assert card.state == "FINISHED"
        assert sum(frame.final for frame in card.frames) == 1
        assert [ANSWERED in message.text for message in here.said_in(alone)] == [True, False, True]
        assert "可能没有送达" in here.said_in(alone)[1].text
        assert {message.answers for message in here.said_in(alone)} >= {in_message.msg_id}
        assert here.said_in(group(here)) == []
        await here.all_ended()


async def test_a_bot_that_is_told_to_end_leaves_no_card_open(tmp_path: Path) -> None:
    async with scene(tmp_path, pieces=60, pause=0.2) as here:
        one = here.gateway.people.users["u1"]
        (bot,) = await here.start()
        push = await here.ask(group(here), one)
        card = await here.growing(push)
        began = time.monotonic()
        assert await here.end(bot) == 0
        assert time.monotonic() - began < FIVE_SECONDS
        assert card.state == "FAILED" or card.ended
        assert "重启" in card.content
        assert ANSWERED.startswith(card.content.partition("\n")[0].rstrip("…"))
        assert await here.half_way() == []
        ended = len(card.frames)
        await here.start()
        again = await here.ask(group(here), here.gateway.people.users["u2"])
        await here.growing(again)
        assert len(card.frames) == ended
        assert len(here.gateway.cards) == 2
        await here.end(here.alive[0])


async def test_a_redis_that_comes_back_has_lost_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, pieces=15, pause=0.2) as here:
        one, other = (here.gateway.people.users[name] for name in ("u1", "u2"))
        alone = here.gateway.single(other)
        await here.start()
        before = [await here.ask(group(here), one), await here.ask(alone, other), await here.ask(group(here), other)]
        await here.growing(before[0])
        await here.growing(before[1])
        await here.written_to_its_file()
        here.redis.kill()
        patient = Redelivery(after=16, times=5, new_message_id=True)
        meanwhile = [await here.ask(alone, other, "运费谁出？", redeliver=patient)]
        await asyncio.sleep(2)
        here.redis.start()
        after = [await here.ask(group(here), one, "退款要几天？")]
        pushes = [*before, *meanwhile, *after]
        here.gateway.forgive("slow:")  # nobody acknowledges what cannot be kept
        cards = await here.answered(*pushes)
        assert [card.content for card in cards] == [ANSWERED] * len(pushes)
        assert len(here.gateway.cards) == len(pushes)
        assert here.gateway.messages == []


async def test_an_answer_comes_to_its_end_though_redis_forgot_all_about_it(tmp_path: Path) -> None:
    async with scene(tmp_path, pieces=30, pause=0.2) as here:
        one = here.gateway.people.users["u1"]
        await here.start()
        push = await here.ask(group(here), one)
        card = await here.growing(push)
        here.redis.kill()
        here.redis.forget()
        here.redis.start()
        await here.answered(push)
        assert card.content == ANSWERED
        await here.ask(group(here), one, msg_id=push.msg_id)  # brought once more: the inbox does not remember it
        later = await here.ask(group(here), one, "退款要几天？")
        await here.answered(later)
        assert sum(frame.final for frame in card.frames) == 1
        assert len(here.gateway.cards) == 2


async def test_two_bots_share_the_messages_and_one_takes_over_when_the_other_dies(tmp_path: Path) -> None:
    async with scene(tmp_path, pieces=3, pause=0.15) as here:
        places = [here.gateway.add_group(f"群{number}", here.gateway.people.users.values()) for number in range(6)]
        users = list(here.gateway.people.users.values())
        bots = await here.start("bot", "bot")
        twice = Redelivery.duplicate(0.3, new_message_id=True, other_connection=True)
        asked: list[tuple[Conversation, Push]] = []
        for number in range(60):
            place = places[number % 6]
            push = await here.ask(place, users[number % 2], f"第 {number} 问：退货几天？", redeliver=twice)
            await push.answered(LONG)  # two connections have no order among themselves
            asked.append((place, push))
        await here.gateway.wait_for(lambda: sum(card.ended for card in here.gateway.cards.values()) >= 20, LONG)
        await here.kill(bots[0])
        await here.answered(*(push for _, push in asked))
        assert len(here.gateway.cards) == 60
        assert here.gateway.messages == []
        for place in places:
            cards = [here.card(push) for there, push in asked if there is place]
            ended = [next(frame.time for frame in card.frames if frame.final) for card in cards if card]
            begun = [card.created for card in cards if card]
            assert all(end <= begin for end, begin in zip(ended, begun[1:], strict=False))
            assert all(earlier < later for earlier, later in pairwise(begun))
        await here.all_ended()


async def test_a_picture_that_was_ready_when_the_bot_died_is_brought_once(tmp_path: Path) -> None:
    """One was being brought, the other was made while there was no bot."""
    async with scene(tmp_path, job_s=1.0, call_s=20.0) as here:
        one, other = (here.gateway.people.users[name] for name in ("u1", "u2"))
        _, bot = await here.start("worker", "bot")
        fault = here.gateway.fault("upload", action="stall_after")
        await ask_for_picture(here, here.gateway.single(one), one)
        await here.gateway.wait_for(lambda: fault.done, LONG)
        await ask_for_picture(here, here.gateway.single(other), other)
        await here.kill(bot)
        here.gateway.clear_faults()
        await asyncio.sleep(2)
        await here.start()
        await here.gateway.wait_for(lambda: len(shown := job_cards(here)) == 2 and all(shown), LONG)
        assert here.gateway.messages == []
        await here.all_ended()


async def ask_for_picture(here: Scene, place: Conversation, who: object) -> None:
    """→ when its job's card is there."""
    cards = len(job_cards(here))
    code = here.gateway.put_file(PHOTO, "photo.png")
    rich = {"richText": [{"text": "/图 白底"}, {"type": "picture", "downloadCode": code}]}
    push = await here.gateway.push_bot(place, who, msgtype="richText", content=rich)  # type: ignore[arg-type]
    push.answers = 2  # what was begun, and what came of it
    await here.gateway.wait_for(lambda: len(job_cards(here)) == cards + 1, LONG)


def job_cards(here: Scene) -> list[bool]:
    """Of each, whether it shows its picture: one update brought it."""
    cards = [card for card in here.gateway.cards.values() if card.id.startswith("job-")]
    return [sum("@" in "".join(change.values.values()) for change in card.updates) == 1 for card in cards]
