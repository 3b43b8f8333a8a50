"""Messages to the bot, and what people see of them."""

from pathlib import Path

import pytest

from bots.sandbox.cards import CardState
from bots.sandbox.faults import Action, refuse
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from tests.bots.house import House, TypingModel, bot_of, ended_cards, take_in_returns, user

QUESTION = "退货期限是几天？"


async def asked(
    house: House, group: Conversation, text: str = QUESTION, who: str = "u1", **message: object
) -> CardState:
    """Ask, and wait for the card's end."""
    before = set(house.gateway.cards)
    await house.gateway.push_bot(group, user(house.gateway, who), text, **message)  # type: ignore[arg-type]
    await house.gateway.wait_for(lambda: any(card.id not in before and card.ended for card in ended_cards(house)))
    return next(card for card in house.gateway.cards.values() if card.id not in before)


async def told(house: House, place: Conversation, text: str, who: str = "u1", **message: object) -> str:
    """Say something that is answered with a message; → it."""
    before = len(house.gateway.messages)
    await house.gateway.push_bot(place, user(house.gateway, who), text, **message)  # type: ignore[arg-type]
    await house.gateway.wait_for(lambda: len(house.gateway.messages) > before)
    return house.gateway.messages[-1].text


async def test_an_answer_grows_on_a_card_and_ends_with_its_sources(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    model = TypingModel("签收后 7 天内可以退货 [1]。", pause=0.15)
    async with bot_of(gateway, tmp_path, model=model) as house:
        await take_in_returns(house)
        card = await asked(house, group)
        await gateway.wait_for(lambda: card.values["show_feedback"] == "true")
        assert card.state == "FINISHED"
        assert card.content == "签收后 7 天内可以退货 [1]。"
        assert len(card.frames) >= 3
        assert all(card.content.startswith(frame.content.rstrip("…")) for frame in card.frames)
        assert "退换货规则.md" in card.values["sources"]
        assert card.values["show_stop"] == "false"
        assert not gateway.messages


async def test_without_a_template_the_answer_is_a_message_to_who_asked(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(), cards=False) as house:
        await take_in_returns(house)
        text = await told(house, group, QUESTION)
        assert "7 天内可以退货" in text
        assert "退换货规则.md" in text
        assert gateway.messages[-1].at == ("u1",)
        assert gateway.messages[-1].way == "webhook"


async def test_a_group_is_answered_from_what_it_was_bound_to(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        await house.services.knowledge.ensure("default", "内部资料")
        assert "运营" in await told(house, group, "/绑定 内部资料", "u1")
        await house.role("op1", "operator")
        assert "内部资料" in await told(house, group, "/绑定 内部资料", "op1")
        card = await asked(house, group)
        assert "7 天" not in card.content
        assert "没有这个知识库" in await told(house, group, "/绑定 没有的", "op1")
        await told(house, group, "/解绑", "op1")
        assert "7 天" in (await asked(house, group, "退货期限是几天呢？")).content


async def test_people_from_outside_are_answered_only_where_a_group_is_open_to_them(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        assert "还没有开放" in await told(house, group, QUESTION, "out1")
        await house.role("op1", "operator")
        await told(house, group, "/bind shop", "op1")
        assert "7 天" in (await asked(house, group, who="out1")).content
        assert "只能问答" in (await asked(house, group, "/图 白底", "out1")).content
        alone = gateway.single(user(gateway, "out1"))
        assert "请在群里" in await told(house, alone, QUESTION, "out1")


async def test_two_people_from_outside_with_one_name_have_conversations_of_their_own(
    gateway: Gateway, tmp_path: Path
) -> None:
    twin = gateway.add_user("out2", user(gateway, "out1").name, external=True)
    group = gateway.add_group("双胞胎", [user(gateway, "op1"), user(gateway, "out1"), twin])
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        await house.role("op1", "operator")
        await told(house, group, "/bind shop", "op1")
        cards = [await asked(house, group, who=who) for who in ("out1", "out2", "out1")]
        one, other, again = [await house.conversation_of(card) for card in cards]
        assert one == again
        assert one != other


async def test_what_is_no_text_is_answered_kindly(gateway: Gateway, group: Conversation, tmp_path: Path) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        single = gateway.single(user(gateway, "u1"))
        assert "视频" in await told(house, single, "", msgtype="video", content={"duration": 3, "downloadCode": "x"})
        sound = {"duration": 3000, "downloadCode": "x", "recognition": QUESTION}
        await gateway.push_bot(single, user(gateway, "u1"), msgtype="audio", content=sound)
        await gateway.wait_for(lambda: ended_cards(house))
        assert "7 天" in ended_cards(house)[0].content


async def test_a_file_is_offered_to_operators_and_taken_in(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path) as house:
        code = gateway.put_file("# 运费\n\n满 99 元包邮。".encode(), "运费.md", "text/markdown")
        file = {"downloadCode": code, "fileName": "运费.md"}
        single = gateway.single(user(gateway, "u1"))
        assert "运营同事" in await told(house, single, "", msgtype="file", content=file)
        await house.role("op1", "operator")
        single = gateway.single(user(gateway, "op1"))
        assert "/入库" in await told(house, single, "", "op1", msgtype="file", content=file)
        assert "已收下" in await told(house, single, "/入库 运费规则", "op1")
        catalog = house.services.knowledge.catalog
        (document,), _ = await catalog.documents(await catalog.knowledge_base("default", "运费规则"))
        assert document.name == "运费.md"
        assert "没有" in await told(house, single, "/入库 运费规则", "op1")


async def test_a_follow_up_knows_what_was_said_until_a_new_topic(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    model = TypingModel()
    async with bot_of(gateway, tmp_path, model=model) as house:
        await take_in_returns(house)
        first = await asked(house, group)
        await asked(house, group, "那换货呢？")
        await told(house, group, "/新对话")
        await asked(house, group, "退款时效多久？")
        await asked(house, group, QUESTION, "u2")
        conversations = [await house.conversation_of(card) for card in gateway.cards.values()]
        assert conversations[0] == conversations[1]
        assert len(set(conversations)) == 3
        assert first.state == "FINISHED"


async def test_a_quoted_message_is_part_of_the_question(gateway: Gateway, group: Conversation, tmp_path: Path) -> None:
    model = TypingModel()
    async with bot_of(gateway, tmp_path, model=model) as house:
        await take_in_returns(house)
        quoted = {
            "isReplyMsg": True,
            "repliedMsg": {"msgId": "m0", "msgType": "text", "content": {"text": "签收后退货"}},
        }
        await gateway.push_bot(group, user(gateway, "u1"), "几天之内？", content=quoted)
        await gateway.wait_for(lambda: ended_cards(house))
        assert "签收后退货" in model.asked[-1]


@pytest.mark.parametrize("failing", ["card_create_and_deliver", "card_streaming"])
async def test_what_cannot_be_shown_on_a_card_comes_as_a_message(
    gateway: Gateway, group: Conversation, tmp_path: Path, failing: str
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        gateway.fault(failing, action=_refused())
        assert "7 天" in await told(house, group, QUESTION)
        gateway.clear_faults()
        await house.bot.recovery.sweep()
        assert all(card.ended for card in gateway.cards.values())


async def test_a_message_that_failed_with_its_card_open_leaves_no_card_half_way(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    gateway.forgive("answer")  # the card and the message below it
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        house.bot.answering.finish = _tripping  # type: ignore[method-assign]
        assert "出了点问题" in await told(house, group, QUESTION)
        await house.until(lambda reply: reply.state == "unclosed")
        await house.bot.recovery.sweep()
        (card,) = gateway.cards.values()
        assert card.ended
        assert "下面" in card.content


async def _tripping(*_: object, **__: object) -> None:
    raise KeyError("a defect")


async def test_what_could_not_be_said_at_all_is_said_with_the_next_message(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(), cards=False) as house:
        await take_in_returns(house)
        for route in ("webhook", "group_send"):
            gateway.fault(route, action=_refused())
        push = await gateway.push_bot(group, user(gateway, "u1"), QUESTION)
        await house.until(lambda reply: reply.state == "stored")
        gateway.clear_faults()
        gateway.forgive(push.msg_id, "extra:")
        await gateway.push_bot(group, user(gateway, "u1"), "/帮助")
        await gateway.wait_for(lambda: len(gateway.messages) == 2)
        assert "没能送达" in gateway.messages[0].text
        assert "7 天" in gateway.messages[0].text
        assert "/图" in gateway.messages[1].text


def _refused() -> Action:
    return refuse(403, "Forbidden.AccessDenied.AccessTokenPermissionDenied")
