"""What our side of the wire needs: somebody who shares out the calls that DingTalk allows."""

from typing import ClassVar, Literal, Protocol, TypeAlias

from bots.ports import Purpose
from knowledge.errors import Unavailable

# "webhook" and "robot" are messages by webhook; the others are API calls, each with a rate of its own.
Api: TypeAlias = Literal[
    "webhook", "robot", "group_send", "person_send", "card_create", "card_stream", "card_update", "upload", "download"
]


class Skipped(Unavailable):
    """A frame that is not sent: no call is free soon, and a newer frame will hold its text."""

    code: ClassVar[str] = "frame_skipped"


class Governor(Protocol):
    """Shares the rate and the month of one app out to all who call."""

    async def take(self, api: str, purpose: Purpose, *, weight: int = 1) -> None:
        """Wait for a turn and count it. Raises BudgetSpent, and for the purpose "frame" Skipped instead of waiting."""

    def throttled(self, api: str) -> None:
        """DingTalk refused a call for its rate all the same: nobody calls this API for a second or more."""
