"""What can be seen in the chats: people's messages, the robot's, and cards, in order."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bots.sandbox.cards import CardState
from bots.sandbox.clock import Clock
from bots.sandbox.journal import Journal
from bots.sandbox.people import Conversation, User

Way: TypeAlias = Literal["user", "webhook", "api", "robot"]


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """``kind`` is text, markdown, image, link, card, file …; ``text`` its words or Markdown; ``image`` a media id or a
    URL; ``at`` the staff ids of who was mentioned, ``*`` for all; ``answers`` the msgId whose webhook it came by.
    ``body`` is the whole, as it was sent."""

    id: str
    conversation: Conversation
    way: Way
    kind: str
    text: str
    time: float
    title: str = ""
    image: str | None = None
    at: tuple[str, ...] = ()
    user: User | None = None
    answers: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


class Chat:
    """All conversations in one list."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._numbers = itertools.count(1)
        self.timeline: list[tuple[Conversation, Message | CardState]] = []

    @property
    def messages(self) -> list[Message]:
        """The robot's, in order."""
        return [item for _, item in self.timeline if isinstance(item, Message) and item.way != "user"]

    def visible(self, conversation: Conversation) -> list[Message | CardState]:
        return [item for where, item in self.timeline if where.id == conversation.id]

    def say(self, conversation: Conversation, way: Way, kind: str, text: str, **more: Any) -> Message:
        message = Message(f"m{next(self._numbers)}", conversation, way, kind, text, self._clock.now(), **more)
        self.timeline.append((conversation, message))
        self._journal.changed()
        return message

    def show(self, conversation: Conversation, card: CardState) -> None:
        self.timeline.append((conversation, card))
        self._journal.changed()
