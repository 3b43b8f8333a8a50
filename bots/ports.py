"""What the bot needs of a chat platform, in our words; :mod:`bots.dingtalk` has it for DingTalk.

Errors: :class:`ChannelRefused` is final (its code says why), Unavailable may be tried again, :class:`BudgetSpent` means
that the organisation has no calls left this month.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias

from bots.messages import Target
from knowledge.errors import CopilotError

Purpose: TypeAlias = Literal["open", "frame", "final", "send", "other"]
Template: TypeAlias = Literal["answer", "job"]


class ChannelRefused(CopilotError):
    """The platform will not do this, however often it is asked."""

    code: ClassVar[str] = "channel_refused"


class BudgetSpent(CopilotError):
    """The organisation has no calls left."""

    code: ClassVar[str] = "channel_budget_spent"


def kept_as(error: CopilotError) -> Literal["stored", "unsure"]:
    """What becomes of a message after an error of sending it: it was not shown, or nobody knows."""
    return "unsure" if error.error_code == "delivery_unknown" else "stored"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to send: bytes that are uploaded, or a link that the platform fetches."""

    name: str
    media_type: str = "image/jpeg"
    data: bytes | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """How something was sent: by webhook or by API, in how many messages; ``calls`` were counted against the month."""

    way: Literal["webhook", "api", "card"]
    messages: int = 1
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it is opened. ``id`` is ours and makes opening idempotent; ``preview`` is shown in the chat list."""

    id: str
    template: Template
    values: Mapping[str, str] = field(default_factory=dict)
    preview: str = ""


class Messenger(Protocol):
    """One app of a platform. Every call waits its turn under the app's rate and is counted against its month."""

    @property
    def templates(self) -> frozenset[Template]:
        """Which cards can be shown."""

    async def say(self, target: Target, markdown: str, *, title: str = "", mention: bool = False) -> Sent:
        """A Markdown message: by the webhook while it lives, else by the API; in parts when it is long.

        Nothing is reported as sent that was not. Raises ChannelRefused, Unavailable, BudgetSpent.
        """

    async def show(
        self, target: Target, pictures: Sequence[Picture], *, caption: str = "", mention: bool = False
    ) -> Sent:
        """Pictures, with what is said of them; raises as :meth:`say` does."""

    async def open_card(self, target: Target, card: Card) -> None:
        """Create and deliver; opening a card that exists already is no error."""

    async def frame(
        self, card_id: str, markdown: str, *, final: bool = False, failed: bool = False, guid: str | None = None
    ) -> None:
        """The whole text so far. The same ``guid`` twice has one effect. ``final`` and ``failed`` close the card."""

    async def update_card(self, card_id: str, values: Mapping[str, str], *, final: bool = False) -> None:
        """Change some of a card's values and leave the others as they are."""

    async def upload(self, picture: Picture) -> str:
        """What a picture is called in cards and Markdown: a media id, or its link."""

    async def download(self, code: str, *, limit: int) -> bytes:
        """A picture or file that somebody sent, at most ``limit`` bytes. Raises ChannelRefused ``too_large``."""

    async def close(self) -> None: ...


class Robots(Protocol):
    """Custom robots of groups: they can only say something."""

    async def say(self, robot: str, markdown: str, *, title: str = "", key: str | None = None) -> Sent:
        """The same ``key`` twice is shown once. Raises ChannelRefused ``recipient_unknown`` for a robot that is not set
        up, Unavailable, BudgetSpent."""
