"""A service with a bot, and answers that it gave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from app.channels.answer_links import answer_link
from app.chat.events import Done
from app.chat.history import AnsweredTurn
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT, Passage, Place
from tests.app.console.visits import HOSTILE, served

FIRST = Passage(
    chunk_id="c1",
    document_id="d1",
    document="费用说明.md",
    kb="shop",
    text=f"旗舰店保证金为 50000 元。{HOSTILE}",
    place=Place(heading="保证金", page=3),
    score=0.9,
)
SECOND = Passage(
    chunk_id="c2", document_id="d2", document="未引用.md", kb="shop", text="别的。", place=Place(), score=0.5
)


@asynccontextmanager
async def bot(data: Path, **overrides: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    async with served(data, dingtalk_client_id="app", **overrides) as (http, services):
        yield http, services


async def answered(
    services: Services, answer: str = "50000 元 [1]。", question: str = "保证金多少？", finish: str = "stop"
) -> AnsweredTurn:
    talk, turn_id = services.conversations, uuid4().hex
    conversation = await talk.begin(
        DEFAULT_TENANT, turn_id=turn_id, question=question, channel="dingtalk", kbs=["shop"]
    )
    done = Done(turn_id, conversation, answer, (1,), finish=finish)
    await talk.finish(done, condensed=question, evidence=[FIRST, SECOND], prompt_version=None)
    return await talk.answered(DEFAULT_TENANT, turn_id)


def link(services: Services, turn_id: str, **lasting: Any) -> str:
    return answer_link("http://127.0.0.1:8000/", turn_id, signer=services.jobs.artifacts.signer, **lasting)
