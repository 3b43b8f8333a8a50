"""The sandbox's messages and files: webhooks, the send APIs, custom robots, uploads and downloads."""

import io
import json
from typing import Any

import aiohttp
import pytest

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.robots import sign, signed
from tests.dingtalk.plain_bot import PlainBot

_MARKDOWN = {"msgtype": "markdown", "markdown": {"title": "标题", "text": "@u1 好"}}


async def test_a_webhook_says_what_it_is_told_and_mentions_who_is_in_the_text(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    url = gateway.open_session(group)
    assert await bot.post(url, {**_MARKDOWN, "at": {"atUserIds": ["u1", "u2", None]}}) == (
        200,
        {"errcode": 0, "errmsg": "ok"},
    )
    (said,) = gateway.messages
    assert (said.way, said.kind, said.title, said.text, said.at) == ("webhook", "markdown", "标题", "@u1 好", ("u1",))
    assert gateway.warnings == ["webhook: null in atUserIds"]


async def test_a_webhook_is_good_for_ninety_minutes(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    url = gateway.open_session(group)
    gateway.clock.advance(5370)
    assert (await bot.post(url, _MARKDOWN))[1]["errcode"] == 0
    gateway.clock.advance(30)
    assert (await bot.post(url, _MARKDOWN))[1]["errcode"] == 300001
    assert (await bot.post("/robot/sendBySession?session=other", _MARKDOWN))[1]["errcode"] == 300001


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"msgtype": "image", "image": {"mediaId": "x"}}, 400105),
        ({"msgtype": "markdown", "markdown": {"text": "a"}}, 40035),
        ({"msgtype": "text", "text": {"content": "a" * 20_000}}, 460101),
    ],
)
async def test_webhooks_refuse(
    gateway: Gateway, bot: PlainBot, group: Conversation, body: dict[str, Any], errcode: int
) -> None:
    assert (await bot.post(gateway.open_session(group), body))[1]["errcode"] == errcode
    assert gateway.messages == []


async def test_a_message_goes_to_a_group(gateway: Gateway, bot: PlainBot, group: Conversation) -> None:
    body = {"robotCode": "cid", "openConversationId": group.id, "msgKey": "sampleImageMsg"}
    status, said = await bot.post(
        "/v1.0/robot/groupMessages/send", {**body, "msgParam": json.dumps({"photoURL": "@lA1"})}
    )
    assert (status, list(said)) == (200, ["processQueryKey"])
    assert [(message.kind, message.image) for message in gateway.messages] == [("image", "@lA1")]


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"robotCode": "other"}, "invalidParameter.robotCode.auth"),
        ({"openConversationId": "other"}, "invalid.openConversationId"),
        ({"msgKey": "sampleOther"}, "invalidParameter.msgKey.invalid"),
        ({"msgParam": "no json"}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": "{}"}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": json.dumps({"content": "长" * 5000}, ensure_ascii=False)}, "invalidParameter.msgParam.tooLong"),
    ],
)
async def test_the_send_api_refuses(
    gateway: Gateway, bot: PlainBot, group: Conversation, over: dict[str, str], code: str
) -> None:
    body = {"robotCode": "cid", "openConversationId": group.id, "msgKey": "sampleText", "msgParam": '{"content": "a"}'}
    status, said = await bot.post("/v1.0/robot/groupMessages/send", {**body, **over})
    assert (status, said["code"]) == (400, code)
    assert gateway.messages == []


async def test_people_who_got_nothing_are_listed_in_a_success(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    gateway.robots.flow_controlled.add("u2")
    body = {"robotCode": "cid", "msgKey": "sampleText", "msgParam": '{"content": "a"}'}
    _, said = await bot.post("/v1.0/robot/oToMessages/batchSend", {**body, "userIds": ["u1", "u2", "nobody", "out1"]})
    assert (said["invalidStaffIdList"], said["flowControlledStaffIdList"]) == (["nobody", "out1"], ["u2"])
    assert [message.conversation for message in gateway.messages] == [gateway.single(group.members[0])]
    status, said = await bot.post("/v1.0/robot/oToMessages/batchSend", {**body, "userIds": ["u1"] * 21})
    assert (status, said["code"]) == (400, "invalidParameter.userIds.overMax")


async def test_a_custom_robot_wants_its_signature_and_takes_a_message_once(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    url = gateway.add_robot(group, secret="SECret")
    assert (await bot.post(url, _MARKDOWN))[1]["errcode"] == 310000
    assert (await bot.post(signed(url, str(gateway.clock.ms() - 3_700_000), "SECret"), _MARKDOWN))[1][
        "errcode"
    ] == 310000
    good = signed(url, str(gateway.clock.ms()), "SECret")
    for _ in range(2):
        assert (await bot.post(good, {**_MARKDOWN, "msgUuid": "1"}))[1]["errcode"] == 0
    assert [message.way for message in gateway.messages] == ["robot"]


async def test_a_custom_robot_is_silenced_for_ten_minutes_after_twenty_messages_in_one(
    gateway: Gateway, bot: PlainBot, group: Conversation
) -> None:
    url = gateway.add_robot(group)
    codes = [(await bot.post(url, _MARKDOWN))[1]["errcode"] for _ in range(21)]
    assert codes == [0] * 20 + [410100]
    gateway.clock.advance(570)
    assert (await bot.post(url, _MARKDOWN))[1]["errcode"] == 410100
    gateway.clock.advance(31)
    assert (await bot.post(url, _MARKDOWN))[1]["errcode"] == 0


def test_the_signature_is_the_documents() -> None:
    assert sign("1577262236757", "this is a secret") == "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="


async def test_a_file_is_downloaded_by_its_code_while_that_lives(gateway: Gateway, bot: PlainBot) -> None:
    code = gateway.put_file(b"png", "a.png", "image/png")
    asked = {"robotCode": "cid", "downloadCode": code}
    _, body = await bot.post("/v1.0/robot/messageFiles/download", asked)
    async with bot.session.get(body["downloadUrl"]) as response:
        assert (await response.read(), response.content_type) == (b"png", "image/png")
    gateway.clock.advance(3600)
    async with bot.session.get(body["downloadUrl"]) as response:
        assert response.status == 403
    status, body = await bot.post("/v1.0/robot/messageFiles/download", {**asked, "downloadCode": "other"})
    assert (status, body["code"]) == (400, "invalidParameter.robotCode.downloadCode")


async def test_an_upload_becomes_a_media_id(gateway: Gateway, bot: PlainBot) -> None:
    async def upload(kind: str, data: bytes) -> Any:
        form = aiohttp.FormData({"type": kind})
        form.add_field("media", io.BytesIO(data), filename="a.jpg", content_type="image/jpeg")
        url = f"{gateway.url}/media/upload?access_token={await bot.token()}"
        async with bot.session.post(url, data=form) as response:
            return await response.json()

    media_id = (await upload("image", b"jpeg"))["media_id"]
    assert media_id.startswith("@")
    assert gateway.media.uploads[media_id].data == b"jpeg"
    assert (await upload("picture", b"jpeg"))["errcode"] == 40004
    assert (await upload("voice", bytes((2 << 20) + 1)))["errcode"] == 40009
