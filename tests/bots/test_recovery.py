"""Answers that nobody works on any more are closed, and those of another process are left alone."""

import asyncio
from datetime import timedelta
from pathlib import Path

from app.channels.replies import Reply
from app.chat.running import RunningTurns
from bots.answering import Answering
from bots.dingtalk.cards import answer_opening
from bots.dingtalk.messenger import DingTalkMessenger
from bots.envelope import reply_id
from bots.messages import Target
from bots.people import CHANNEL
from bots.ports import Card
from bots.recovery import Recovery
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import CORP, Conversation
from tests.bots.house import House, TypingModel, bot_of, ended_cards, take_in_returns, user


async def swept_by_another_process(house: House) -> int:
    """It has the same inbox and database, writes none of these answers, and waits for nothing."""
    messenger = DingTalkMessenger(house.wire.client, house.wire.governor, templates={"answer": "answer.schema"})
    replies = house.services.replies
    async with asyncio.TaskGroup() as tasks:
        turns = RunningTurns(house.services.chat, tasks)
        answering = Answering(messenger, turns, replies, link=lambda _: None, on_job=_no_job)
        recovery = Recovery(replies, house.wire.inbox, answering, messenger, forgotten=timedelta(0))
        return await recovery.sweep()


async def _no_job(*_: object) -> None: ...


async def test_an_answer_that_another_process_writes_is_left_alone_however_old(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(pieces=10, pause=0.2)) as house:
        await take_in_returns(house)
        await gateway.push_bot(group, user(gateway, "u1"), "退货期限是几天？")
        await gateway.wait_for(lambda: any(card.frames for card in gateway.cards.values()), 30)
        assert await swept_by_another_process(house) == 0
        await gateway.wait_for(lambda: ended_cards(house), 30)
        assert "7 天" in ended_cards(house)[0].content


async def test_a_card_that_was_begun_to_grow_gets_its_buttons_when_another_process_ends_it_at_once(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(), dingtalk_streaming=False) as house:
        await take_in_returns(house)
        begun = reply_id(gateway.client_id, "m1")
        target = Target("group", group.id, CORP, "u1", "张三")
        row = Reply(begun, "default", CHANNEL, "answer", "here", target.json(), "stream", "normal", card_id=begun)
        await house.services.replies.open(row)
        messenger = DingTalkMessenger(house.wire.client, house.wire.governor, templates={"answer": "answer.schema"})
        await messenger.open_card(target, Card(begun, "answer", answer_opening("zh")))
        await gateway.push_bot(group, user(gateway, "u1"), "退货期限是几天？", msg_id="m1")
        await gateway.wait_for(lambda: gateway.cards[begun].values["show_feedback"] == "true", 30)
        assert gateway.cards[begun].values["show_stop"] == "false"
        gateway.forgive("outcome:")  # its card is older than it


async def test_an_answer_that_the_inbox_knows_nothing_of_ends_with_a_note(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path) as house:
        target = Target("group", group.id, CORP, "u1", "张三").json()
        left = Reply("f" * 32, "default", CHANNEL, "answer", "here", target, "markdown", "load")
        await house.services.replies.open(left)
        assert await swept_by_another_process(house) == 1
        assert "中途断开" in gateway.messages[0].text
        assert await swept_by_another_process(house) == 0
