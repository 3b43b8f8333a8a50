"""Questions come to the operators' group once, replies to their askers; what fails comes later, and is not hurried."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from app.channels.groups import Groups
from app.channels.handoffs import Handoffs, handoffs
from app.channels.replies import Replies
from bots import handing_over
from bots.handing_over import HandingOver
from bots.memory import MemoryMessenger
from bots.messages import Target
from bots.ports import BudgetSpent, ChannelRefused
from bots.sandbox.clock import Clock
from knowledge.catalog import Catalog
from knowledge.database import Database, now
from knowledge.errors import CopilotError, Unavailable
from knowledge.models import DEFAULT_TENANT
from tests.app.channels.conftest import Talk
from tests.products import database_of

ASKER = Target("group", "cidAsk", "corp", account="u1", name="张三")
OPERATORS = "cidOperators"
UNKNOWN = Unavailable("Perhaps.", code="delivery_unknown")


@dataclass(frozen=True, slots=True)
class Desk:
    """Between askers and operators."""

    handoffs: Handoffs
    replies: Replies
    messenger: MemoryMessenger
    database: Database
    bringing: HandingOver
    clock: Clock

    async def asked(self, question: str = "能定制吗？") -> int:
        turn = await Talk(self.database).turn(question)
        mine = await self.handoffs.open(DEFAULT_TENANT, turn, channel="dingtalk", asker="张三", target=ASKER.json())
        return mine.number

    def told(self, conversation: str) -> list[str]:
        return self.messenger.in_conversation(conversation)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(database_of(tmp_path))
    await Catalog(database).ensure_tenant(DEFAULT_TENANT, "default")
    groups, replies, clock = Groups(database, Catalog(database)), Replies(database), Clock()
    await groups.seen("dingtalk", OPERATORS, tenant=DEFAULT_TENANT, organisation="corp", title="运营群")
    await groups.set_operators(DEFAULT_TENANT, "dingtalk", OPERATORS, by="test")
    messenger, questions = MemoryMessenger(), Handoffs(database)
    bringing = HandingOver(questions, groups, replies, messenger, clock=clock.now)
    yield Desk(questions, replies, messenger, database, bringing, clock)
    await database.close()


@pytest.mark.parametrize("error", [BudgetSpent("None left."), ChannelRefused("No."), Unavailable("Away.")])
async def test_a_question_that_could_not_be_announced_comes_later(desk: Desk, error: CopilotError) -> None:
    await desk.asked()
    desk.messenger.fail("say", error)
    for _ in range(3):  # it is not tried each time
        await desk.bringing.bring()
    assert desk.told(OPERATORS) == []
    assert len(desk.messenger.log) == 1
    desk.clock.advance(60)
    await desk.bringing.bring()
    await desk.bringing.bring()
    (told,) = desk.told(OPERATORS)
    assert "能定制吗？" in told


async def test_a_question_that_may_have_been_announced_is_not_announced_again(desk: Desk) -> None:
    await desk.asked()
    desk.messenger.fail("say", UNKNOWN)
    await desk.bringing.bring()
    await desk.bringing.bring()
    assert len(desk.messenger.log) == 1


async def test_a_group_that_is_named_late_is_not_told_of_what_is_old(desk: Desk) -> None:
    await desk.asked("很久以前的问题？")
    async with desk.database.write() as connection:
        await connection.execute(handoffs.update().values(created_at=now() - timedelta(days=4)))
    await desk.asked("今天的问题？")
    await desk.bringing.bring()
    (told,) = desk.told(OPERATORS)
    assert "今天的问题？" in told


@pytest.mark.parametrize(
    ("error", "state"), [(None, "done"), (Unavailable("Away."), "stored"), (UNKNOWN, "unsure")], ids=str
)
async def test_a_reply_is_brought_once_and_kept_where_it_was_not_seen(
    desk: Desk, error: CopilotError | None, state: str
) -> None:
    number = await desk.asked()
    await desk.bringing.bring()
    await desk.handoffs.answer(DEFAULT_TENANT, number, "可以，三天。", by="李四")
    if error is not None:
        desk.messenger.fail("say", error)
    await desk.bringing.bring()
    await desk.bringing.bring()
    assert len(desk.messenger.log) == 2
    (reply,) = [one for one in await desk.replies.recent(DEFAULT_TENANT) if one.kind == handing_over.HANDOFF]
    assert reply.state == state
    assert "可以，三天。" in (reply.text or "")
