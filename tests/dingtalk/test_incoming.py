"""Everything that DingTalk pushes, in our words, and the rubbish that must not stop us (F6)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.dingtalk.incoming import action_of, incoming_of
from bots.messages import CardAction, Incoming, IncomingFile, Sender, Target
from knowledge.errors import InvalidInput

WEBHOOK = "http://127.0.0.1:1/robot/sendBySession?session=s"


def message(**over: Any) -> dict[str, Any]:
    """A text in a group; None takes a field out."""
    whole = {
        "msgId": "msgA==",
        "msgtype": "text",
        "text": {"content": " 运费多少？ "},
        "conversationType": "2",
        "conversationId": "cidB==",
        "conversationTitle": "门店群",
        "isInAtList": True,
        "atUsers": [{"dingtalkId": "$:LWCP_v1:$b"}],
        "senderId": "$:LWCP_v1:$a",
        "senderStaffId": "u1",
        "senderNick": "张三",
        "senderCorpId": "dingC",
        "isAdmin": True,
        "chatbotCorpId": "dingC",
        "robotCode": "cid",
        "createAt": 1690362101894,
        "sessionWebhook": WEBHOOK,
        "sessionWebhookExpiredTime": 1690367502152,
        **over,
    }
    return {name: value for name, value in whole.items() if value is not None}


def read(**over: Any) -> Incoming:
    return incoming_of(message(**over), robot="robot")


def content(kind: str, **body: Any) -> Incoming:
    return read(msgtype=kind, text=None, content=body)


def test_a_question_in_a_group() -> None:
    assert read() == Incoming(
        id="msgA==",
        robot="cid",
        target=Target(
            kind="group",
            conversation="cidB==",
            organisation="dingC",
            account="u1",
            name="张三",
            webhook=WEBHOOK,
            webhook_until=1690367502152,
            message_id="msgA==",
        ),
        sender=Sender("张三", "dingC", "u1", admin=True),
        text="运费多少？",
        title="门店群",
        sent_at=datetime(2023, 7, 26, 9, 1, 41, 894000, tzinfo=UTC),
    )


def test_a_question_in_a_single_chat() -> None:
    single = read(conversationType="1", conversationTitle=None)
    assert (single.target.kind, single.title) == ("single", "")


def test_a_mention_without_words_is_readable_and_empty() -> None:
    assert (read(text={"content": " "}).text, read(text={"content": " "}).unreadable) == ("", None)


def test_words_and_pictures_of_a_rich_text() -> None:
    rich = content(
        "richText",
        richText=[
            {"text": "把"},
            {"text": "这两张"},
            {"type": "picture", "downloadCode": "D1", "pictureDownloadCode": "P1"},
            {"text": "\n做成白底图 "},
            {"type": "picture", "pictureDownloadCode": "P2"},
            "rubbish",
        ],
    )
    assert rich.text == "把这两张\n做成白底图"
    assert rich.pictures == ("D1", "P2")


def test_a_picture_a_file_and_a_spoken_message() -> None:
    assert content("picture", downloadCode="D").pictures == ("D",)
    sheet = content("file", fileName="价目表.xlsx", downloadCode="D", spaceId="1", fileId="2")
    assert sheet.files == (IncomingFile("D", "价目表.xlsx"),)
    assert content("audio", duration=3000, downloadCode="D", recognition="运费多少 ").text == "运费多少"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("video", {"duration": 1, "videoType": "mp4", "downloadCode": "D"}),
        ("audio", {"duration": 1, "downloadCode": "D"}),
        ("unknownMsgType", {"unknownMsgType": "card"}),
        ("interactiveCard", {}),
        ("chatRecord", {"summary": "…"}),
        ("picture", {}),
        ("file", {"fileName": "a.pdf"}),
        ("richText", {"richText": "no list"}),
    ],
)
def test_what_we_cannot_read_is_named(kind: str, body: dict[str, Any]) -> None:
    assert content(kind, **body).unreadable == kind


def test_a_text_without_text_and_a_message_without_a_type_are_unreadable() -> None:
    assert read(text=None).unreadable == "text"
    assert read(text="no object").unreadable == "text"
    assert read(text={"content": 5}).unreadable == "text"
    assert read(msgtype=None).unreadable == "unknown"


@pytest.mark.parametrize("code", ["20001", 20001])
def test_a_spent_quota_is_told_apart(code: str | int) -> None:
    spent = read(text=None, errorCode=code, errorMessage="本月消息量已用尽")
    assert (spent.quota_spent, spent.text, spent.unreadable) == (True, "", None)


def test_people_from_outside_have_no_account_or_another_organisation() -> None:
    outside = read(senderStaffId=None, senderCorpId=None)
    assert outside.sender == Sender("张三", None, None, admin=True, external=True)
    assert (outside.target.account, outside.target.organisation) == (None, "dingC")
    assert read(senderCorpId="dingOther").sender.external
    assert not read(chatbotCorpId=None).sender.external
    assert not read(senderCorpId=None).sender.external


def test_what_is_replied_to_comes_along() -> None:
    replied = {"msgId": "q1", "msgType": "text", "senderId": "x", "createdAt": 1, "content": {"text": "包邮吗"}}
    reply = read(text={"content": "同问", "isReplyMsg": True, "repliedMsg": replied})
    assert (reply.text, reply.quoted, reply.quoted_id) == ("同问", "包邮吗", "q1")
    for words in ("包邮吗", '{"text": "包邮吗"}'):
        reply = read(text={"content": "同问", "isReplyMsg": True, "repliedMsg": {**replied, "content": words}})
        assert reply.quoted == "包邮吗"


def test_pictures_and_files_that_are_replied_to_come_along() -> None:
    def reply(kind: str, body: dict[str, Any]) -> Incoming:
        replied = {"msgId": "q1", "msgType": kind, "content": body}
        return read(text={"content": "做白底图", "isReplyMsg": True, "repliedMsg": replied})

    assert reply("picture", {"downloadCode": "D"}).pictures == ("D",)
    assert reply("file", {"downloadCode": "D", "fileName": "a.pdf"}).files == (IncomingFile("D", "a.pdf"),)
    rich = reply(
        "richText",
        {"richText": [{"msgType": "text", "content": "杯子"}, {"msgType": "picture", "downloadCode": "D"}]},
    )
    assert (rich.pictures, rich.quoted) == (("D",), "杯子")


def test_of_a_card_that_is_replied_to_there_is_only_an_id() -> None:
    replied = {"msgId": "q1", "msgType": "interactiveCard", "senderId": "x"}
    reply = read(text={"content": "不对", "isReplyMsg": True, "repliedMsg": replied})
    assert (reply.quoted, reply.quoted_id, reply.unreadable) == (None, "q1", None)


def test_older_forms_of_replies() -> None:
    legacy = read(quoteMessage={"msgId": "q1", "msgtype": "text", "text": {"content": "包邮吗"}})
    assert (legacy.quoted, legacy.quoted_id) == ("包邮吗", "q1")
    assert read(originalMsgId="q2").quoted_id == "q2"
    assert read(originalProcessQueryKey="k3").quoted_id == "k3"
    assert read().quoted_id is None


def test_a_webhook_without_an_end_is_trusted_as_long_as_all_of_them_live() -> None:
    assert read(sessionWebhookExpiredTime=None).target.webhook_until == 1690362101894 + 5_400_000
    assert read(sessionWebhook=None).target.webhook is None
    assert read(sessionWebhookExpiredTime="soon", createAt="now").target.webhook_until == 0


def test_what_no_database_can_hold_is_left_out() -> None:
    spoken = read(text={"content": "a\x00b\ud83d"}, senderNick="\ud800")
    assert (spoken.text, spoken.sender.name) == ("ab?", "?")


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {},
        message(msgId=None),
        message(msgId=""),
        message(conversationId=None),
        message(conversationType="3"),
        message(conversationType=None),
        message(conversationType={"no": "string"}),
    ],
)
def test_what_cannot_be_answered_is_refused(data: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        incoming_of(data, robot="robot")
    assert refused.value.error_code == "message_malformed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*message(), "content", "errorCode", "quoteMessage", "outTrackId", "userId", "corpId", "actionData"]
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, JSON))
def test_nothing_that_comes_is_an_error_of_ours(wrong: dict[str, Any]) -> None:
    for parse in (lambda data: incoming_of(data, robot="robot"), action_of):
        for data in (wrong, {**message(), **click(), **wrong}):
            try:
                parse(data)
            except InvalidInput:
                continue


# --- clicks ---


def click(**over: Any) -> dict[str, Any]:
    private = {"actionIds": ["b1"], "params": {"action": "accept", "turn": 7, "ok": True}}
    return {
        "type": "actionCallback",
        "outTrackId": "T1",
        "corpId": "dingC",
        "userId": "u1",
        "userIdType": 1,
        "spaceType": "IM_GROUP",
        "spaceId": "cidB==",
        "extension": "{}",
        "content": json.dumps({"cardPrivateData": private}),
        **over,
    }


CLICKED = CardAction("T1", "dingC", "u1", "accept", {"action": "accept", "turn": "7", "ok": "true"})
PARAMS = {"action": "accept", "turn": 7, "ok": True}


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"extension": ""},
        {"extension": None},
        {"content": {"cardPrivateData": {"params": PARAMS}}},
        {"content": json.dumps({"params": PARAMS})},
        {"content": "", "actionData": {"cardPrivateData": {"params": PARAMS}}},
        {"content": None, "actionData": json.dumps({"cardPrivateData": {"params": PARAMS}})},
    ],
)
def test_a_click_says_what_was_clicked_wherever_its_params_are(over: dict[str, Any]) -> None:
    assert action_of(click(**over)) == CLICKED


def test_a_button_without_params_is_known_by_its_id() -> None:
    bare = action_of(click(content=json.dumps({"cardPrivateData": {"actionIds": ["stop"]}})))
    assert (bare.action, bare.params) == ("stop", {})
    assert action_of(click(content="")).action == ""


@pytest.mark.parametrize("data", [None, [], {}, click(outTrackId=None), click(userId="")])
def test_a_click_of_nobody_or_on_nothing_is_refused(data: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        action_of(data)
    assert refused.value.error_code == "action_malformed"
