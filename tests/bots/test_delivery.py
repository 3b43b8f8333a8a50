"""A finished job comes to its chat once: on its card, else as a message; whatever fails on the way."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from app.chat.running import RunningTurns
from app.jobs.deliveries import Deliveries, Delivery
from app.jobs.models import Channel
from app.jobs.runner import JobRunner
from bots.answering import Answering
from bots.delivery import BACK_OFF, STUMBLES, Courier
from bots.dingtalk import cards
from bots.dingtalk.inbox import MemoryInbox
from bots.job_cards import JobCards, card_id_of
from bots.pictures import PictureDesk
from bots.ports import BudgetSpent, ChannelRefused
from bots.recovery import Recovery
from knowledge.errors import CopilotError, Unavailable
from tests.bots.delivering import GROUP, Chat, chat

AWAY = Unavailable("Away.", code="channel_unavailable")
UNKNOWN = Unavailable("Perhaps.", code="delivery_unknown")
SPENT = BudgetSpent("None left.")
REFUSED = ChannelRefused("No.", code="template_unusable")


async def swept(c: Chat) -> None:
    """Cards that could not be ended are tried again."""

    async def no_job(*_: object) -> None: ...

    async with asyncio.TaskGroup() as tasks:
        turns = RunningTurns(None, tasks)  # type: ignore[arg-type] (no answer is written here)
        answering = Answering(c.messenger, turns, c.replies, link=lambda _: None, on_job=no_job)
        await Recovery(c.replies, MemoryInbox(), answering, c.messenger).sweep()


def said(c: Chat) -> list[str]:
    """All that came as messages, with or without pictures."""
    return [each.markdown for each in c.messenger.said] + [each.caption for each in c.messenger.shown]


# on a card


async def test_a_picture_comes_on_a_new_card_with_what_it_is_called_after_its_upload(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        assert await c.bring() == 1
        card = c.messenger.cards[card_id_of(job.id)]
        assert card.target == GROUP
        assert set(card.values) == set(cards.JOB.variables)
        assert card.values["pictures"] == "![](@media-1)"
        assert card.values["show_review"] == "true"
        assert [picture.data for picture in c.messenger.uploads] == [b"png 0"]
        assert said(c) == []
        row = await c.row(job)
        assert (row.state, row.receipt["sent"]) == ("delivered", "card")
        assert (await c.replies.get(job.id)).state == "done"


async def test_an_open_card_is_finished_and_no_other_one_opened(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.asked()
        assert await JobCards(c.messenger, c.replies).open(job, GROUP, language="zh")
        await JobRunner(c.jobs, "w").drain("image")
        await c.bring()
        assert [call for call, _ in c.messenger.log] == ["open_card", "upload", "update_card"]
        card = c.messenger.cards[card_id_of(job.id)]
        assert (card.finals, card.values["show_cancel"], card.values["status"]) == (1, "false", "已完成")


@pytest.mark.parametrize(("fail", "status"), [(True, "失败"), (False, "已取消")])
async def test_a_card_shows_a_failure_and_a_cancellation_and_asks_for_no_review(
    tmp_path: Path, fail: bool, status: str
) -> None:
    async with chat(tmp_path) as c:
        job = await c.asked(fail=fail)
        await JobCards(c.messenger, c.replies).open(job, GROUP, language="zh")
        if not fail:
            await c.jobs.cancel(job.tenant, job.id)
        await JobRunner(c.jobs, "w").drain("image")
        await c.bring()
        values = c.messenger.cards[card_id_of(job.id)].values
        assert (values["status"], values["show_review"], values["show_regenerate"]) == (status, "false", "true")
        assert ("拿稳手机" in values["text"]) == fail


async def test_opening_a_jobs_card_twice_opens_one(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job, ours = await c.asked(), JobCards(c.messenger, c.replies)
        opened = await asyncio.gather(*(ours.open(job, GROUP, language="zh") for _ in range(4)))
        assert opened == [True] * 4
        assert [call for call, _ in c.messenger.log] == ["open_card"]


async def test_a_card_whose_opening_was_cut_short_is_opened_with_the_end_on_it(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.asked()
        c.messenger.fail("open_card", UNKNOWN)
        assert await JobCards(c.messenger, c.replies).open(job, GROUP, language="zh")
        await JobRunner(c.jobs, "w").drain("image")
        await c.bring()
        assert "@media-1" in "".join(c.messenger.cards[card_id_of(job.id)].values.values())
        assert said(c) == []


async def test_a_card_that_could_not_be_opened_is_followed_by_a_message(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.asked()
        c.messenger.fail("open_card", REFUSED)
        assert not await JobCards(c.messenger, c.replies).open(job, GROUP, language="zh")
        await JobRunner(c.jobs, "w").drain("image")
        await c.bring()
        assert c.messenger.cards == {}
        assert len(said(c)) == 1


@pytest.mark.parametrize("error", [REFUSED, SPENT])
async def test_a_card_that_cannot_be_ended_is_followed_by_a_message_and_ended_later(
    tmp_path: Path, error: CopilotError
) -> None:
    async with chat(tmp_path) as c:
        job = await c.asked()
        assert await JobCards(c.messenger, c.replies).open(job, GROUP, language="zh")
        await JobRunner(c.jobs, "w").drain("image")
        c.messenger.fail("update_card", error, times=2 if error is SPENT else 1)
        await c.bring()
        assert len(said(c)) == 1
        assert (await c.replies.get(job.id)).state == "unclosed"
        await swept(c)
        if error is SPENT:  # no calls were left for that either
            assert (await c.replies.get(job.id)).state == "unclosed"
            await swept(c)
        assert (await c.replies.get(job.id)).state == "done"
        assert c.messenger.cards[card_id_of(job.id)].values["status"] == "结果见聊天消息"
        assert c.messenger.cards[card_id_of(job.id)].values["show_cancel"] == "false"


async def test_one_that_we_trip_over_again_and_again_is_kept_for_the_next_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(*_: object) -> None:
        raise ZeroDivisionError

    async with chat(tmp_path) as c:
        job = await c.asked()
        assert await JobCards(c.messenger, c.replies).open(job, GROUP, language="zh")
        await JobRunner(c.jobs, "w").drain("image")
        monkeypatch.setattr("bots.pictures.PictureDesk.shown", stumble)
        for _ in range(STUMBLES):
            await c.bring()
            await c.wait_over()
        assert ((await c.row(job)).state, (await c.row(job)).error_code) == ("failed", "internal")
        (kept,) = await c.replies.waiting(f"{GROUP.conversation}:{GROUP.account}")
        assert "白底图已完成" in (kept.text or "")
        await swept(c)
        assert c.messenger.cards[card_id_of(job.id)].values["status"] == "结果见聊天消息"
        assert len(await c.replies.waiting(f"{GROUP.conversation}:{GROUP.account}")) == 1


@pytest.mark.parametrize("error", [REFUSED, SPENT])
async def test_a_card_that_is_refused_becomes_a_message(tmp_path: Path, error: CopilotError) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        c.messenger.fail("open_card", error)
        await c.bring()
        (shown,) = c.messenger.shown
        assert "白底图已完成" in shown.caption
        reply = await c.replies.get(job.id)
        assert (reply.rung, reply.reason, reply.state) == ("markdown", error.error_code, "done")


async def test_a_platform_that_is_away_is_tried_again_and_nothing_is_uploaded_twice(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made(pictures=2)
        c.messenger.fail("open_card", AWAY)
        await c.bring()
        row = await c.row(job)
        assert (row.state, row.error_code) == ("waiting", "channel_unavailable")
        assert await c.bring() == 0
        await c.wait_over()
        await c.bring()
        assert len(c.messenger.uploads) == 2
        assert len(c.messenger.cards) == 1
        assert (await c.row(job)).state == "delivered"


async def test_a_card_that_may_have_come_is_not_shown_twice(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made()
        c.messenger.fail("open_card", UNKNOWN, lost=True)
        await c.bring()
        await c.wait_over()
        await c.bring()
        assert list(c.messenger.cards) == [card_id_of(job.id)]
        assert said(c) == []


async def test_cards_that_stay_away_give_way_to_a_message(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        await c.made()
        c.messenger.fail("open_card", AWAY, times=9)
        c.messenger.fail("update_card", AWAY, times=9)
        for _ in range(4):
            await c.bring()
            await c.wait_over()
        assert len(said(c)) == 1


# as a message


async def test_without_a_template_texts_come_as_markdown_with_what_is_doubtful_and_the_asker_is_named(
    tmp_path: Path,
) -> None:
    async with chat(tmp_path, templates=()) as c:
        await c.made("titles")
        await c.bring()
        (message,) = c.messenger.said
        assert message.mention
        assert message.title == "商品标题已完成"
        assert "1. 最好的保温杯" in message.markdown
        assert "绝对化用语" in message.markdown
        assert "换成具体参数" in message.markdown
        assert "2. 316 不锈钢保温杯 450ml" in message.markdown


async def test_a_failed_job_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with chat(tmp_path, templates=()) as c:
        await c.made(fail=True)
        await c.bring()
        (message,) = c.messenger.said
        assert "白底图没有做成" in message.markdown
        assert "拿稳手机" in message.markdown


async def test_a_cancelled_job_is_said_in_a_line_to_nobody_in_particular(tmp_path: Path) -> None:
    async with chat(tmp_path, templates=()) as c:
        job = await c.asked()
        await c.jobs.cancel(job.tenant, job.id)
        await c.bring()
        (message,) = c.messenger.said
        assert message.markdown == f"**已取消：白底图（任务 {job.id[:8]}）**"
        assert not message.mention


async def test_english_is_spoken_where_the_question_was_english(tmp_path: Path) -> None:
    async with chat(tmp_path, templates=()) as c:
        await c.made("titles", Channel("dingtalk", {**GROUP.json(), "language": "en"}))
        await c.bring()
        assert "titles: done" in c.messenger.said[0].markdown
        assert "superlative" in c.messenger.said[0].markdown


async def test_pictures_are_linked_where_that_is_set_and_what_is_not_shown_is_counted(tmp_path: Path) -> None:
    async with chat(tmp_path, templates=(), images="link", public_url="https://copilot.example/") as c:
        await c.made(pictures=11)
        await c.bring()
        (shown,) = c.messenger.shown
        assert len(shown.pictures) == 9
        assert c.messenger.uploads == []
        link = shown.pictures[0].link or ""
        assert link.startswith("https://copilot.example/v1/artifacts/")
        assert "signature=" in link
        assert "有 2 张图没能显示在这里" in shown.caption


async def test_a_picture_that_the_platform_does_not_take_is_linked_or_named_missing(tmp_path: Path) -> None:
    async with chat(tmp_path, templates=()) as c:
        c.messenger.fail("upload", ChannelRefused("Too large.", code="too_large"), times=2)
        await c.made()
        await c.bring()
        assert "有 1 张图没能显示在这里" in c.messenger.said[0].markdown
        linking = PictureDesk(c.jobs.artifacts, public_url="https://copilot.example")
        courier = Courier(c.jobs, c.deliveries, c.replies, linking, messenger=c.messenger)
        await c.made()
        await courier.deliver(await c.taken())
        assert (c.messenger.shown[0].pictures[0].link or "").startswith("https://copilot.example/v1/artifacts/")


async def test_a_mistake_of_ours_is_tried_again_a_few_times_and_stops_nothing_else(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        c.messenger.fail("upload", RuntimeError("a mistake of ours"), times=STUMBLES)
        broken = await c.made()
        for _ in range(STUMBLES):
            await c.bring()
            await c.wait_over()
        assert ((await c.row(broken)).state, (await c.row(broken)).error_code) == ("failed", "internal")
        await c.made()
        await c.bring()
        assert len(c.messenger.cards) == 1


@pytest.mark.parametrize("error", [AWAY, SPENT])
async def test_a_message_that_surely_was_not_sent_is_sent_later(tmp_path: Path, error: CopilotError) -> None:
    async with chat(tmp_path, templates=()) as c:
        job = await c.made("titles")
        c.messenger.fail("say", error, times=2)
        for _ in range(3):
            await c.bring()
            await c.wait_over()
        assert len(c.messenger.said) == 1
        assert (await c.row(job)).attempts == 3


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_message_that_may_have_arrived_counts_as_sent(tmp_path: Path, arrived: bool) -> None:
    async with chat(tmp_path, templates=()) as c:
        job = await c.made("titles")
        c.messenger.fail("say", UNKNOWN, lost=arrived)
        await c.bring()
        row = await c.row(job)
        assert (row.state, row.receipt["unsure"]) == ("delivered", True)
        assert len(c.messenger.said) == arrived


async def test_a_process_that_was_killed_while_it_sent_leaves_no_second_message(tmp_path: Path) -> None:
    async with chat(tmp_path, templates=()) as c:
        job = await c.made("titles")
        c.messenger.fail("say", asyncio.CancelledError(), lost=True)
        with pytest.raises(asyncio.CancelledError):
            await c.courier.deliver(await c.taken())
        await c.process_gone()
        assert await c.bring() == 1
        assert len(c.messenger.said) == 1
        assert (await c.row(job)).receipt["unsure"]


async def test_a_process_that_was_killed_after_it_sent_leaves_no_second_message(tmp_path: Path) -> None:
    class Dies(Deliveries):
        async def done(self, delivery: Delivery, receipt: object) -> None:  # type: ignore[override]
            raise asyncio.CancelledError

    async with chat(tmp_path, templates=()) as c:
        await c.made("titles")
        delivery = await c.taken()
        c.courier._deliveries = Dies(c.database)
        with pytest.raises(asyncio.CancelledError):
            await c.courier.deliver(delivery)
        c.courier._deliveries = c.deliveries
        await c.process_gone()
        await c.bring()
        assert len(c.messenger.said) == 1


async def test_what_can_not_be_brought_is_given_up_and_kept_for_the_next_message(tmp_path: Path) -> None:
    async with chat(tmp_path, templates=()) as c:
        job = await c.made("titles")
        c.messenger.fail("say", ChannelRefused("Gone.", code="recipient_unknown"))
        await c.bring()
        row = await c.row(job)
        assert (row.state, row.error_code) == ("failed", "recipient_unknown")
        (kept,) = await c.replies.waiting(f"{GROUP.conversation}:{GROUP.account}")
        assert "最好的保温杯" in (kept.text or "")
        assert (await c.jobs.ledger.get(job.tenant, job.id)).result is not None


async def test_trying_ends_after_hours(tmp_path: Path) -> None:
    assert timedelta(hours=4) < timedelta(seconds=sum(BACK_OFF)) < timedelta(hours=24)
    async with chat(tmp_path, templates=()) as c:
        job = await c.made("titles")
        c.messenger.fail("say", AWAY, times=100)
        for _ in range(len(BACK_OFF) + 3):
            await c.bring()
            await c.wait_over()
        row = await c.row(job)
        assert (row.state, row.error_code, row.attempts) == ("failed", "channel_unavailable", len(BACK_OFF) + 1)


async def test_a_place_that_is_none_is_given_up_at_once(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made(channel=Channel("dingtalk", {"group": "?"}))
        await c.bring()
        assert ((await c.row(job)).state, (await c.row(job)).error_code) == ("failed", "target_invalid")


# custom robots


async def test_what_a_robot_may_have_said_is_not_said_again(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        job = await c.made(channel=Channel("dingtalk-robot", {"robot": "warehouse"}))
        c.robots.fail(UNKNOWN, lost=True)
        await c.bring()
        await c.wait_over()
        await c.bring()
        assert len(c.robots.said) == 1
        assert (await c.row(job)).state == "delivered"


async def test_a_robot_says_it_with_links(tmp_path: Path) -> None:
    async with chat(tmp_path, public_url="https://copilot.example") as c:
        await c.made(channel=Channel("dingtalk-robot", {"robot": "warehouse"}))
        await c.bring()
        ((name, title, text),) = c.robots.said
        assert (name, title) == ("warehouse", "白底图已完成")
        assert "![](https://copilot.example/v1/artifacts/" in text
        assert "https://copilot.example/console/jobs/" in text
        assert c.messenger.log == []


async def test_a_robot_that_is_not_there_is_given_up_and_one_that_is_away_is_tried_again(tmp_path: Path) -> None:
    async with chat(tmp_path) as c:
        lost = await c.made(channel=Channel("dingtalk-robot", {"robot": "nobody"}))
        await c.bring()
        assert (await c.row(lost)).error_code == "recipient_unknown"
        job = await c.made(channel=Channel("dingtalk-robot", {"robot": "warehouse"}))
        c.robots.fail(AWAY)
        await c.bring()
        await c.wait_over()
        await c.bring()
        assert len(c.robots.said) == 1
        assert (await c.row(job)).state == "delivered"
