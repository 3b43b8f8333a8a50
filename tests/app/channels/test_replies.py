"""What people see of an answer, from its opening to its end: every change happens once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.channels.replies import UNSURE, Replies, Reply
from knowledge.database import Database
from knowledge.errors import NotFound
from knowledge.models import DEFAULT_TENANT


@pytest.fixture
def replies(database: Database) -> Replies:
    return Replies(database)


def reply(number: int = 1, **over: object) -> Reply:
    given = Reply(
        id=f"{number:032x}",
        tenant=DEFAULT_TENANT,
        channel="dingtalk",
        kind="answer",
        place="corp/cid==",
        target={"kind": "group", "conversation": "cid=="},
        rung="stream",
        reason="free",
        card_id=f"card-{number}",
    )
    return replace(given, **over)  # type: ignore[arg-type]


async def test_opening_a_reply_twice_leaves_the_first(replies: Replies) -> None:
    first = await replies.open(reply())
    again = await replies.open(reply(rung="markdown", reason="budget"))
    assert again == first
    assert (again.rung, again.state, again.target["conversation"]) == ("stream", "open", "cid==")
    assert await replies.find("none") is None
    with pytest.raises(NotFound):
        await replies.get("none")


async def test_of_many_who_open_a_reply_at_once_all_get_the_same(replies: Replies) -> None:
    found = await asyncio.gather(*(replies.open(reply(reason=str(n))) for n in range(6)))
    assert len({each.reason for each in found}) == 1


async def test_a_reply_is_closed_once_with_what_it_cost(replies: Replies) -> None:
    await replies.open(reply())
    await replies.set_turn(reply().id, "t1")
    await replies.fall(reply().id, "markdown", "card_refused")
    assert await replies.close(reply().id, calls=7)
    assert not await replies.close(reply().id, "failed", calls=9)
    done = await replies.get(reply().id)
    assert (done.state, done.calls, done.turn_id, done.rung, done.reason) == (
        "done",
        7,
        "t1",
        "markdown",
        "card_refused",
    )
    assert done.closed_at is not None


async def test_open_replies_are_found_by_channel_card_and_age(replies: Replies) -> None:
    await replies.open(reply(1))
    await replies.open(reply(2))
    await replies.open(reply(3, channel="other"))
    await replies.close(reply(2).id, "failed")
    assert [each.id for each in await replies.still_open("dingtalk", "answer")] == [reply(1).id]
    assert await replies.still_open("dingtalk", "answer", older_than=timedelta(minutes=5)) == []
    found = await replies.by_card("card-2")
    assert found is not None
    assert found.state == "failed"
    assert await replies.by_card("none") is None


async def test_an_answer_that_could_not_be_shown_waits_in_its_place_and_is_taken_once(replies: Replies) -> None:
    for number in (1, 2):
        await replies.open(reply(number))
        assert await replies.close(reply(number).id, "stored", text=f"答案 {number}")
    assert [each.text for each in await replies.waiting("corp/cid==")] == ["答案 1", "答案 2"]
    assert await replies.waiting("corp/elsewhere") == []
    taken = await asyncio.gather(*(replies.taken(reply(1).id) for _ in range(4)))
    assert sorted(taken) == [False, False, False, True]
    assert [each.text for each in await replies.waiting("corp/cid==")] == ["答案 2"]
    assert (await replies.get(reply(1).id)).state == "sending"
    assert await replies.shown(reply(1).id)
    assert (await replies.get(reply(1).id)).state == "unclosed"
    assert await replies.taken(reply(2).id)
    await replies.waits_on(reply(2).id, "stored")
    assert [each.text for each in await replies.waiting("corp/cid==")] == ["答案 2"]


async def test_a_card_that_was_left_open_is_ended_whenever_its_answer_is_shown(replies: Replies) -> None:
    for number, card_id in ((1, "card-1"), (2, "card-2"), (3, None)):
        await replies.open(replace(reply(number), card_id=card_id))
        await replies.close(reply(number).id, "stored", text="…")
    assert await replies.taken(reply(1).id)
    assert await replies.shown(reply(1).id)
    assert [each.card_id for each in await replies.unclosed("dingtalk")] == ["card-1", "card-2"]
    assert await replies.card_closed(reply(1).id)
    assert await replies.card_closed(reply(2).id)
    assert await replies.unclosed("dingtalk") == []
    states = [(await replies.get(reply(number).id)).state for number in (1, 2, 3)]
    assert states == ["done", "stored", "stored"]


async def test_what_may_have_been_shown_is_told_of_once_and_can_be_asked_for(replies: Replies) -> None:
    """Also when its sender died over it."""
    await replies.open(reply(1, card_id=None))
    await replies.open(reply(2))
    assert await replies.sending(reply(1).id, "答案 1")
    assert await replies.being_sent("dingtalk", older_than=timedelta(minutes=5)) == []
    (left,) = await replies.being_sent("dingtalk", older_than=timedelta(0))
    await replies.give_up_sending(left)
    assert await replies.close(reply(2).id, "unsure", text="答案 2")
    began = left.created_at
    assert [each.state for each in await replies.waiting("corp/cid==")] == ["unsure", "unsure"]
    assert [await replies.taken(reply(number).id) for number in (1, 2, 1)] == [True, True, False]
    assert [each.id for each in await replies.unclosed("dingtalk")] == [reply(2).id]
    unseen = await replies.unseen("corp/cid==", began)
    assert [(each.text, each.reason) for each in unseen] == [("答案 1", UNSURE), ("答案 2", UNSURE)]
    assert await replies.unseen("corp/elsewhere", began) == []
    await replies.repeated(unseen)
    assert await replies.unseen("corp/cid==", began) == []


async def test_the_last_replies_of_a_tenant_are_listed_newest_first(replies: Replies) -> None:
    for number in (1, 2, 3):
        await replies.open(reply(number))
    await replies.open(reply(4, tenant="other"))
    assert [each.id for each in await replies.recent(DEFAULT_TENANT, 2)] == [reply(3).id, reply(2).id]
