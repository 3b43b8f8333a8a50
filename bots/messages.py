"""What comes in and where things go out: a channel's messages in our words. No vendor type passes this file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from knowledge.language import Language

Kind: TypeAlias = Literal["single", "group"]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote. ``organisation`` is their corp id, ``account`` their staff id: None for people from outside."""

    name: str
    organisation: str | None = None
    account: str | None = None
    admin: bool = False
    external: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A place that can be written to: a group, or one person. Travels as JSON with jobs and open cards.

    ``webhook`` is good until ``webhook_until`` (milliseconds since 1970); ``account`` is whom to mention, or who is
    written to in a single chat; ``outsider`` is the channel's own id of somebody from outside, who has no account;
    ``message_id`` is what is being answered.
    """

    kind: Kind
    conversation: str
    organisation: str
    account: str | None = None
    name: str = ""
    webhook: str | None = None
    webhook_until: int = 0
    message_id: str | None = None
    outsider: str | None = None

    def json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Target":
        """From :meth:`json`; fields of a later version are left out."""
        return cls(**{name: value for name, value in data.items() if name in cls.__dataclass_fields__})


def language_in(target: Mapping[str, Any]) -> Language:
    """The language of who is answered in a place; it travels with the target."""
    return "en" if target.get("language") == "en" else "zh"


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file that came with a message; ``code`` is what it is downloaded with."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message to the bot. ``id`` is the channel's id of it, the same in every redelivery.

    ``pictures`` are download codes. ``quoted`` is the text of the message that is replied to, ``quoted_id`` its id.
    ``unreadable`` names the type of a message that we cannot read; ``quota_spent`` says that the organisation's
    message quota is used up and the text was withheld.
    """

    id: str
    robot: str
    target: Target
    sender: Sender
    text: str
    title: str = ""
    pictures: tuple[str, ...] = ()
    files: tuple[IncomingFile, ...] = ()
    quoted: str | None = None
    quoted_id: str | None = None
    unreadable: str | None = None
    quota_spent: bool = False
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CardAction:
    """A click on a card's button. ``params`` are the button's."""

    card_id: str
    organisation: str
    account: str
    action: str
    params: Mapping[str, str]
