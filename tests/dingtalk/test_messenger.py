"""What people see of what is sent: by webhook, by API, as cards; and when the wire fails (F7, F9, F10)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bots.dingtalk.messenger import DingTalkMessenger
from bots.dingtalk.ports import Skipped
from bots.ports import BudgetSpent, Card, ChannelRefused, Picture
from bots.sandbox import faults
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from knowledge.errors import Unavailable
from tests.dingtalk.ours import FreeGovernor, calls, messenger_of, target_of, texts

PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def governor() -> FreeGovernor:
    return FreeGovernor()


@pytest.fixture
async def messenger(gateway: Gateway, governor: FreeGovernor) -> AsyncIterator[DingTalkMessenger]:
    async with messenger_of(gateway, governor) as ready:
        yield ready


async def test_an_answer_goes_by_the_webhook_of_its_question(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, governor: FreeGovernor
) -> None:
    sent = await messenger.say(target_of(gateway, group), "## 运费\n\n满 **99** 元免运费 [1]")
    assert (sent.way, sent.messages, sent.calls) == ("webhook", 1, 1)
    (message,) = gateway.messages
    assert (message.way, message.kind, message.title) == ("webhook", "markdown", "运费")
    assert message.text == "## 运费\n\n满 **99** 元免运费 [1]"
    assert governor.taken == [("webhook", "send")]


async def test_who_asked_is_notified_in_a_group(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    await messenger.say(target_of(gateway, group), "做好了", mention=True)
    (message,) = gateway.messages
    assert message.at == ("u1",)
    assert message.text == "@u1\n\n做好了"


async def test_nobody_is_notified_where_two_talk_or_who_has_no_account(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    single = gateway.single(gateway.people.users["u1"])
    await messenger.say(target_of(gateway, single), "做好了", mention=True)
    await messenger.say(target_of(gateway, group, account=None), "做好了", mention=True)
    assert texts(gateway) == ["做好了", "做好了"]
    assert gateway.warnings == []


@pytest.mark.parametrize("life", [None, 299.0])
async def test_without_a_webhook_that_lasts_the_api_is_used(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, life: float | None
) -> None:
    sent = await messenger.say(target_of(gateway, group, life=life), "你好")
    assert sent.way == "api"
    assert [(message.way, message.text) for message in gateway.messages] == [("api", "你好")]
    assert calls(gateway, "webhook") == 0


async def test_the_api_reaches_one_person_too(gateway: Gateway, messenger: DingTalkMessenger) -> None:
    single = gateway.single(gateway.people.users["u2"])
    await messenger.say(target_of(gateway, single, account="u2", life=None), "你好")
    (message,) = gateway.messages
    assert (message.conversation.id, message.text) == (single.id, "你好")


async def test_who_cannot_be_reached_is_an_error(gateway: Gateway, messenger: DingTalkMessenger) -> None:
    """200 with the person listed as unknown, 200 with the person listed as throttled, and nobody at all."""
    single = gateway.single(gateway.people.users["u2"])
    for account in ("nobody", None):
        with pytest.raises(ChannelRefused) as refused:
            await messenger.say(target_of(gateway, single, account=account, life=None), "你好")
        assert refused.value.error_code == "recipient_unknown"
    gateway.robots.flow_controlled.add("u2")
    with pytest.raises(Unavailable) as later:
        await messenger.say(target_of(gateway, single, account="u2", life=None), "你好")
    assert later.value.error_code == "channel_throttled"
    assert gateway.messages == []


@pytest.mark.parametrize("life", [5400.0, None])
async def test_a_long_answer_comes_in_parts_that_dingtalk_takes(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, life: float | None
) -> None:
    """Quotes and line ends are counted as JSON writes them: twice in a msgParam."""
    paragraphs = [f'{number}. "满减" \\ 路径 C:\\new\n{"货" * 300}' for number in range(80)]
    sent = await messenger.say(target_of(gateway, group, life=life), "\n\n".join(paragraphs))
    assert sent.messages == sent.calls == len(gateway.messages) > 3
    assert all(message.text for message in gateway.messages)
    seen = "".join("".join(texts(gateway)).split())
    assert seen == "".join("".join(paragraphs).split())


async def test_an_answer_is_never_empty(gateway: Gateway, group: Conversation, messenger: DingTalkMessenger) -> None:
    with pytest.raises(ChannelRefused):
        await messenger.say(target_of(gateway, group), "  \n")
    await messenger.say(target_of(gateway, group), "**  **")
    await messenger.say(target_of(gateway, group), "好", title="# 运费\n" + "长" * 30_000)
    assert [message.title for message in gateway.messages] == ["…", "运费"]


# --- F7: the webhook fails ---


@pytest.mark.parametrize(
    "action",
    [
        "session_gone",
        "too_fast",
        "too_long",
        faults.errcode(310000),
        faults.answer(500),
        faults.html(403),
        faults.html(200),
        faults.answer(200, {"status": 1111, "wait": 5, "source": "x5", "punish": "deny"}),
        429,
    ],
)
async def test_a_webhook_that_refuses_is_replaced_by_the_api(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, action: faults.Action | str | int
) -> None:
    gateway.fault("webhook", action=action)
    sent = await messenger.say(target_of(gateway, group), "只说一次")
    assert sent.way == "api"
    assert texts(gateway) == ["只说一次"]
    assert calls(gateway, "webhook") <= 2


async def test_a_webhook_that_fails_once_is_tried_again(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, governor: FreeGovernor
) -> None:
    gateway.fault("webhook", nth=1, action="busy")
    sent = await messenger.say(target_of(gateway, group), "只说一次")
    assert (sent.way, sent.calls) == ("webhook", 2)
    assert texts(gateway) == ["只说一次"]
    assert governor.count("webhook") == 2


async def test_a_session_that_ended_early_is_replaced_by_the_api(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    target = target_of(gateway, group)
    gateway.robots.sessions.clear()
    assert (await messenger.say(target, "只说一次")).way == "api"
    assert texts(gateway) == ["只说一次"]


@pytest.mark.parametrize("action", ["drop", "reset", 502, 504, "stall_after"])
@pytest.mark.parametrize("life", [5400.0, None])
async def test_what_may_have_been_shown_is_not_sent_again(
    gateway: Gateway, group: Conversation, action: str | int, life: float | None
) -> None:
    """Neither by the webhook nor by the API: one or none is better than two."""
    gateway.fault("webhook", action=action)
    gateway.fault("group_send", action=action)
    async with messenger_of(gateway, timeout_s=0.3) as messenger:
        with pytest.raises(Unavailable) as unknown:
            await messenger.say(target_of(gateway, group, life=life), "只说一次")
    assert unknown.value.error_code == "delivery_unknown"
    assert len(gateway.messages) <= 1
    assert calls(gateway, "webhook") + calls(gateway, "group_send") == 1


async def test_nobody_listening_is_a_failure_that_may_be_repeated(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    target = target_of(gateway, group)
    await gateway.refuse_connections()
    with pytest.raises(Unavailable) as away:
        await messenger.say(target, "只说一次")
    assert away.value.error_code == "channel_unavailable"
    await gateway.accept_connections()
    await messenger.say(target, "只说一次")
    assert texts(gateway) == ["只说一次"]


async def test_the_rest_of_a_long_answer_follows_by_api(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    gateway.fault("webhook", nth=2, count=9, action="session_gone")
    paragraphs = [f"第{number}段 " + "货" * 200 for number in range(60)]
    sent = await messenger.say(target_of(gateway, group), "\n\n".join(paragraphs), mention=True)
    assert sent.way == "api"
    ways = [message.way for message in gateway.messages]
    assert ways[0] == "webhook"
    assert set(ways[1:]) == {"api"}
    seen = "".join("".join(texts(gateway)).split())
    assert seen == "@u1" + "".join("".join(paragraphs).split())


async def test_half_an_answer_is_not_sent_from_the_beginning(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    gateway.fault("group_send", nth=2, count=9, action="busy")
    with pytest.raises(Unavailable) as half:
        await messenger.say(target_of(gateway, group, life=None), "\n\n".join(["货" * 200] * 60))
    assert half.value.error_code == "delivery_unknown"
    assert half.value.params["sent"] == 1 == len(gateway.messages)


async def test_content_that_dingtalk_does_not_want_is_not_tried_another_way(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    gateway.fault("webhook", action=faults.errcode(430101))
    with pytest.raises(ChannelRefused) as refused:
        await messenger.say(target_of(gateway, group), "…")
    assert refused.value.error_code == "content_refused"
    assert calls(gateway, "group_send") == 0


async def test_a_webhook_that_leads_elsewhere_is_not_called(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    target = target_of(gateway, group)
    elsewhere = type(target).of({**target.json(), "webhook": "http://192.0.2.1/robot/sendBySession?session=1"})
    assert (await messenger.say(elsewhere, "你好")).way == "api"


async def test_people_from_outside_are_reached_by_webhook_or_not_at_all(
    gateway: Gateway, messenger: DingTalkMessenger
) -> None:
    """The failure is the webhook's own, and it was given a fair chance."""
    single = gateway.single(gateway.people.users["u1"])
    gateway.fault("webhook", nth=1, count=3, action="busy")
    await messenger.say(target_of(gateway, single, account=None), "你好")
    gateway.fault("webhook", action="busy")
    with pytest.raises(Unavailable) as later:
        await messenger.say(target_of(gateway, single, account=None), "再说")
    assert later.value.error_code == "channel_unavailable"
    assert texts(gateway) == ["你好"]


