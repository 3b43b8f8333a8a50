"""Clicks on cards: of answers, and of jobs."""

import asyncio
from pathlib import Path

from app.jobs.models import JobState
from app.jobs.runner import JobRunner
from bots.sandbox.cards import CardState
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push
from tests.bots.house import House, TypingModel, bot_of, ended_cards, take_in_returns, user
from tests.bots.pictures import PHOTO, WhiteBackground

QUESTION = "退货期限是几天？"


async def click(house: House, card: CardState, who: str, action: str, **params: str) -> Push:
    push = await house.gateway.push_card_action(card.id, user(house.gateway, who), action, params)
    await push.answered()
    assert push.response_ms is not None
    assert push.response_ms < 1500
    return push


async def answered(house: House, group: Conversation) -> CardState:
    await house.gateway.push_bot(group, user(house.gateway, "u1"), QUESTION)
    await house.gateway.wait_for(lambda: any(card.values["show_feedback"] == "true" for card in ended_cards(house)))
    return ended_cards(house)[-1]


async def picture_job(house: House, group: Conversation) -> CardState:
    """A picture and “做一张白底图” → the job's card, once the job is known."""
    code = house.gateway.put_file(PHOTO, "杯子.png")
    rich = {"richText": [{"type": "picture", "downloadCode": code}, {"text": "做一张白底图"}]}
    push = await house.gateway.push_bot(group, user(house.gateway, "u1"), msgtype="richText", content=rich)
    push.answers = 2  # a word about the job, and the job
    await house.gateway.wait_for(lambda: any(id_.startswith("job-") for id_ in house.gateway.cards))
    return next(card for id_, card in house.gateway.cards.items() if id_.startswith("job-"))


async def worked(house: House, card: CardState) -> None:
    """A worker does the job, and its end is brought."""
    await JobRunner(house.services.jobs, "worker").drain("image")
    await house.gateway.wait_for(lambda: card.values.get("show_review") == "true", 30)


async def test_a_rating_and_its_reason_are_kept(gateway: Gateway, group: Conversation, tmp_path: Path) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        card = await answered(house, group)
        await click(house, card, "u2", "not_helpful")
        assert (card.values["show_reasons"], card.values["show_feedback"]) == ("true", "false")
        await click(house, card, "u2", "reason", reason="outdated")
        assert "信息过时" in card.values["rated"]
        await click(house, card, "u1", "helpful")
        assert "谢谢" in card.values["rated"]


async def test_the_asker_stops_an_answer_and_nobody_else_does(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    model = TypingModel("一" * 400, pieces=200, pause=0.1)
    async with bot_of(gateway, tmp_path, model=model) as house:
        await take_in_returns(house)
        await gateway.push_bot(group, user(gateway, "u1"), QUESTION)
        await gateway.wait_for(lambda: any(card.frames for card in gateway.cards.values()))
        (card,) = gateway.cards.values()
        assert (await click(house, card, "u2", "stop")).response in ({}, None)
        await asyncio.sleep(0.3)
        assert not card.ended
        await click(house, card, "u1", "stop")
        await gateway.wait_for(lambda: card.ended)
        assert 0 < len(card.content) < 400
        await gateway.wait_for(lambda: "停止" in card.values["notice"])


async def test_another_answer_is_made_once_however_often_it_is_asked_for(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    model = TypingModel()
    async with bot_of(gateway, tmp_path, model=model) as house:
        await take_in_returns(house)
        card = await answered(house, group)
        assert (await click(house, card, "u2", "regenerate")).response in ({}, None)
        gateway.forgive("extra:")  # the second card is what was clicked for
        await click(house, card, "u1", "regenerate")
        await click(house, card, "u1", "regenerate")
        await gateway.wait_for(lambda: len(ended_cards(house)) == 2)
        await asyncio.sleep(0.5)
        assert len(gateway.cards) == len(model.asked) == 2


async def test_a_question_goes_to_people_and_their_reply_comes_back(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    operators = gateway.add_group("运营群", [user(gateway, "op1")])
    gateway.forgive("extra:")  # what is brought later answers no message
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        await house.role("op1", "admin")
        await gateway.push_bot(operators, user(gateway, "op1"), "/运营群")
        await gateway.wait_for(lambda: len(gateway.messages) == 1)
        card = await answered(house, group)
        await click(house, card, "u1", "ask_person")
        await click(house, card, "u1", "ask_person")
        await gateway.wait_for(lambda: len(gateway.messages) == 2)
        told = gateway.messages[1]
        assert told.conversation == operators
        assert all(part in told.text for part in ("#1", QUESTION, "张三", "7 天", "退换货规则.md"))
        assert card.values["show_ask_person"] == "false"
        quoted = {"isReplyMsg": True, "repliedMsg": {"msgId": "m", "content": {"text": told.text}}}
        await gateway.push_bot(operators, user(gateway, "op1"), "定制商品不能退。", content=quoted)
        await gateway.wait_for(lambda: any(m.conversation == group for m in gateway.messages))
        (reply,) = [message for message in gateway.messages if message.conversation == group]
        assert "定制商品不能退。" in reply.text
        assert reply.at == ("u1",)
        (proposed,) = await house.services.curation.answers.list("default", "proposed")
        assert (proposed.question, proposed.answer) == (QUESTION, "定制商品不能退。")


async def test_a_picture_in_a_group_becomes_a_card_that_is_judged_once_by_who_may(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, handlers=[WhiteBackground()]) as house:
        card = await picture_job(house, group)
        await worked(house, card)
        assert "![](" in card.values["pictures"]
        job_id = card.id.removeprefix("job-")
        assert (await click(house, card, "u2", "approve")).response in ({}, None)
        assert (await house.services.jobs.ledger.get("default", job_id)).review in (None, "pending")
        await house.role("op1", "operator")
        first, second = await asyncio.gather(click(house, card, "op1", "approve"), click(house, card, "op1", "approve"))
        assert first.response == second.response
        job = await house.services.jobs.ledger.get("default", job_id)
        assert (job.state, job.review) == (JobState.SUCCEEDED, "approved")
        assert "王运营" in card.values["review"]
        assert card.values["show_review"] == "false"


async def test_a_rejected_picture_says_why_and_can_be_made_again(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, handlers=[WhiteBackground()]) as house:
        card = await picture_job(house, group)
        await worked(house, card)
        await click(house, card, "u1", "reject")
        assert card.values["show_reasons"] == "true"
        await click(house, card, "u1", "reject_reason", reason="flaws")
        assert "有瑕疵" in card.values["review"]
        gateway.forgive("extra:")
        await asyncio.gather(click(house, card, "u1", "regenerate"), click(house, card, "u1", "regenerate"))
        await gateway.wait_for(lambda: sum(id_.startswith("job-") for id_ in gateway.cards) == 2)
        page, total = await house.services.jobs.ledger.page("default")
        assert total == 2
        assert {job.requester for job in page} == {page[0].requester}
