"""A card shows how far its job is: coarsely, where there is room, and not after the end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from app.jobs.events import JobEvent, MemoryEvents, progress_event
from app.jobs.models import Job
from app.jobs.runner import JobRunner
from app.jobs.tables import jobs
from bots.job_cards import JobCards, card_id_of
from bots.ports import BudgetSpent, ChannelRefused
from bots.watching import JobWatch
from knowledge.errors import CopilotError, Unavailable
from tests.bots.delivering import GROUP, Chat, chat


@asynccontextmanager
async def watched(data: Path, *, pace: float = 0.0) -> AsyncIterator[tuple[Chat, Job, "asyncio.Task[None]"]]:
    """A job with an open card that is watched until it has ended."""
    async with chat(data) as c:
        job = await c.asked()
        await JobCards(c.messenger, c.replies).open(job, GROUP, language="zh")
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(JobWatch(c.jobs, c.messenger, pace=pace).follow(job.tenant, job.id))
            yield c, job, watching
            await JobRunner(c.jobs, "w").drain("image")
            async with asyncio.timeout(10):
                await watching


def updates(c: Chat) -> int:
    return sum(call == "update_card" for call, _ in c.messenger.log)


async def seen(c: Chat, count: int) -> None:
    async with asyncio.timeout(10):
        while updates(c) < count:  # noqa: ASYNC110 (the twin has nothing to wait for)
            await asyncio.sleep(0.01)


async def tell(c: Chat, job: Job, percent: int, stage: str) -> None:
    await c.jobs.events.append(job.tenant, job.id, progress_event(percent, stage, None))


async def test_new_stages_and_quarters_are_shown_and_small_steps_are_not(tmp_path: Path) -> None:
    async with watched(tmp_path) as (c, job, _):
        await tell(c, job, 5, "matting")
        await seen(c, 1)
        for percent in (6, 10, 20, 29):
            await tell(c, job, percent, "matting")
        await tell(c, job, 40, "matting")
        await seen(c, 2)
        await tell(c, job, 41, "composing")
        await seen(c, 3)
    percents = [update["percent"] for update in c.messenger.cards[card_id_of(job.id)].updates]
    assert percents == ["5", "40", "41"]


async def test_between_two_updates_only_the_newest_counts(tmp_path: Path) -> None:
    async with watched(tmp_path, pace=0.5) as (c, job, _):
        await tell(c, job, 1, "matting")
        await seen(c, 1)
        for percent in (30, 60, 90):
            await tell(c, job, percent, "composing")
        await seen(c, 2)
    percents = [update["percent"] for update in c.messenger.cards[card_id_of(job.id)].updates]
    assert percents == ["1", "90"]


@pytest.mark.parametrize("error", [Unavailable("Later.", code="frame_skipped"), Unavailable("Away.")])
async def test_an_update_that_is_skipped_ends_nothing(tmp_path: Path, error: CopilotError) -> None:
    async with watched(tmp_path) as (c, job, _):
        c.messenger.fail("update_card", error)
        await tell(c, job, 5, "matting")
        await seen(c, 1)
        await tell(c, job, 50, "matting")
        await seen(c, 2)
    assert [update["percent"] for update in c.messenger.cards[card_id_of(job.id)].updates] == ["50"]


async def test_an_update_that_comes_after_the_end_takes_its_bar_away(tmp_path: Path) -> None:
    """The end was shown while the update was under way."""
    async with watched(tmp_path) as (c, job, _):
        ended = JobRunner(c.jobs, "w").drain("image")
        show = c.messenger.update_card

        async def late(card_id: str, values: Mapping[str, str], *, final: bool = False) -> None:
            c.messenger.update_card = show  # type: ignore[method-assign]
            await ended
            await show(card_id, values, final=final)

        c.messenger.update_card = late  # type: ignore[assignment, method-assign]
        await tell(c, job, 5, "matting")
        await seen(c, 2)
    values = c.messenger.cards[card_id_of(job.id)].values
    assert (values["stage"], values["status"]) == ("", "已完成")


async def test_a_job_that_waits_for_its_approval_is_looked_at_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may wait for days; it holds no connection meanwhile."""
    monkeypatch.setattr("bots.watching.WAITING_SECONDS", 0.05)
    async with chat(tmp_path) as c:
        job = await c.asked()
        events = MemoryEvents()
        asked: list[str] = []

        async def read(tenant: str, job_id: str, *, after: str | None) -> list[tuple[str, JobEvent]]:
            asked.append(job_id)
            return []

        async def set_state(state: str) -> None:
            async with c.database.write() as connection:
                await connection.execute(update(jobs).values(state=state))

        monkeypatch.setattr(events, "read", read)
        monkeypatch.setattr(c.jobs, "events", events)
        await set_state("waiting")
        watching = asyncio.ensure_future(JobWatch(c.jobs, c.messenger).follow(job.tenant, job.id))
        await asyncio.sleep(0.2)
        assert asked == []
        await set_state("cancelled")
        await asyncio.wait_for(watching, 5)


@pytest.mark.parametrize("error", [BudgetSpent("None left."), ChannelRefused("No.")])
async def test_a_card_that_takes_no_more_is_left_alone(tmp_path: Path, error: CopilotError) -> None:
    async with watched(tmp_path) as (c, job, _):
        c.messenger.fail("update_card", error)
        for percent in (5, 50, 99):
            await tell(c, job, percent, f"stage {percent}")
            await seen(c, 1)
    assert updates(c) == 1
