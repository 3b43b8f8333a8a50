"""Answers that people wrote, in the chat: given word for word, and said to be checked, on cards and in messages."""

from pathlib import Path

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from knowledge.curated_draft import CuratedDraft
from knowledge.models import DEFAULT_TENANT
from tests.bots.house import House, TypingModel, bot_of, take_in_returns
from tests.bots.test_conversation import QUESTION, asked, told

ANSWER = "签收后 30 天内可以退货。"


async def written(house: House) -> None:
    await take_in_returns(house)
    draft = CuratedDraft(QUESTION, ANSWER)
    await house.services.curation.create(DEFAULT_TENANT, draft, live=True, by="test", source={})


async def test_a_card_says_that_a_person_checked_the_answer(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await written(house)
        card = await asked(house, group)
        await gateway.wait_for(lambda: card.values["show_feedback"] == "true")
        assert card.content == ANSWER
        assert "人工核对" in card.values["notice"]


async def test_a_message_says_it_too(gateway: Gateway, group: Conversation, tmp_path: Path) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(), cards=False) as house:
        await written(house)
        text = await told(house, group, QUESTION)
        assert ANSWER in text
        assert "人工核对" in text
