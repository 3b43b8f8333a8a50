"""The sandbox's cards: what may be created, delivered, streamed and changed, and what a click does."""

from typing import Any

import pytest

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from tests.dingtalk.plain_bot import PlainBot


async def test_a_card_streams_to_its_end(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    _, body = await bot.card("T1", group)
    assert body["result"]["deliverResults"][0]["success"]
    card = gateway.cards["T1"]
    assert (card.state, card.content, card.space) == ("PROCESSING", "…", group)
    assert await bot.frame("T1", "七天", guid="1") == (200, {"success": True, "result": True})
    assert card.state == "INPUTING"
    await bot.frame("T1", "七天退货", guid="2", final=True)
    assert (card.state, card.content) == ("FINISHED", "七天退货")
    assert gateway.visible(group) == [card]


async def test_a_failed_card_ends_too(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    await bot.card("T1", group)
    await bot.frame("T1", "出错了", guid="1", isError=True)
    assert gateway.cards["T1"].state == "FAILED"


async def test_the_same_guid_twice_has_one_effect(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    await bot.card("T1", group)
    for _ in range(2):
        assert (await bot.frame("T1", "好", guid="1", final=True))[0] == 200
    assert len(gateway.cards["T1"].frames) == 1


async def test_a_frame_after_the_end_breaks_a_rule(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    await bot.card("T1", group)
    await bot.frame("T1", "好", guid="1", final=True)
    assert (await bot.frame("T1", "好的", guid="2"))[0] == 500
    gateway.cards_api.refuses_after_end = False
    assert (await bot.frame("T1", "好的", guid="3"))[0] == 200
    assert gateway.cards["T1"].content == "好"
    assert len(gateway.check()) == 2
    gateway.forgive("frame:")


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"key": ""}, "param.stream.keyEmpty"),
        ({"key": "other"}, "param.stream.key"),
        ({"content": ""}, "param.stream.contentEmpty"),
        ({"guid": ""}, "param.stream.guidEmpty"),
        ({"outTrackId": "other"}, "param.stream.outTrackId"),
        ({"isFull": False}, "param.stream.isFull"),
        ({"content": "长" * 20_001}, "param.stream.content"),
    ],
)
async def test_frames_are_refused(
    gateway: Gateway, bot: PlainBot, group: Conversation, over: dict[str, Any], code: str
) -> None:
    await bot.card("T1", group)
    status, body = await bot.frame("T1", "好", **{"guid": "1", **over})
    assert (status, body["code"]) == (400, code)
    assert gateway.cards["T1"].frames == []
    gateway.forgive("open: card T1 is left PROCESSING")


async def test_a_text_of_more_than_3000_characters_is_taken_and_shown_as_nothing(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    await bot.card("T1", group)
    assert (await bot.frame("T1", "长" * 3001, guid="1", final=True))[0] == 200
    assert gateway.cards["T1"].rendered_blank
    assert "blank: card T1" in gateway.check()[0]
    gateway.forgive("blank:")


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"cardTemplateId": "other"}, "param.templateNotExist"),
        ({"openSpaceId": "dtv1.card//IM_ELSEWHERE.x"}, "param.openSpaceIdInvalid"),
        ({"openSpaceId": ""}, "param.openSpaceIdInvalid"),
        ({"imGroupOpenDeliverModel": None}, "param.openDeliverModelEmpty"),
    ],
)
async def test_cards_are_refused(
    gateway: Gateway, bot: PlainBot, group: Conversation, over: dict[str, Any], code: str
) -> None:
    status, body = await bot.card("T1", group, **over)
    assert (status, body["code"]) == (400, code)
    assert gateway.cards == {}


async def test_a_card_is_created_once(bot: PlainBot, gateway: Gateway, group: Conversation) -> None:
    await bot.card("T1", group, template="job", cardData={"cardParamMap": {}})
    status, body = await bot.card("T1", group, template="job", cardData={"cardParamMap": {}})
    assert (status, body["code"]) == (400, "param.cardAlreadyExist")