async def test_no_webhook_messages_left_leaves_the_api_and_no_calls_left_leaves_nothing(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, governor: FreeGovernor
) -> None:
    governor.spent.add("webhook")
    assert (await messenger.say(target_of(gateway, group), "你好")).way == "api"
    governor.spent.add("group_send")
    with pytest.raises(BudgetSpent):
        await messenger.say(target_of(gateway, group), "你好")
    governor.spent.clear()
    gateway.fault("webhook", action=faults.errcode(90020))
    gateway.fault("group_send", action="month")
    with pytest.raises(BudgetSpent):
        await messenger.say(target_of(gateway, group), "你好")
    assert texts(gateway) == ["你好"]


async def test_a_refusal_for_the_rate_is_told_and_the_call_made_later(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, governor: FreeGovernor
) -> None:
    gateway.fault("group_send", nth=1, count=2, action="qps")
    await messenger.say(target_of(gateway, group, life=None), "只说一次")
    assert governor.backed_off == {"group_send": 2}
    assert texts(gateway) == ["只说一次"]


# --- pictures ---


async def test_a_picture_is_uploaded_and_shown_by_webhook(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, governor: FreeGovernor
) -> None:
    sent = await messenger.show(target_of(gateway, group), [Picture("杯子.png", "image/png", PIXEL)], caption="白底图")
    ((media_id, file),) = gateway.media.uploads.items()
    assert file.data == PIXEL
    assert texts(gateway) == [f"白底图\n\n![]({media_id})"]
    assert (sent.way, sent.messages, sent.calls) == ("webhook", 1, 2)


