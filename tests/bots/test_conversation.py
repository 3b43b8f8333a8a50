"""Messages to the bot, and what people see of them."""

from pathlib import Path

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from tests.bots.house import TypingModel, bot_of

pytest_plugins = ["tests.dingtalk.conftest"]


async def test_a_question_is_answered_on_a_card_that_ends(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    model = TypingModel("签收后 7 天内可以退货。", pause=0.05)
    async with bot_of(gateway, tmp_path, model=model):
        push = await gateway.push_bot(group, gateway.people.users["u1"], "怎么退货？")
        await gateway.wait_for(lambda: any(card.state == "FINISHED" for card in gateway.cards.values()))
        (card,) = gateway.cards.values()
        print(card)
        assert push.ack_ms < 1000
