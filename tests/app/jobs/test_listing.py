"""Lists of jobs: newest first, a page at a time, by kind, state and review; and how many there are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.jobs.ledger import Ledger
from app.jobs.models import JobState
from app.jobs.runner import JobRunner
from app.jobs.service import JobService, Wanted
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs.kinds import Echo, Picture
from tests.app.jobs.studio import small_studio

NAMES = ("一", "二", "三", "四", "五", "六")


@asynccontextmanager
async def six_jobs(data: Path) -> AsyncIterator[tuple[Ledger, dict[str, str]]]:
    """Done: one to five, of which two and five are approved and four is rejected; six waits. → names → ids."""
    async with small_studio(data, [Echo(), Picture()], tenants=(DEFAULT_TENANT, "other")) as jobs:
        ids = {name: await submitted(jobs, name) for name in NAMES[:5]}
        await JobRunner(jobs, "worker").drain("text")
        for name, verdict in (("二", "approved"), ("五", "approved"), ("四", "rejected")):
            await jobs.review(DEFAULT_TENANT, ids[name], verdict, reason="", by=None)  # type: ignore[arg-type]
        ids["六"] = await submitted(jobs, "六", kind="picture")
        await submitted(jobs, "七", tenant="other")
        yield jobs.ledger, ids


async def submitted(jobs: JobService, text: str, *, kind: str = "echo", tenant: str = DEFAULT_TENANT) -> str:
    return (await jobs.submit(Wanted(tenant, kind, {"text": text, "steps": 1}))).id


async def test_a_page_of_what_was_judged_in_one_way_says_how_many_there_are(tmp_path: Path) -> None:
    async with six_jobs(tmp_path) as (ledger, ids):
        for reviews, wanted in (
            (["approved"], "五二"),
            (["rejected"], "四"),
            (["pending"], "三一"),
            (["approved", "pending"], "五三二一"),
            ([], "五四三二一"),
        ):
            found, total = await ledger.page(DEFAULT_TENANT, states=[JobState.SUCCEEDED], reviews=reviews)
            assert ([job.id for job in found], total) == ([ids[name] for name in wanted], len(wanted))


async def test_every_page_says_the_same_number_also_one_past_the_end(tmp_path: Path) -> None:
    async with six_jobs(tmp_path) as (ledger, ids):
        for offset, wanted in ((0, "六五四三"), (4, "二一"), (2, "四三二一"), (6, ""), (40, "")):
            found, total = await ledger.page(DEFAULT_TENANT, limit=4, offset=offset)
            assert ([job.id for job in found], total) == ([ids[name] for name in wanted], 6)


async def test_the_newest_are_listed_without_a_number(tmp_path: Path) -> None:
    async with six_jobs(tmp_path) as (ledger, ids):
        assert [job.id for job in await ledger.newest(DEFAULT_TENANT, limit=2)] == [ids["六"], ids["五"]]
        approved = await ledger.newest(DEFAULT_TENANT, reviews=["approved"], limit=1, offset=1)
        assert [job.id for job in approved] == [ids["二"]]


async def test_one_question_tells_how_many_jobs_there_are_of_each_state_and_review(tmp_path: Path) -> None:
    async with six_jobs(tmp_path) as (ledger, _):
        done = {("succeeded", "approved"): 2, ("succeeded", "rejected"): 1, ("succeeded", "pending"): 2}
        assert await ledger.tally(DEFAULT_TENANT) == {**done, ("queued", "pending"): 1}
        assert await ledger.tally(DEFAULT_TENANT, kinds=["echo"]) == done
        assert await ledger.tally(DEFAULT_TENANT, kinds=["picture"]) == {("queued", "pending"): 1}
        assert await ledger.tally("nobody") == {}
