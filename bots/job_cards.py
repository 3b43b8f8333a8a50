"""The cards of jobs: one each, opened once, whoever comes first; its end is shown however it was begun."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.channels.replies import Replies, Reply
from app.jobs.models import Job
from bots import job_faces, results
from bots.files import place_of
from bots.messages import Target
from bots.people import CHANNEL
from bots.ports import BudgetSpent, Card, ChannelRefused, Messenger
from bots.trips import Trip
from knowledge.errors import Unavailable
from knowledge.language import Language

log = logging.getLogger(__name__)


def card_id_of(job_id: str) -> str:
    """A job's only card."""
    return f"job-{job_id}"


@dataclass(frozen=True, slots=True)
class JobCards:
    """A row of ``replies`` under the job's id says that there is a card, or is to be one."""

    messenger: Messenger
    replies: Replies

    async def open(self, job: Job, target: Target, *, language: Language) -> bool:
        """A card for a job that was just asked for; → whether there is one. Where there is none the end is said."""
        if "job" not in self.messenger.templates:
            return False
        mine = row_of(job, target, reason="job", card=True)
        there = await self.replies.open(mine)
        if there != mine:
            return there.rung != "markdown"
        try:
            await self.messenger.open_card(target, _card(job, job_faces.begun(job, language), language))
        except (ChannelRefused, BudgetSpent, Unavailable) as error:
            if error.error_code == "delivery_unknown":
                return True  # it is there, or it will be when the job has ended
            log.warning("no card job=%s code=%s", job.id, error.error_code)
            await self.replies.fall(job.id, "markdown", error.error_code[:40])
            return False
        return True

    async def finish(self, trip: Trip, pictures: Sequence[str], *, page: str | None) -> bool:
        """Show how a job ended; → False where it has no card and can have none. May be called again after any error.

        ``pictures`` are media ids or links. Raises ChannelRefused, BudgetSpent, Unavailable.
        """
        job, target = trip.job, trip.target
        mine = row_of(job, target, reason="job", card=True)
        if "job" in self.messenger.templates:
            there: Reply | None = await self.replies.open(mine)
        else:
            there = await self.replies.find(job.id)
        if there is None or there.card_id is None or there.rung == "markdown":
            return False
        if there.state != "open":
            return True
        end = job_faces.ended(job, pictures, trip.language, page=page)
        card = _card(job, {**job_faces.begun(job, trip.language), **end}, trip.language)
        if there == mine:
            await self.messenger.open_card(target, card)
        else:
            await self._update(target, card, end)
        await self.replies.close(job.id)
        return True

    async def _update(self, target: Target, card: Card, end: Mapping[str, str]) -> None:
        """A card that may not have come to be, because whoever opened it was stopped."""
        try:
            await self.messenger.update_card(card.id, end, final=True)
        except ChannelRefused as refused:
            if refused.error_code != "card_unknown":
                raise
            await self.messenger.open_card(target, card)
            await self.messenger.update_card(card.id, end, final=True)


def _card(job: Job, values: Mapping[str, str], language: Language) -> Card:
    return Card(card_id_of(job.id), "job", values, preview=results.headline(job, language))


def row_of(job: Job, target: Target, *, reason: str, card: bool = False) -> Reply:
    """What people see of a job, as it is written down at first."""
    return Reply(
        id=job.id,
        tenant=job.tenant,
        channel=CHANNEL,
        kind="job",
        place=place_of(target, target.name),
        target=target.json(),
        rung="coarse" if card else "markdown",
        reason=reason[:40],
        job_id=job.id,
        card_id=card_id_of(job.id) if card else None,
    )
