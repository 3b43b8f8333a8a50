"""What has to be brought is taken by one at a time, comes back from the dead, and is brought once."""

import asyncio
from pathlib import Path

import pytest

from app.jobs.deliveries import LeaseLost
from app.jobs.models import Channel
from tests.bots.delivering import GROUP, chat

BOTH = ("dingtalk", "dingtalk-robot")


async def test_what_waits_is_taken_once_and_the_oldest_first(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        made = [await c.made() for _ in range(3)]
        assert await c.deliveries.waiting(BOTH) == 3
        taken = [await c.deliveries.take(BOTH, "a") for _ in range(4)]
        assert [delivery and delivery.job_id for delivery in taken] == [*(job.id for job in made), None]
        assert await c.deliveries.waiting(BOTH) == 0


async def test_several_who_take_at_once_never_have_the_same(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        made = {(await c.made()).id for _ in range(6)}
        taken = await asyncio.gather(*(c.deliveries.take(BOTH, f"owner-{n}") for n in range(10)))
        assert sorted(each.job_id for each in taken if each) == sorted(made)


async def test_another_channels_deliveries_are_left_alone(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        await c.made(channel=Channel("dingtalk-robot", {"robot": "warehouse"}))
        assert await c.deliveries.waiting(["dingtalk"]) == 0
        assert await c.deliveries.take(["dingtalk"], "a") is None
        assert await c.deliveries.take(["dingtalk-robot"], "a") is not None


async def test_what_is_put_off_waits_for_its_time(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        await c.deliveries.later(await c.taken(), "channel_unavailable", 60)
        assert (await c.row(job)).error_code == "channel_unavailable"
        assert await c.deliveries.take(BOTH, "a") is None
        await c.wait_over()
        again = await c.deliveries.take(BOTH, "a")
        assert again is not None
        assert again.attempts == 2


async def test_a_lease_that_ran_out_is_taken_over_with_its_receipt_and_the_old_hand_changes_nothing(
    tmp_path: Path,
) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        first = await c.deliveries.note(await c.taken(), {"media": {"a": "@1"}})
        assert first.receipt == {"media": {"a": "@1"}}
        await c.process_gone()
        second = await c.deliveries.take(BOTH, "bot-2")
        assert second is not None
        assert second.receipt == {"media": {"a": "@1"}}
        for change in (
            c.deliveries.beat(first),
            c.deliveries.note(first, {}),
            c.deliveries.done(first, {}),
            c.deliveries.later(first, "x", 1),
            c.deliveries.give_back(first),
            c.deliveries.give_up(first, "x"),
        ):
            with pytest.raises(LeaseLost):
                await change
        await c.deliveries.done(second, {"sent": "card"})
        assert ((await c.row(job)).state, (await c.row(job)).receipt) == ("delivered", {"sent": "card"})


async def test_a_beat_keeps_it(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        delivery = await c.taken()
        until = (await c.row(job)).lease_until
        await c.deliveries.beat(delivery)
        assert (await c.row(job)).lease_until > until


async def test_what_is_given_back_is_as_if_it_had_not_been_taken(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        await c.deliveries.give_back(await c.taken())
        row = await c.row(job)
        assert (row.state, row.attempts, row.owner) == ("waiting", 0, None)
        assert await c.deliveries.waiting(BOTH) == 1


async def test_what_is_given_up_is_not_taken_again(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        await c.deliveries.give_up(await c.taken(), "recipient_unknown")
        assert ((await c.row(job)).state, (await c.row(job)).error_code) == ("failed", "recipient_unknown")
        assert await c.deliveries.take(BOTH, "a") is None


async def test_a_cancelled_job_is_brought_too_whenever_it_was_cancelled(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        waiting = await c.asked()
        await c.jobs.cancel(waiting.tenant, waiting.id)
        running = await c.asked()
        lease = await c.jobs.ledger.claim("image", "w")
        assert lease is not None
        await c.jobs.cancel(running.tenant, running.id)
        await c.jobs.ledger.end_cancelled(lease)
        taken = [await c.taken(), await c.taken()]
        assert {each.job_id for each in taken} == {waiting.id, running.id}
        assert all(each.target == GROUP.json() for each in taken)
