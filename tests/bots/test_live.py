"""The smoke script for a real DingTalk, made against ours: every step, with a person who is scripted."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from os import environ  # noqa: TID251 (a child inherits our environment)
from string import Formatter

import pytest

from app.settings import Settings
from bots.dingtalk.cards import ANSWER, JOB
from bots.live import report
from bots.live.report import Seen, rendered
from bots.live.showing import LOOKS
from bots.live.steps import STEPS, Smoke, Waits
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Redelivery
from tests.dingtalk.ours import client_of

TEXTS: Mapping[str, Mapping[str, str]] = report.TEXTS._texts
PROVOKED = ("ack:", "slow:", "blank:", "after it was FINISHED", "extra:")  # what the steps do wrong on purpose
WAITS = Waits(message=10, redelivery=2, pings=10, click=10, frame=0)


class Scripted:
    """Agrees to all but ``against``, says what is in ``answers``, and does what it is told in ``deeds``."""

    def __init__(self, *, against: frozenset[str] = frozenset()) -> None:
        self.against = against
        self.answers: dict[str, str] = {}
        self.deeds: dict[str, Callable[[], Awaitable[object]]] = {}
        self.asked: list[str] = []

    async def agree(self, key: str, question: str) -> bool:
        assert question
        self.asked.append(key)
        return key not in self.against

    async def ask(self, key: str, question: str) -> str:
        assert question
        return self.answers.get(key, "")

    async def tell(self, key: str, text: str) -> None:
        assert text
        if key in self.deeds:
            await self.deeds[key]()


@asynccontextmanager
async def smoke(
    gateway: Gateway, person: Scripted, *, waits: Waits = WAITS, secret: str | None = None
) -> AsyncIterator[Smoke]:
    settings = Settings(dingtalk_answer_template="a.schema", dingtalk_job_template="j.schema")
    async with client_of(gateway, secret=secret) as client:
        yield Smoke(settings, client, person, language="en", waits=waits)


def lines(seen: list[Seen], step: str) -> str:
    return "\n".join(next(one.lines for one in seen if one.step == step))


@pytest.fixture
def person(gateway: Gateway, group: Conversation) -> Scripted:
    """Somebody who writes in the group and presses the button, and a DingTalk that pings and pushes again."""
    gateway.register_template("a.schema", ANSWER.variables, ANSWER.streaming_key)
    gateway.register_template("j.schema", JOB.variables, JOB.streaming_key)
    user, scripted = gateway.people.users["u1"], Scripted()

    async def write(**over: object) -> None:
        await gateway.connected()
        await gateway.push_bot(group, user, "你好", wants_answer=False, **over)  # type: ignore[arg-type]

    async def write_unheard() -> None:
        await write(redeliver=Redelivery(after=60, times=2))

    async def time_passes() -> None:
        for _ in range(3):
            gateway.clock.advance(60)

    async def press() -> None:
        await gateway.push_card_action(next(reversed(gateway.cards)), user, "helpful")

    scripted.deeds = {
        "message.write": write,
        "redelivery.write": write_unheard,
        "redelivery.wait": time_passes,
        "card.click": press,
    }
    return scripted


async def test_every_step_is_made_and_says_what_it_saw(gateway: Gateway, person: Scripted) -> None:
    gateway.forgive(*PROVOKED)
    person.answers = {"safety.ask": "a harmless sentence", "month.ask": "123"}
    async with smoke(gateway, person) as live:
        seen = await live.run()
    assert all(one.made and one.lines for one in seen)
    assert "127.0.0.1" in lines(seen, "reach")
    assert "senderStaffId is there" in lines(seen, "message")
    assert "good for 90 minutes" in lines(seen, "message")
    assert lines(seen, "redelivery").count("the same as the frame's messageId") == 2
    assert re.search(r"[23] pings", lines(seen, "pings"))
    assert "takes the access token of v1.0" in lines(seen, "upload")
    assert lines(seen, "markdown").count("as it should be") == len(LOOKS)
    assert "outTrackId is the card's" in lines(seen, "answer_card")
    assert "unknownError" in lines(seen, "after_end")
    assert "3200 code points were taken" in lines(seen, "long_card")
    assert "the card has the picture" in lines(seen, "job_card")
    assert "10 throttled" in lines(seen, "rate")
    assert "card_update" in lines(seen, "month")
    assert "shows: 123" in lines(seen, "month")


async def test_it_shows_where_this_dingtalk_differs_from_ours(gateway: Gateway, person: Scripted) -> None:
    gateway.forgive(*PROVOKED)
    gateway.tokens.oapi_wants_legacy = True
    gateway.cards_api.refuses_after_end = False
    again = Redelivery(after=16, new_message_id=True)
    person.deeds["redelivery.write"] = lambda: person_writes(gateway, again)
    person.against = frozenset({"long_card.look", "rate"})
    async with smoke(gateway, person) as live:
        seen = await live.run()
    assert "oapi refuses the access token of v1.0" in lines(seen, "upload")
    assert "The API took it." in lines(seen, "after_end")
    assert "a new one as the frame's messageId" in lines(seen, "redelivery")
    assert "NOT as it should be" in lines(seen, "long_card")
    assert lines(seen, "rate") == ""


async def person_writes(gateway: Gateway, redeliver: Redelivery) -> None:
    group = next(one for one in gateway.people.conversations.values() if one.kind == "group")
    await gateway.push_bot(group, gateway.people.users["u1"], "在吗", wants_answer=False, redeliver=redeliver)


async def test_what_is_not_agreed_to_is_not_done(gateway: Gateway, group: Conversation) -> None:
    person = Scripted(against=frozenset(step.name for step in STEPS))
    async with smoke(gateway, person) as live:
        seen = await live.run()
    assert not any(one.made for one in seen)
    asked = {step.name for step in STEPS if not step.in_chat}
    assert set(person.asked) == asked
    assert {call.route for call in gateway.calls} <= {"open", "connect"}
    assert rendered(seen, "en").count("This step was not made.") == len(asked)
    assert rendered(seen, "zh").count("这一步需要") + rendered(seen, "zh").count("没有做这一步") >= len(asked)


async def test_a_secret_that_is_refused_is_something_that_was_seen_and_is_not_shown(gateway: Gateway) -> None:
    person = Scripted()
    quick = Waits(message=0.1, redelivery=0.1, pings=0.1, click=0.1, frame=0)
    async with smoke(gateway, person, waits=quick, secret="another-secret") as live:
        seen = await live.run()
    assert "credentials_refused (authFailed)" in lines(seen, "reach")
    assert "credentials_refused (invalidClientIdOrSecret)" in lines(seen, "upload")
    assert "No message came within 0 s" in lines(seen, "message")
    assert "another-secret" not in rendered(seen, "en")


async def test_no_token_ticket_or_session_is_in_the_report(gateway: Gateway, person: Scripted) -> None:
    gateway.forgive(*PROVOKED)
    async with smoke(gateway, person) as live:
        text = rendered(await live.run(), "zh")
    assert [secret for secret in gateway.secrets() if len(secret) > 3 and secret in text] == []
    assert "sessionWebhook" in text
    assert "sendBySession" not in text


def test_started_without_an_app_it_says_what_to_set() -> None:
    env = {name: value for name, value in environ.items() if not name.startswith("COPILOT_")}
    done = subprocess.run(
        [sys.executable, "-m", "bots.live"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "COPILOT_DINGTALK_CLIENT_SECRET" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", TEXTS)
def test_a_sentence_is_there_in_both_languages_with_the_same_values(key: str) -> None:
    values = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in TEXTS[key].values()]
    assert set(TEXTS[key]) == {"zh", "en"}
    assert values[0] == values[1]


def test_every_step_has_a_title_and_says_what_it_does() -> None:
    for step in STEPS:
        assert {f"{step.name}.title", f"{step.name}.about"} <= set(TEXTS)
    assert {f"markdown.look.{name}" for name in LOOKS} == {key for key in TEXTS if key.startswith("markdown.look.")}