async def test_pictures_go_one_by_one_by_the_api(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    pictures = [Picture("a", "image/png", PIXEL), Picture("b", link="https://copilot.example/b.png")]
    sent = await messenger.show(target_of(gateway, group, life=None), pictures, caption="两张")
    (media_id,) = gateway.media.uploads
    shown = [(message.kind, message.image or message.text) for message in gateway.messages]
    assert shown == [("markdown", "两张"), ("image", media_id), ("image", "https://copilot.example/b.png")]
    assert (sent.way, sent.messages, sent.calls) == ("api", 3, 4)


async def test_a_picture_whose_webhook_is_gone_goes_by_the_api(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    gateway.fault("webhook", action="session_gone")
    await messenger.show(target_of(gateway, group), [Picture("a", "image/png", PIXEL)])
    assert [message.kind for message in gateway.messages] == ["image"]


async def test_a_picture_that_is_too_large_is_refused_before_it_is_sent(
    gateway: Gateway, messenger: DingTalkMessenger
) -> None:
    with pytest.raises(ChannelRefused) as refused:
        await messenger.upload(Picture("a", "image/png", bytes((20 << 20) + 1)))
    assert refused.value.error_code == "too_large"
    assert calls(gateway, "upload") == 0


async def test_a_picture_with_a_link_needs_no_upload(messenger: DingTalkMessenger) -> None:
    assert await messenger.upload(Picture("a", link="https://copilot.example/a.png")) == "https://copilot.example/a.png"


async def test_what_somebody_sent_is_fetched_within_its_limit(gateway: Gateway, messenger: DingTalkMessenger) -> None:
    code = gateway.put_file(PIXEL, "a.png")
    assert await messenger.download(code, limit=len(PIXEL)) == PIXEL
    with pytest.raises(ChannelRefused) as refused:
        await messenger.download(code, limit=len(PIXEL) - 1)
    assert refused.value.error_code == "too_large"
    gateway.clock.advance(90_000)
    with pytest.raises(ChannelRefused) as refused:
        await messenger.download(code, limit=1 << 20)
    assert refused.value.error_code == "download_expired"


async def test_a_download_is_tried_again(gateway: Gateway, messenger: DingTalkMessenger) -> None:
    gateway.fault("file", nth=1, action="reset")
    gateway.fault("download", nth=1, action="busy")
    assert await messenger.download(gateway.put_file(PIXEL, "a.png"), limit=1 << 20) == PIXEL


# --- cards: F9, F10 as far as they are the wire's ---


def card(card_id: str = "card-1", **values: str) -> Card:
    return Card(card_id, "answer", {"content": "正在查找…", **values}, preview="张三的问题")


@pytest.mark.parametrize("kind", ["group", "single"])
async def test_a_card_is_opened_streamed_and_closed(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, governor: FreeGovernor, kind: str
) -> None:
    where = group if kind == "group" else gateway.single(gateway.people.users["u1"])
    await messenger.open_card(target_of(gateway, where), card(status="查找"))
    await messenger.frame("card-1", "满 99 元")
    await messenger.frame("card-1", "满 99 元免运费", final=True)
    shown = gateway.cards["card-1"]
    assert shown.space is where
    assert (shown.state, shown.content, shown.values["status"]) == ("FINISHED", "满 99 元免运费", "查找")
    assert [frame.content for frame in shown.frames] == ["满 99 元", "满 99 元免运费"]
    purposes = [("card_create", "open"), ("card_stream", "frame"), ("card_stream", "final")]
    assert governor.taken == purposes


async def test_a_card_that_failed_says_so(gateway: Gateway, group: Conversation, messenger: DingTalkMessenger) -> None:
    await messenger.open_card(target_of(gateway, group), card())
    await messenger.frame("card-1", "出错了", failed=True)
    assert (gateway.cards["card-1"].state, gateway.cards["card-1"].content) == ("FAILED", "出错了")


async def test_a_frame_is_never_empty(gateway: Gateway, group: Conversation, messenger: DingTalkMessenger) -> None:
    await messenger.open_card(target_of(gateway, group), card())
    await messenger.frame("card-1", " ")
    assert calls(gateway, "card_streaming") == 0
    await messenger.frame("card-1", "", final=True)
    assert gateway.cards["card-1"].state == "FINISHED"


async def test_values_are_changed_and_the_others_stay(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    await messenger.open_card(target_of(gateway, group), card(status="查找"))
    await messenger.update_card("card-1", {"status": "完成"})
    await messenger.frame("card-1", "好", final=True)
    assert gateway.cards["card-1"].values == {"content": "好", "status": "完成"}


async def test_opening_a_card_twice_shows_one(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    """After a timeout nobody knows whether it is there; the second call finds it, and that is success."""
    gateway.fault("card_create_and_deliver", nth=1, action="drop")
    await messenger.open_card(target_of(gateway, group), card())
    await messenger.open_card(target_of(gateway, group), card())
    assert len(gateway.visible(group)) == 1
    await messenger.frame("card-1", "好", final=True)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("scope", "permission_missing"),
        ("unpublished", "template_unusable"),
        ("undelivered", "card_not_delivered"),
    ],
)
async def test_a_card_that_is_refused_is_not_tried_again(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, action: str, code: str
) -> None:
    gateway.fault("card_create_and_deliver", action=action)
    with pytest.raises(ChannelRefused) as refused:
        await messenger.open_card(target_of(gateway, group), card())
    assert refused.value.error_code == code
    assert calls(gateway, "card_create_and_deliver") == 1


async def test_a_card_without_a_template_is_refused_without_a_call(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    assert messenger.templates == {"answer"}
    with pytest.raises(ChannelRefused):
        await messenger.open_card(target_of(gateway, group), Card("card-1", "job"))
    assert gateway.calls == []


async def test_frames_in_between_are_not_worth_a_second_try(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, governor: FreeGovernor
) -> None:
    await messenger.open_card(target_of(gateway, group), card())
    gateway.fault("card_streaming", nth=1, action="qps")
    with pytest.raises(Unavailable):
        await messenger.frame("card-1", "满")
    assert calls(gateway, "card_streaming") == 1
    assert governor.backed_off == {"card_stream": 1}
    governor.busy.add("card_stream")
    with pytest.raises(Skipped):
        await messenger.frame("card-1", "满 99")
    await messenger.frame("card-1", "满 99 元", final=True)
    assert gateway.cards["card-1"].content == "满 99 元"


@pytest.mark.parametrize("action", ["qps", "busy", "unknown_error", "drop", "reset", "auth"])
async def test_the_last_frame_is_tried_until_it_is_there(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger, action: str
) -> None:
    await messenger.open_card(target_of(gateway, group), card())
    gateway.fault("card_streaming", nth=1, count=4, action=action)
    await messenger.frame("card-1", "满 99 元免运费", final=True)
    shown = gateway.cards["card-1"]
    assert (shown.state, shown.content) == ("FINISHED", "满 99 元免运费")
    assert len({frame.guid for frame in shown.frames}) == len(shown.frames) == 1


async def test_a_last_frame_that_never_arrives_is_an_error(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    gateway.forgive("open:")
    await messenger.open_card(target_of(gateway, group), card())
    gateway.fault("card_streaming", action="busy")
    with pytest.raises(Unavailable):
        await messenger.frame("card-1", "满", final=True)
    gateway.clear_faults()
    gateway.fault("card_streaming", action="too_large")
    with pytest.raises(ChannelRefused) as refused:
        await messenger.frame("card-1", "满", final=True)
    assert refused.value.error_code == "too_large"


async def test_ten_answers_wait_for_one_another_no_longer_than_they_must(
    gateway: Gateway, group: Conversation, messenger: DingTalkMessenger
) -> None:
    """One connection each, and none is in another's way."""
    gateway.fault("webhook", delay=0.3, action="slow")
    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(messenger.say(target_of(gateway, group), f"回答 {number}"))
    assert gateway.journal.most_at_once("webhook") > 5
    assert len(gateway.messages) == 10