async def test_values_are_strings_and_of_the_templates_variables(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    status, _ = await bot.card("T1", group, cardData={"cardParamMap": {"sources": [1]}})
    assert status == 400
    assert "body: card_create_and_deliver: cardData.cardParamMap.sources" in gateway.violations[0]
    await bot.card("T2", group, cardData={"cardParamMap": {"other": "x", "sources": "[1"}})
    assert [what.split(": ")[2] for what in gateway.violations[1:]] == [
        "it has no variable other",
        "sources is json, not '[1'",
    ]
    gateway.forgive("body:", "card:", "open:")


async def test_a_space_that_is_not_there_is_a_success_with_a_failure_in_it(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    gateway.cards_api.undeliverable.add(group.id)
    for name, space in (("T1", f"IM_GROUP.{group.id}"), ("T2", "IM_ROBOT.nobody"), ("T3", "IM_ROBOT.out1")):
        status, body = await bot.card(name, group, openSpaceId=f"dtv1.card//{space}")
        assert status == 200
        assert not body["result"]["deliverResults"][0]["success"]
    assert gateway.visible(group) == []


async def test_an_update_replaces_all_values_unless_it_goes_by_key(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    await bot.card("T1", group)
    await bot.frame("T1", "好", guid="1", final=True)
    by_key = {"cardUpdateOptions": {"updateCardDataByKey": True}}
    changed = {"outTrackId": "T1", "cardData": {"cardParamMap": {"status": "ok"}}}
    await bot.put("/v1.0/card/instances", {**changed, **by_key})
    assert gateway.cards["T1"].values == {"content": "好", "status": "ok"}
    await bot.put("/v1.0/card/instances", changed)
    assert gateway.cards["T1"].values == {"status": "ok"}
    assert [change.by_key for change in gateway.cards["T1"].updates] == [True, False]
    status, body = await bot.put("/v1.0/card/instances", {**changed, "outTrackId": "other"})
    assert (status, body["code"]) == (400, "param.cardNotExist")


async def test_a_card_that_does_not_stream_has_nothing_to_end(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    single = gateway.single(group.members[0])
    await bot.card("J1", single, template="job", cardData={"cardParamMap": {"percent": "10"}})
    assert (gateway.cards["J1"].state, gateway.cards["J1"].space) == ("FINISHED", single)


async def test_the_answer_to_a_click_changes_the_card_and_the_clickers_view(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    line = await bot.connect()
    await bot.card("T1", group)
    await bot.frame("T1", "好", guid="1", final=True)
    click = await gateway.push_card_action("T1", group.members[1], "up", {"action": "up"})
    frame = await line.frame()
    response = {
        "cardUpdateOptions": {"updateCardDataByKey": True, "updatePrivateDataByKey": True},
        "cardData": {"cardParamMap": {"status": "ok"}},
        "userPrivateData": {"cardParamMap": {"status": "mine"}},
    }
    await line.acknowledge(frame, response)
    await click.answered()
    card = gateway.cards["T1"]
    assert (card.values["status"], card.content) == ("ok", "好")
    assert card.seen_by("u2")["status"] == "mine"
    assert card.seen_by("u1")["status"] == "ok"
    assert click.response == response


async def test_a_click_that_is_answered_after_two_seconds_changes_nothing(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    line = await bot.connect()
    await bot.card("J1", group, template="job", cardData={"cardParamMap": {"percent": "1"}})
    click = await gateway.push_card_action("J1", group.members[1], "up")
    frame = await line.frame()
    click.deliveries[0].sent_at = (click.deliveries[0].sent_at or 0) - 2.1
    await line.acknowledge(frame, {"cardData": {"cardParamMap": {"percent": "2"}}})
    await click.answered()
    assert click.late
    assert gateway.cards["J1"].values == {"percent": "1"}
    gateway.forgive("callback:")


async def test_an_answer_to_a_click_that_is_none_is_written_down(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    line = await bot.connect()
    await bot.card("J1", group, template="job", cardData={"cardParamMap": {}})
    click = await gateway.push_card_action("J1", group.members[1], "up")
    await line.acknowledge(await line.frame(), {"cardData": {"cardParamMap": {"percent": 2}}})
    await click.answered()
    assert "callback: the answer to a click on card J1: cardData.cardParamMap.percent" in gateway.violations[0]
    gateway.forgive("callback:")


async def test_a_card_that_was_made_without_callbacks_cannot_be_clicked(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    await bot.card("J1", group, template="job", cardData={"cardParamMap": {}}, callbackType=None)
    with pytest.raises(LookupError):
        await gateway.push_card_action("J1", group.members[1], "up")
