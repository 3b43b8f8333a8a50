"""A document's window switches to the moment: in what is found, in what is cached, and in how it is shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.chat.answerers import ModelAnswerer
from app.chat.cache import AnswerCache, MemoryCache
from app.chat.events import Done, Sources
from app.chat.prompts import load
from app.chat.turns import Ask
from app.jobs.queue import MemoryQueue
from app.llm.scripted import ScriptedModel
from app.wiring import Services, Twins, running_services
from knowledge.curated_draft import CuratedDraft
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.errors import InvalidInput
from knowledge.models import DEFAULT_TENANT
from knowledge.validity import CHINA, Window
from knowledge.vectors import MemoryVectors
from tests.products import settings_for, take_in

NOON = datetime(2026, 11, 30, 12, tzinfo=CHINA)
SECOND = timedelta(seconds=1)
QUESTION = "咖啡机现在多少钱？"
PRICE = "# 咖啡机\n\n咖啡机的价格是 699 元。"
PROMOTION = "# 咖啡机促销\n\n咖啡机现在的促销价是 499 元。"
LAMP = "# 台灯\n\n台灯的保修期是 24 个月。"


class Clock:
    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


@asynccontextmanager
async def shop(
    folder: Path, clock: Clock, *, cache: AnswerCache | None = None, vectors: MemoryVectors | None = None
) -> AsyncIterator[Services]:
    answerer = ModelAnswerer(ScriptedModel(["有[1]"]), load("answer", think=False), temperature=0, max_tokens=9)
    twins = Twins(HashingEmbedder(), vectors or MemoryVectors(), MemoryQueue(), answerer, cache=cache, clock=clock)
    async with running_services(settings_for(folder), twins=twins) as services:
        yield services


async def asked(services: Services, question: str = QUESTION) -> tuple[str, Done]:
    """What the answer was made from, and its end."""
    turn = await services.chat.prepare(Ask(DEFAULT_TENANT, question))
    events = [event async for event in services.chat.answer(turn)]
    assert isinstance(events[-1], Done)
    shown = [passage.text for event in events if isinstance(event, Sources) for passage in event.passages]
    return "\n".join(shown), events[-1]


async def valid(services: Services, document_id: str, start: datetime | None, end: datetime | None) -> None:
    await services.knowledge.set_window(DEFAULT_TENANT, document_id, Window(start, end))


async def test_a_promotion_that_ends_at_noon_is_in_no_answer_a_second_later_and_in_none_that_was_kept(
    tmp_path: Path,
) -> None:
    clock = Clock(NOON - SECOND)
    async with shop(tmp_path, clock) as services:
        await take_in(services, "shop", "价格.md", PRICE)
        promotion = await take_in(services, "shop", "促销.md", PROMOTION)
        await valid(services, promotion.id, None, NOON)
        before, _ = await asked(services)
        assert "499" in before
        assert (await asked(services))[1].cached == "exact"
        for later in (NOON, NOON + SECOND):
            clock.moment = later
            now, done = await asked(services)
            assert "499" not in now
            assert "699" in now
            assert later > NOON or done.cached is None
        assert (await services.knowledge.catalog.document(DEFAULT_TENANT, promotion.id)).validity == "expired"


async def test_a_promotion_that_begins_at_noon_is_found_at_noon_though_nothing_was_published_then(
    tmp_path: Path,
) -> None:
    clock = Clock(NOON - SECOND)
    async with shop(tmp_path, clock) as services:
        await take_in(services, "shop", "价格.md", PRICE)
        promotion = await take_in(services, "shop", "促销.md", PROMOTION)
        await valid(services, promotion.id, NOON, None)
        assert "499" not in (await asked(services))[0]
        assert (await asked(services))[1].cached == "exact"
        assert (await services.knowledge.catalog.document(DEFAULT_TENANT, promotion.id)).validity == "scheduled"
        clock.moment = NOON
        now, done = await asked(services)
        assert "499" in now
        assert done.cached is None


async def test_when_a_window_switches_answers_that_do_not_rest_on_it_are_kept(tmp_path: Path) -> None:
    clock = Clock(NOON - SECOND)
    question = "台灯保修多久？"
    async with shop(tmp_path, clock) as services:
        await take_in(services, "lamps", "台灯.md", LAMP)
        promotion = await take_in(services, "shop", "促销.md", PROMOTION)
        await valid(services, promotion.id, NOON, NOON + 2 * SECOND)
        before, _ = await asked(services, question)
        assert "499" not in before
        clock.moment = NOON + 2 * SECOND  # begun and ended: what is found is the same again
        assert (await asked(services, question))[1].cached == "evidence"


async def test_two_processes_that_share_a_cache_switch_by_their_own_clocks(tmp_path: Path) -> None:
    cache, vectors, early, late = MemoryCache(), MemoryVectors(), Clock(NOON - SECOND), Clock(NOON)
    async with (
        shop(tmp_path, early, cache=cache, vectors=vectors) as one,
        shop(tmp_path, late, cache=cache, vectors=vectors) as other,
    ):
        await take_in(one, "shop", "价格.md", PRICE)
        promotion = await take_in(one, "shop", "促销.md", PROMOTION)
        await valid(one, promotion.id, None, NOON)
        for _ in range(2):
            assert "499" in (await asked(one))[0]
            assert "499" not in (await asked(other))[0]


async def test_a_window_that_is_taken_away_makes_the_document_valid_at_once(tmp_path: Path) -> None:
    async with shop(tmp_path, Clock(NOON)) as services:
        promotion = await take_in(services, "shop", "促销.md", PROMOTION)
        await valid(services, promotion.id, None, NOON)
        assert "499" not in (await asked(services))[0]
        await valid(services, promotion.id, None, None)
        assert "499" in (await asked(services))[0]


async def test_hundreds_of_expired_promotions_hide_nothing_that_is_valid(tmp_path: Path) -> None:
    old = "\n\n".join(f"## 第 {n} 期促销\n\n{QUESTION}咖啡机现在的促销价是 {n} 元。{QUESTION * 6}" for n in range(400))
    async with shop(tmp_path, Clock(NOON)) as services:
        expired = await take_in(services, "shop", "往期促销.md", old)
        assert expired.chunks > 100
        await take_in(services, "shop", "目录.md", "售价 699 元。")
        alone = await services.knowledge.search(DEFAULT_TENANT, QUESTION, kbs=["shop"], limit=8)
        assert {passage.document for passage in alone.passages} == {"往期促销.md"}
        await valid(services, expired.id, None, NOON)
        found = await services.knowledge.search(DEFAULT_TENANT, QUESTION, kbs=["shop"], limit=8)
        assert {passage.document for passage in found.passages} == {"目录.md"}


async def test_a_curated_answer_ends_by_the_same_clock(tmp_path: Path) -> None:
    clock = Clock(NOON - SECOND)
    async with shop(tmp_path, clock) as services:
        draft = CuratedDraft(QUESTION, "今天 499 元", valid_until=NOON)
        await services.curation.create(DEFAULT_TENANT, draft, live=True, by=None, source={})
        assert (await asked(services))[1].curated
        clock.moment = NOON
        assert not (await asked(services))[1].curated


@pytest.mark.parametrize("window", [Window(NOON, NOON), Window(NOON, NOON - SECOND), Window(datetime(2026, 1, 1))])  # noqa: DTZ001
async def test_a_window_that_makes_no_sense_is_refused(tmp_path: Path, window: Window) -> None:
    async with shop(tmp_path, Clock(NOON)) as services:
        document = await take_in(services, "shop", "价格.md", PRICE)
        with pytest.raises(InvalidInput) as refused:
            await services.knowledge.set_window(DEFAULT_TENANT, document.id, window)
        assert refused.value.error_code == "validity_window"


async def test_a_markdown_file_says_in_its_front_matter_when_it_is_valid(tmp_path: Path) -> None:
    front = "---\ntitle: 促销\nvalid_from: 2026-11-30 12:00  # noon\nvalid_until: '2026-11-30'\n---\n"
    clock = Clock(NOON - SECOND)
    async with shop(tmp_path, clock) as services:
        document = await take_in(services, "shop", "促销.md", front + PROMOTION)
        midnight = datetime(2026, 12, 1, tzinfo=CHINA)
        assert document.window == Window(NOON, midnight)
        assert "499" not in (await asked(services))[0]
        clock.moment = midnight - SECOND
        assert "499" in (await asked(services))[0]
        later = await take_in(services, "shop", "促销.md", front.replace("'2026-11-30'", "soon") + PROMOTION)
        assert later.window == Window(NOON, None)
        assert later.message == "valid_until is no date and was left out: soon"
