"""Who is who, and what that lets them do: strangers, people from outside, administrators."""

from pathlib import Path

from app.identity.users import Role
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import CORP, Conversation
from tests.bots.house import TypingModel, bot_of, ended_cards, take_in_returns, user
from tests.bots.pictures import PHOTO, WhiteBackground
from tests.bots.test_actions import click, worked
from tests.bots.test_conversation import QUESTION, asked, told


async def test_an_organisation_that_is_not_set_up_is_told_so_and_stops_nobody_else(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel(), dingtalk_corps={CORP: "default"}) as house:
        await take_in_returns(house)
        stranger = {"chatbotCorpId": "dingElsewhere", "senderCorpId": "dingElsewhere"}
        assert "还没有开通" in await told(house, group, QUESTION, "u2", **stranger)
        assert "7 天" in (await asked(house, group)).content
        assert await house.services.users.find("dingtalk", "dingElsewhere", "u2") is None


async def test_a_tenant_that_only_the_settings_name_is_made(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, dingtalk_corps={CORP: "fresh"}) as house:
        assert "/图" in await told(house, group, "/帮助")
        assert [member.user.name for member in await house.services.users.list("fresh")] == ["张三"]


async def test_asking_for_another_answer_changes_nobodys_role_or_name(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        push = await gateway.push_bot(group, user(gateway, "u1"), QUESTION, isAdmin=True)
        await house.until(lambda reply: reply.kind == "answer" and reply.state == "done")
        (card,) = ended_cards(house)
        gateway.forgive("extra:")
        await house.role("op1", "operator")
        await click(house, card, "op1", "regenerate")
        await gateway.wait_for(lambda: len(ended_cards(house)) == 2)
        asker = await house.services.users.find("dingtalk", CORP, "u1")
        assert asker is not None
        assert (asker.name, asker.role) == ("张三", Role.ADMIN)
        assert push.answers


async def test_who_has_an_account_elsewhere_is_not_taken_for_who_has_it_here(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        await house.role("op1", "operator")
        await told(house, group, "/bind shop", "op1")
        card = await asked(house, group, who="u2", senderCorpId="dingElsewhere")
        await house.until(lambda reply: reply.kind == "answer" and reply.state == "done")
        gateway.forgive("extra:")
        assert (await click(house, card, "u2", "regenerate")).response in ({}, None)
        await click(house, card, "op1", "regenerate")
        await gateway.wait_for(lambda: len(ended_cards(house)) == 2)
        assert await house.services.users.find("dingtalk", CORP, "u2") is None


async def test_another_answer_uses_what_the_group_is_bound_to_by_then(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        card = await asked(house, group)
        assert "7 天" in card.content
        await house.until(lambda reply: reply.kind == "answer" and reply.state == "done")
        await house.services.knowledge.ensure("default", "对外 资料")
        await house.role("op1", "operator")
        assert "对外 资料" in await told(house, group, "/绑定 对外 资料", "op1")
        gateway.forgive("extra:")
        await click(house, card, "u1", "regenerate")
        await gateway.wait_for(lambda: len(ended_cards(house)) == 2)
        assert "7 天" not in ended_cards(house)[-1].content


async def test_work_that_is_asked_for_again_comes_to_the_chat_too(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, handlers=[WhiteBackground()]) as house:
        code = gateway.put_file(PHOTO, "杯子.png")
        rich = {"richText": [{"type": "picture", "downloadCode": code}, {"text": "做一张白底图"}]}
        push = await gateway.push_bot(group, user(gateway, "u1"), msgtype="richText", content=rich)
        push.answers = 2
        answer = await house.until(lambda reply: reply.kind == "answer" and reply.state == "done")
        gateway.forgive("extra:")
        await click(house, gateway.cards[answer.id], "u1", "regenerate")
        await gateway.wait_for(lambda: sum(id_.startswith("job-") for id_ in gateway.cards) == 2, 30)
        for card in [card for id_, card in gateway.cards.items() if id_.startswith("job-")]:
            await worked(house, card)


async def test_only_administrators_name_the_group_that_questions_go_to(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path) as house:
        await house.role("op1", "operator")
        assert "只有管理员" in await told(house, group, "/运营群", "op1")


async def test_a_number_in_a_quoted_message_makes_no_reply_of_what_is_said_about_it(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await take_in_returns(house)
        await house.role("op1", "admin")
        await told(house, group, "/运营群", "op1")
        quoted = {"isReplyMsg": True, "repliedMsg": {"msgId": "m", "content": {"text": "订单 #1 的退货"}}}
        card = await asked(house, group, QUESTION, "op1", content=quoted)
        assert "7 天" in card.content


async def test_a_quoted_file_is_taken_in_and_a_quote_is_no_part_of_a_command(
    gateway: Gateway, group: Conversation, tmp_path: Path
) -> None:
    async with bot_of(gateway, tmp_path, model=TypingModel()) as house:
        await house.role("op1", "operator")
        code = gateway.put_file("# 运费\n\n满 99 元包邮。".encode(), "运费.md", "text/markdown")
        file = {"msgId": "f", "msgType": "file", "content": {"downloadCode": code, "fileName": "运费.md"}}
        said = await told(house, group, "/入库 运费规则", "op1", content={"isReplyMsg": True, "repliedMsg": file})
        assert "已收下" in said
        words = {"msgId": "m", "msgType": "text", "content": {"text": "签收后退货"}}
        card = await asked(house, group, "/没有的", content={"isReplyMsg": True, "repliedMsg": words})
        assert "签收后退货" not in card.content
