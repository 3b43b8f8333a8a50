"""A database with two tenants, two knowledge bases and an answered turn."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from app.chat.events import Done
from app.chat.history import AnsweredTurn, Conversations
from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.models import DEFAULT_TENANT, Passage, Place
from tests.products import database_of

EVIDENCE = Passage(
    chunk_id="c1",
    document_id="d1",
    document="费用.md",
    kb="shop",
    text="旗舰店保证金为 50000 元。",
    place=Place(heading="保证金"),
    score=0.9,
)


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_of(tmp_path))
    catalog = Catalog(database)
    for tenant in (DEFAULT_TENANT, "other"):
        await catalog.ensure_tenant(tenant, tenant)
    for name in ("shop", "rules"):
        await catalog.create_knowledge_base(DEFAULT_TENANT, name, embedding_model="test")
    yield database
    await database.close()


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return Catalog(database)


class Talk:
    """Answered turns, without anybody who answers."""

    def __init__(self, database: Database) -> None:
        self._conversations = Conversations(database)

    async def turn(self, question: str = "保证金多少？", *, tenant: str = DEFAULT_TENANT) -> AnsweredTurn:
        turn_id = uuid4().hex
        conversation = await self._conversations.begin(
            tenant, turn_id=turn_id, question=question, channel="dingtalk", kbs=["shop"]
        )
        done = Done(turn_id, conversation, "50000 元 [1]。", (1,))
        await self._conversations.finish(done, condensed=question, evidence=[EVIDENCE], prompt_version=None)
        return await self._conversations.answered(tenant, turn_id)


@pytest.fixture
def talk(database: Database) -> Talk:
    return Talk(database)
