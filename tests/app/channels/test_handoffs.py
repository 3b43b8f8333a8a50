"""Questions that went to people: numbered, answered once, brought back, and proposed as curated answers."""

import asyncio

import pytest

from app.channels.handoffs import Handoff, Handoffs
from app.chat.history import AnsweredTurn
from knowledge.curated import CuratedAnswers
from knowledge.database import Database
from knowledge.errors import Conflict, InvalidInput, NotFound
from knowledge.models import DEFAULT_TENANT
from tests.app.channels.conftest import Talk


@pytest.fixture
def handoffs(database: Database) -> Handoffs:
    return Handoffs(database)


@pytest.fixture
def curated(database: Database) -> CuratedAnswers:
    return CuratedAnswers(database)


async def handed(handoffs: Handoffs, turn: AnsweredTurn, tenant: str = DEFAULT_TENANT) -> Handoff:
    return await handoffs.open(tenant, turn, channel="dingtalk", asker="张三", target={"conversation": "cid=="})


async def test_a_turn_is_handed_over_once_with_what_the_bot_said_and_on_what_evidence(
    handoffs: Handoffs, talk: Talk
) -> None:
    turn = await talk.turn()
    first = await handed(handoffs, turn)
    assert (first.number, first.state, first.question, first.answer) == (1, "waiting", turn.question, turn.answer)
    assert first.evidence[0]["document"] == "费用.md"
    assert first.knowledge_bases == ("shop",)
    assert first == await handed(handoffs, turn)
    assert await handoffs.waiting(DEFAULT_TENANT) == [first]


async def test_numbers_count_in_each_tenant_also_when_many_ask_at_once(handoffs: Handoffs, talk: Talk) -> None:
    turns = [await talk.turn(f"问题 {n}") for n in range(6)]
    found = await asyncio.gather(*(handed(handoffs, turn) for turn in turns))
    assert sorted(handoff.number for handoff in found) == [1, 2, 3, 4, 5, 6]
    assert (await handed(handoffs, await talk.turn(tenant="other"), "other")).number == 1


async def test_of_two_replies_the_first_goes_to_the_asker_and_is_proposed(
    handoffs: Handoffs, talk: Talk, curated: CuratedAnswers
) -> None:
    turn = await talk.turn()
    handoff = await handed(handoffs, turn)
    assert await handoffs.unannounced("dingtalk", since=handoff.created_at) == [handoff]
    assert await handoffs.announced(handoff.id)
    assert not await handoffs.announced(handoff.id)
    assert await handoffs.unannounced("dingtalk", since=handoff.created_at) == []

    answered = await handoffs.answer(DEFAULT_TENANT, 1, " 5 万元，可分期。 ", by="李四")
    assert (answered.state, answered.reply, answered.replied_by) == ("answered", "5 万元，可分期。", "李四")
    with pytest.raises(Conflict) as second:
        await handoffs.answer(DEFAULT_TENANT, 1, "6 万元", by="王五")
    assert second.value.error_code == "handoff_answered"
    assert await handoffs.waiting(DEFAULT_TENANT) == []

    (proposed,) = await curated.list(DEFAULT_TENANT, "proposed")
    assert (proposed.question, proposed.answer) == (turn.question, "5 万元，可分期。")
    assert (proposed.created_by, proposed.knowledge_bases) == ("李四", ("shop",))
    assert proposed.source == {"handoff": handoff.id, "number": 1, "turn": turn.id}

    assert [each.id for each in await handoffs.untold("dingtalk")] == [handoff.id]
    assert await handoffs.untold("web") == []
    assert await handoffs.told(handoff.id)
    assert not await handoffs.told(handoff.id)
    assert await handoffs.untold("dingtalk") == []


async def test_a_reply_that_cannot_be_used_changes_nothing(
    handoffs: Handoffs, talk: Talk, curated: CuratedAnswers
) -> None:
    await handed(handoffs, await talk.turn())
    for text, code in ((" ", "reply_empty"), ("长" * 4001, "reply_too_long")):
        with pytest.raises(InvalidInput) as caught:
            await handoffs.answer(DEFAULT_TENANT, 1, text, by="李四")
        assert caught.value.error_code == code
    for tenant, number in ((DEFAULT_TENANT, 2), ("other", 1)):
        with pytest.raises(NotFound) as missing:
            await handoffs.answer(tenant, number, "答", by="李四")
        assert missing.value.error_code == "handoff_not_found"
    assert (await handoffs.find(DEFAULT_TENANT, 1)).state == "waiting"
    assert await curated.list(DEFAULT_TENANT, "proposed") == []


async def test_a_proposal_is_of_one_tenant_and_needs_both_halves(curated: CuratedAnswers) -> None:
    made = await curated.propose(DEFAULT_TENANT, "问", "答", source={"by": "test"}, by=None, knowledge_bases=None)
    assert made in await curated.list(DEFAULT_TENANT, "proposed")
    assert await curated.list("other", "proposed") == []
    assert await curated.list(DEFAULT_TENANT, "live") == []
    with pytest.raises(InvalidInput):
        await curated.propose(DEFAULT_TENANT, "问", " ", source={}, by=None, knowledge_bases=None)
