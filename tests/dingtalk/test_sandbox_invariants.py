"""What the sandbox finds wrong at the end: nothing to see for a message, too much of it, cards left open."""

import json

import pytest

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from tests.dingtalk.plain_bot import Line, PlainBot


@pytest.fixture
async def line(bot: PlainBot) -> Line:
    return await bot.connect()


async def _ask(gateway: Gateway, line: Line, group: Conversation, text: str = "问") -> str:
    """The webhook that came with a question."""
    push = await gateway.push_bot(group, group.members[0], text)
    webhook: str = (await line.take())["sessionWebhook"]
    await push.answered()
    return webhook


def _text(words: str) -> dict[str, object]:
    return {"msgtype": "text", "text": {"content": words}}


async def test_a_message_without_an_answer_is_found(gateway: Gateway, line: Line, group: Conversation) -> None:
    await _ask(gateway, line, group)
    assert gateway.check(outcomes=False) == []
    assert "has nothing to see for it" in gateway.check()[0]
    gateway.forgive("outcome:")


async def test_an_answer_may_have_several_parts(
    gateway: Gateway, bot: PlainBot, line: Line, group: Conversation
) -> None:
    webhook = await _ask(gateway, line, group)
    for part in ("一", "二"):
        await bot.post(webhook, _text(part))
    assert gateway.check() == []


async def test_the_same_answer_twice_is_found(gateway: Gateway, bot: PlainBot, line: Line, group: Conversation) -> None:
    webhook = await _ask(gateway, line, group)
    for _ in range(2):
        await bot.post(webhook, _text("一"))
    assert gateway.check() == ["extra: 2 answers for 1 in 测试群: text '一', text '一'"]
    gateway.forgive("extra:")


async def test_the_rest_of_an_answer_may_come_by_api_and_its_beginning_may_not(
    gateway: Gateway, bot: PlainBot, line: Line, group: Conversation
) -> None:
    def by_api(words: str) -> dict[str, str]:
        where = {"robotCode": "cid", "openConversationId": group.id, "msgKey": "sampleText"}
        return {**where, "msgParam": json.dumps({"content": words})}

    await bot.post(await _ask(gateway, line, group), _text("一"))
    await bot.post("/v1.0/robot/groupMessages/send", by_api("二"))
    assert gateway.check() == []
    await bot.post(await _ask(gateway, line, group), _text("一"))
    await bot.post("/v1.0/robot/groupMessages/send", by_api("一"))
    assert gateway.check()[0].startswith("extra: 3 answers for 2")
    gateway.forgive("extra:")


async def test_a_card_and_a_message_for_one_question_is_one_too_many_unless_the_card_failed(
    gateway: Gateway, bot: PlainBot, line: Line, group: Conversation
) -> None:
    webhook = await _ask(gateway, line, group)
    await bot.card("T1", group)
    await bot.post(webhook, _text("一"))
    assert [what.split(":")[0] for what in gateway.check()] == ["open", "extra"]
    await bot.frame("T1", "没写完，见下一条", guid="1", isError=True)
    assert gateway.check() == []


async def test_work_may_promise_more_than_one_answer(
    gateway: Gateway, bot: PlainBot, line: Line, group: Conversation
) -> None:
    await bot.post(await _ask(gateway, line, group), _text("在做了"))
    await bot.card("J1", group, template="job", cardData={"cardParamMap": {}})
    assert gateway.check()[0].startswith("extra: 2 answers for 1")
    gateway.pushes[0].answers = 2
    assert gateway.check() == []


async def test_cards_answer_in_turn(gateway: Gateway, bot: PlainBot, line: Line, group: Conversation) -> None:
    for number in range(3):
        await _ask(gateway, line, group, str(number))
    for number in range(2):
        await bot.card(f"T{number}", group)
        await bot.frame(f"T{number}", "好", guid="1", final=True)
    assert len(gateway.check()) == 1
    gateway.forgive("outcome:")


async def test_a_push_that_nobody_acknowledged_is_found(gateway: Gateway, line: Line, group: Conversation) -> None:
    await gateway.push_bot(group, group.members[0], "问")
    await line.frame()
    assert "was never acknowledged" in gateway.check()[0]
    gateway.forgive("ack:")


async def test_slow_acknowledgements_are_found(gateway: Gateway, line: Line, group: Conversation) -> None:
    await gateway.push_event("org_dept_create", {})
    gateway.pushes[0].deliveries[0].sent_at = (gateway.pushes[0].deliveries[0].sent_at or 0) - 1.1
    await line.take()
    await gateway.pushes[0].answered()
    assert gateway.check()[0].startswith("slow: ")
    gateway.forgive("slow:")


async def test_it_tells_what_must_be_in_no_log(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    await bot.open()
    gateway.open_session(group)
    assert {"sec", await bot.token()} < gateway.secrets()
    assert len(gateway.secrets()) == 4
