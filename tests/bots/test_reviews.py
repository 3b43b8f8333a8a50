"""A click on a job's card decides once, by whom it may."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.identity.users import Role
from app.jobs.models import Job
from bots.reviews import Reviewed, Verdict, review_from_chat
from knowledge.errors import Conflict, Forbidden
from tests.bots.delivering import Chat, chat


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    label: str
    role: Role = Role.VIEWER

    def may(self, role: Role) -> bool:
        return self.role.includes(role)


ASKER = Person("张三", "dingtalk:u1")
STRANGER = Person("李四", "dingtalk:u2")
OPERATOR = Person("王运营", "dingtalk:u3", Role.OPERATOR)


async def click(c: Chat, job: Job, verdict: Verdict, by: Person, **more: Any) -> Reviewed:
    return await review_from_chat(c.jobs, tenant=job.tenant, job_id=job.id, verdict=verdict, by=by, **more)


async def review_of(c: Chat, job: Job) -> tuple[Any, ...]:
    now = await c.jobs.ledger.get(job.tenant, job.id)
    return now.review, now.review_reason, now.reviewed_by


async def test_who_asked_may_approve_and_the_card_says_who_did(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        done = await click(c, job, "approve", ASKER)
        assert "已通过 · 张三" in done.values.values()
        assert await review_of(c, job) == ("approved", None, "张三 <dingtalk:u1>")


async def test_a_stranger_changes_nothing(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        for verdict in ("approve", "reject", "regenerate"):
            with pytest.raises(Forbidden) as refused:
                await click(c, job, verdict, STRANGER)  # type: ignore[arg-type]
            assert refused.value.error_code == "review_not_yours"
        assert await review_of(c, job) == ("pending", None, None)
        assert len(await c.jobs.ledger.newest(job.tenant)) == 1


async def test_an_operator_may_reject_with_a_reason(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        done = await click(c, job, "reject", OPERATOR, reason="太暗")
        assert "已退回 · 王运营：太暗" in done.values.values()
        assert await review_of(c, job) == ("rejected", "太暗", "王运营 <dingtalk:u3>")


async def test_a_reason_of_the_card_is_kept_in_words(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        picture, text = await c.made(), await c.made("titles")
        await click(c, picture, "reject", ASKER, reason="unlike")
        await click(c, text, "reject", ASKER, reason="unlike")
        assert (await review_of(c, picture))[1] == "不像原商品"
        assert (await review_of(c, text))[1] == "与商品不符"


async def test_the_first_word_counts_and_everybody_sees_the_same(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        first = await click(c, job, "approve", ASKER)
        later = [await click(c, job, "approve", ASKER), await click(c, job, "reject", OPERATOR, reason="x")]
        assert [each.values for each in later] == [first.values] * 2
        assert (await review_of(c, job))[0] == "approved"


async def test_clicks_at_the_same_moment_are_one(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        done = await asyncio.gather(click(c, job, "approve", ASKER), click(c, job, "reject", OPERATOR))
        assert done[0].values == done[1].values


async def test_having_it_made_again_begins_one_new_job_for_the_same_asker(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        clicks = await asyncio.gather(*(click(c, job, "regenerate", by) for by in (ASKER, ASKER, OPERATOR)))
        begun = {done.again.id for done in clicks if done.again}
        assert len(begun) == 1
        assert len({tuple(done.values.items()) for done in clicks}) == 1
        again = await c.jobs.ledger.get(job.tenant, begun.pop())
        assert (again.retry_of, again.requester, again.channel) == (job.id, job.requester, job.channel)


async def test_a_failed_job_can_be_made_again_but_not_approved(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made(fail=True)
        with pytest.raises(Conflict):
            await click(c, job, "approve", ASKER)
        assert (await click(c, job, "regenerate", ASKER)).again is not None
