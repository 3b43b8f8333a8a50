"""A delivery under way, and the one thing about it that must not happen twice."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.jobs.deliveries import Deliveries, Delivery
from app.jobs.models import Artifact, Job
from bots.messages import Target, language_in
from bots.ports import BudgetSpent, ChannelRefused, Sent
from knowledge.errors import Unavailable
from knowledge.language import Language

MAX_PICTURES = 9


@dataclass(slots=True)
class Trip:
    """``receipt`` is what happened so far: ``media`` (artifact id → what the channel calls it), ``fallen`` (why there
    is no card), ``sending``, ``sent`` (the way), ``unsure`` (it may have arrived), ``calls``."""

    delivery: Delivery
    job: Job
    deliveries: Deliveries
    artifacts: Sequence[Artifact] = ()
    receipt: dict[str, Any] = field(default_factory=dict)

    @property
    def language(self) -> Language:
        return language_in(self.delivery.target)

    @property
    def images(self) -> list[Artifact]:
        """The pictures that the job made."""
        return [made for made in self.artifacts if made.media_type.startswith("image/")]

    @property
    def target(self) -> Target:
        """Raises ChannelRefused ``target_invalid`` for what another version may have written."""
        try:
            return Target.of(self.delivery.target)
        except TypeError:
            raise ChannelRefused("This is no place in a chat.", code="target_invalid") from None

    async def note(self, **steps: Any) -> None:
        """Write a step down. Raises LeaseLost."""
        self.receipt |= steps
        await self.deliveries.note(self.delivery, self.receipt)

    async def once(self, send: Callable[[], Awaitable[Sent]]) -> None:
        """Send a message. Who finds it begun by a process that is gone leaves it at that: it may have arrived.

        Raises what ``send`` does when it surely was not sent.
        """
        if "sent" in self.receipt:
            return
        if "sending" in self.receipt:
            self.receipt["unsure"] = True
            return
        await self.note(sending=True)
        try:
            sent = await send()
        except (Unavailable, ChannelRefused, BudgetSpent) as error:
            if error.error_code == "delivery_unknown":
                self.receipt["unsure"] = True
                return
            del self.receipt["sending"]
            await self.note()
            raise
        await self.note(sent=sent.way, calls=sent.calls)
