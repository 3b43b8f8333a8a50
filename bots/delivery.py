"""Brings ended jobs to the chats that asked for them: onto their card, else as a message.

What can be done twice without harm (cards, uploads) is tried again after every doubt. A message is marked in the
receipt before it is sent and counts as sent from then on, unless it surely was not: so it is never sent twice.
"""

import logging
from collections.abc import Sequence
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from app.channels.destinations import ROBOT
from app.channels.replies import Replies, Rung
from app.jobs.deliveries import Deliveries, Delivery, LeaseLost
from app.jobs.models import JobState
from app.jobs.service import JobService
from bots import results
from bots.job_cards import JobCards, row_of
from bots.people import CHANNEL
from bots.pictures import PictureDesk
from bots.ports import BudgetSpent, ChannelRefused, Messenger, Picture, Robots, Sent
from bots.trips import Trip
from knowledge.errors import CopilotError, NotFound, Unavailable

# Seconds before the next try; after the last the delivery is given up: seven hours in all.
BACK_OFF = (2, 5, 15, 60, 300, 900, 1800, 3600, 3600, 3600, 3600, 3600, 3600)
CARD_TRIES = 3  # then it is said in a message
STUMBLES = 3  # tries of one that trips us up

log = logging.getLogger(__name__)


class Courier:
    """Serves the channels that it was given a part for."""

    def __init__(
        self,
        jobs: JobService,
        deliveries: Deliveries,
        replies: Replies,
        pictures: PictureDesk,
        *,
        messenger: Messenger | None = None,
        robots: Robots | None = None,
    ) -> None:
        self._jobs = jobs
        self._deliveries = deliveries
        self._replies = replies
        self._pictures = pictures
        self._messenger = messenger
        self._cards = JobCards(messenger, replies) if messenger is not None else None
        self._robots = robots

    @property
    def channels(self) -> tuple[str, ...]:
        """Those that are served here."""
        parts = ((CHANNEL, self._messenger), (ROBOT, self._robots))
        return tuple(name for name, part in parts if part is not None)

    async def deliver(self, delivery: Delivery) -> None:
        """To its end, or to a later try. Raises only what the database does."""
        try:
            await self._at_the_edge(delivery)
        except LeaseLost:
            log.info("delivery overtaken job=%s", delivery.job_id)

    async def _at_the_edge(self, delivery: Delivery) -> None:
        try:
            await self._deliver(delivery)
        except (LeaseLost, SQLAlchemyError, OSError):
            raise
        except Exception:  # one that we trip over must not stop the others
            log.exception("delivery failed job=%s attempt=%d", delivery.job_id, delivery.attempts)
            if delivery.attempts < STUMBLES:
                await self._deliveries.later(delivery, "internal", BACK_OFF[delivery.attempts - 1])
            else:
                await self._stumbled(delivery)

    async def _stumbled(self, delivery: Delivery) -> None:
        """Too often, so no more; whoever asked is told of the job all the same, if that can be said."""
        try:
            await self._give_up(await self._trip(delivery), "internal")
        except (LeaseLost, SQLAlchemyError, OSError):
            raise
        except Exception:  # it may be the very text that is to be kept
            log.exception("delivery not kept job=%s", delivery.job_id)
            await self._deliveries.give_up(delivery, "internal")

    async def _trip(self, delivery: Delivery) -> Trip:
        """Raises NotFound ``job_not_found``."""
        job = await self._jobs.ledger.get(delivery.tenant, delivery.job_id)
        made = (await self._jobs.artifacts.of_jobs([job.id]))[job.id]
        return Trip(delivery, job, self._deliveries, made, dict(delivery.receipt))

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            trip = await self._trip(delivery)
        except NotFound as gone:
            await self._deliveries.give_up(delivery, gone.error_code)
            return
        try:
            await self._bring(trip)
        except (Unavailable, BudgetSpent) as error:
            await self._later(trip, error)
        except CopilotError as error:
            await self._give_up(trip, error.error_code)
        else:
            await self._deliveries.done(delivery, trip.receipt)
            log.info("delivered job=%s channel=%s way=%s", trip.job.id, delivery.channel, trip.receipt.get("sent"))

    async def _later(self, trip: Trip, error: CopilotError) -> None:
        delivery = trip.delivery
        if delivery.attempts > len(BACK_OFF):
            await self._give_up(trip, error.error_code)
            return
        seconds = BACK_OFF[delivery.attempts - 1]
        log.warning("delivery postponed job=%s code=%s seconds=%d", delivery.job_id, error.error_code, seconds)
        await self._deliveries.later(delivery, error.error_code, seconds)

    async def _give_up(self, trip: Trip, code: str) -> None:
        """In a chat, what could not be brought is kept for the next message there."""
        log.warning("delivery given up job=%s code=%s", trip.job.id, code)
        if trip.delivery.channel == CHANNEL and code != "target_invalid":
            await self._replies.open(row_of(trip.job, trip.target, reason=code))
            await self._replies.close(trip.job.id, "stored", text=self._message(trip, shown=0))
        await self._deliveries.give_up(trip.delivery, code)

    async def _bring(self, trip: Trip) -> None:
        if trip.delivery.channel == CHANNEL and self._messenger is not None:
            await self._to_chat(trip, self._messenger)
        elif trip.delivery.channel == ROBOT and self._robots is not None:
            await self._to_robot(trip, self._robots)
        else:
            raise ChannelRefused("This channel is not served here.", code="channel_unknown")

    async def _to_chat(self, trip: Trip, messenger: Messenger) -> None:
        pictures = await self._pictures.shown(trip, messenger)
        begun = "fallen" in trip.receipt or "sending" in trip.receipt
        if begun or not await self._on_card(trip, pictures):
            await self._in_message(trip, messenger, pictures)

    async def _on_card(self, trip: Trip, pictures: Sequence[Picture]) -> bool:
        """→ whether the job's card shows the end. While the platform is away it is tried a few times."""
        if self._cards is None:
            return False
        names = [picture.link or "" for picture in pictures]
        before = await self._replies.find(trip.job.id)
        try:
            shown = await self._cards.finish(trip, names, page=self._pictures.page(trip.job))
        except (ChannelRefused, BudgetSpent, Unavailable) as error:
            if isinstance(error, Unavailable) and trip.delivery.attempts < CARD_TRIES:
                raise
            log.warning("no card job=%s code=%s", trip.job.id, error.error_code)
            rung: Rung = "markdown" if before is None else "coarse"  # there may be a card, which is to be ended
            await self._replies.fall(trip.job.id, rung, error.error_code[:40])
            await trip.note(fallen=error.error_code)
            return False
        if shown:
            trip.receipt["sent"] = "card"
        return shown

    async def _in_message(self, trip: Trip, messenger: Messenger, pictures: Sequence[Picture]) -> None:
        target, text = trip.target, self._message(trip, shown=len(pictures))
        mention = trip.job.state is not JobState.CANCELLED

        async def send() -> Sent:
            if pictures:
                return await messenger.show(target, pictures, caption=text, mention=mention)
            return await messenger.say(target, text, title=results.headline(trip.job, trip.language), mention=mention)

        row = await self._replies.open(row_of(trip.job, target, reason=trip.receipt.get("fallen", "no_card")))
        await trip.once(send)
        on_card = row.card_id is not None and row.rung != "markdown"  # which is to be ended then
        state: Literal["done", "unclosed", "unsure"] = "unclosed" if on_card else "done"
        state = "unsure" if trip.receipt.get("unsure") else state
        await self._replies.close(trip.job.id, state, text=text, calls=trip.receipt.get("calls"))

    async def _to_robot(self, trip: Trip, robots: Robots) -> None:
        links = [link for artifact in trip.images if (link := self._pictures.link(artifact))]
        text = "\n\n".join([self._message(trip, shown=len(links)), *(f"![]({link})" for link in links)])
        title, name = results.headline(trip.job, trip.language), str(trip.delivery.target.get("robot", ""))
        sent = await robots.say(name, text, title=title, key=trip.job.id)
        trip.receipt |= {"sent": sent.way, "calls": sent.calls}

    def _message(self, trip: Trip, *, shown: int) -> str:
        hidden = len(trip.images) - shown
        return results.message(trip.job, trip.language, link=self._pictures.page(trip.job), hidden=hidden)
