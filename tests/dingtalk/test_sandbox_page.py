"""The sandbox's page, without a browser: what cards are drawn from, what can go wrong, and what it says."""

import asyncio
import json
import logging
import re
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from aiohttp import ClientConnectionResetError
from aiohttp.web import StreamResponse

from bots.dingtalk import templates
from bots.dingtalk.cards import TEMPLATES
from bots.sandbox.gateway import Gateway
from bots.sandbox.page import view
from bots.sandbox.page.cast import cast, seat
from bots.sandbox.page.feed import Feed
from bots.sandbox.page.layouts import layout
from bots.sandbox.page.server import STATIC, Parts, running_page
from bots.sandbox.page.speech import Attached, Speaker, Speech
from bots.sandbox.page.troubles import TROUBLES, Troubles
from bots.sandbox.people import Conversation
from tests.dingtalk.plain_bot import PlainBot

TEXTS = json.loads((STATIC / "texts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_a_layout_shows_every_variable_and_button_of_its_template(name: str) -> None:
    parts = [part for parts in _layout(name).values() for part in parts]
    assert not [part for part in parts if part["kind"] == "unknown"]
    shown = set(re.findall(r"\$\{(\w+)\}", json.dumps(parts)))
    shown |= {part["variable"] for part in parts if part["kind"] == "markdown"}
    shown |= {each["variable"] for part in parts for each in part["when"]}
    assert set(TEMPLATES[name].variables) - shown <= {"percent"}  # which the bar in `stage` says
    buttons = [button for part in parts for button in part.get("buttons", ())]
    assert {button["action"] for button in buttons} == set(TEMPLATES[name].actions)


def test_an_answer_is_drawn_in_each_of_its_states() -> None:
    assert list(_layout("answer")) == ["PROCESSING", "INPUTING", "FINISHED", "FAILED"]
    assert list(_layout("job")) == ["*"]
    growing = [part for part in _layout("answer")["INPUTING"] if part["kind"] == "markdown"]
    assert [(part["variable"], part["streams"]) for part in growing] == [("content", True)]


@pytest.mark.parametrize("name", list(TROUBLES))
async def test_what_a_switch_does_is_undone(gateway: Gateway, name: str) -> None:
    troubles = Troubles(gateway)
    before = _switches(gateway)
    await troubles.switch(name, on=True)
    lasts = TROUBLES[name].lasts is not None
    assert troubles.on == ([name] if lasts else [])
    await troubles.switch(name, on=True)
    await troubles.reset()
    assert troubles.on == []
    assert _switches(gateway) == before


async def test_a_reply_brings_along_what_it_answers(gateway: Gateway, group: Conversation, bot: PlainBot) -> None:
    line = await bot.connect()
    speaker = Speaker(gateway)
    gateway.forgive("outcome:")  # nobody answers here
    await speaker.say(Speech(conversation=group.id, user="u1", text="运费谁出？"))
    first = await line.take()
    await speaker.say(Speech(conversation=group.id, user="u2", text="同问", quote=0))
    second = await line.take()
    assert second["text"]["content"] == " 同问"
    assert second["text"]["repliedMsg"]["content"] == {"text": "运费谁出？"}
    assert second["text"]["repliedMsg"]["msgId"] == first["msgId"]
    shown = view.items(gateway, speaker.quotes)
    assert shown["1"]["quote"] == {"number": 0, "user": "u1", "text": "运费谁出？"}


async def test_pictures_voice_and_files_are_sent_as_dingtalk_pushes_them(
    gateway: Gateway, group: Conversation, bot: PlainBot
) -> None:
    line = await bot.connect()
    single = gateway.single(gateway.people.users["u1"])
    picture = Attached(code=gateway.put_file(b"x", "a.png"), name="a.png")
    said = [
        Speech(conversation=group.id, user="u1", text="做一张白底图", pictures=[picture]),
        Speech(conversation=single.id, user="u1", pictures=[picture]),
        Speech(conversation=single.id, user="u1", text="几天可以退货", spoken=True),
        Speech(conversation=single.id, user="u1", file=picture),
    ]
    gateway.forgive("outcome:")  # nobody answers here
    found = []
    for speech in said:
        await Speaker(gateway).say(speech)
        found.append(await line.take())
    assert [message["msgtype"] for message in found] == ["richText", "picture", "audio", "file"]
    assert [part.get("text") for part in found[0]["content"]["richText"]] == ["做一张白底图", None]
    assert found[1]["content"]["downloadCode"] == picture.code
    assert found[2]["content"]["recognition"] == "几天可以退货"
    assert found[3]["content"]["fileName"] == "a.png"


async def test_a_feed_tells_everything_once_and_then_what_is_new(gateway: Gateway, group: Conversation) -> None:
    feed = Feed(lambda: {"people": view.people(gateway, cast())}, lambda: view.items(gateway, {}))
    assert feed.news() == {"people": view.people(gateway, cast())}
    assert feed.news() is None
    gateway.chat.say(group, "api", "markdown", "您好")
    news = feed.news()
    assert news is not None
    assert list(news) == ["items"]
    assert news["items"]["0"]["text"] == "您好"


def test_everybody_of_the_cast_has_a_seat() -> None:
    gateway = Gateway(client_id="a", client_secret="b", qps=1, monthly_calls=1, monthly_messages=1, seed=1)
    groups = seat(gateway, cast())
    assert [conversation.title for conversation in gateway.people.conversations.values()][:2] == list(groups)
    assert {one.name for one in gateway.people.users.values()} == {one.name for one in cast().people}
    assert [one.title for one in cast().groups if one.operators] == ["运营群"]


def test_the_page_has_words_for_all_it_says_in_both_languages() -> None:
    assert all(set(words) == {"zh", "en"} and all(words.values()) for words in TEXTS.values())
    used = {key for key in _keys() if not key.endswith(".")}
    used |= {f"trouble.{name}" for name in TROUBLES} | {f"area.{one.area}" for one in TROUBLES.values()}
    assert used <= set(TEXTS)
    for key, words in TEXTS.items():
        assert set(re.findall(r"\{\w+\}", words["zh"])) == set(re.findall(r"\{\w+\}", words["en"])), key


def _layout(name: str) -> dict[str, list[dict[str, object]]]:
    return layout(Path(templates.__file__).parent / f"{name}.json")  # type: ignore[return-value]


def _keys() -> set[str]:
    """Keys that the modules name outright."""
    texts = "".join(file.read_text(encoding="utf-8") for file in STATIC.glob("*.js"))
    return set(re.findall(r'\bt\("([\w.]+)"', texts))


def _switches(gateway: Gateway) -> tuple[object, ...]:
    limits = gateway.limits
    known = (limits.qps, limits.monthly_calls, limits.monthly_messages, gateway.streams.redelivery)
    return (*known, list(gateway.faults.active), gateway.server._site is not None)


async def test_a_page_that_is_left_while_it_is_told_something_leaves_no_trace(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_page(gateway, Parts(cast(), {}, STATIC)) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /api/events HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        await reader.readuntil(b"\n\n")
        gone = ClientConnectionResetError("Cannot write to closing transport")  # between the end and its being known
        monkeypatch.setattr(StreamResponse, "write", AsyncMock(side_effect=gone))
        gateway.limits.usage.calls += 1
        await reader.read()  # to its end
        writer.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
