"""What a sandbox saw, for whoever asks: tests, and the page."""

from collections.abc import Callable

from bots.sandbox.cards import Cards, CardState
from bots.sandbox.chat import Chat, Message
from bots.sandbox.connections import Connection
from bots.sandbox.journal import Call, Journal
from bots.sandbox.limits import Limits, Usage
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push
from bots.sandbox.streams import Streams


class Seen:
    """Reads of what the parts keep."""

    streams: Streams
    cards_api: Cards
    chat: Chat
    journal: Journal
    limits: Limits

    @property
    def connections(self) -> list[Connection]:
        return self.streams.connections

    @property
    def pushes(self) -> list[Push]:
        return self.streams.pushes

    @property
    def cards(self) -> dict[str, CardState]:
        """By outTrackId."""
        return self.cards_api.all

    @property
    def messages(self) -> list[Message]:
        """What the robot said, in order."""
        return self.chat.messages

    @property
    def calls(self) -> list[Call]:
        return self.journal.calls

    @property
    def violations(self) -> list[str]:
        return self.journal.violations

    @property
    def warnings(self) -> list[str]:
        return self.journal.warnings

    @property
    def usage(self) -> Usage:
        """Of this month."""
        return self.limits.usage

    @property
    def changed(self) -> Journal:
        """``await gateway.changed.wait()`` for the next thing; ``changed.listeners`` are called at each."""
        return self.journal

    def visible(self, conversation: Conversation) -> list[Message | CardState]:
        """A chat, people's own messages too, in order."""
        return self.chat.visible(conversation)

    async def wait_for(self, predicate: Callable[[], object], timeout: float = 10) -> None:
        """Raises TimeoutError."""
        await self.journal.wait_for(predicate, timeout)

    async def connected(self, count: int = 1, timeout: float = 10) -> None:
        """When so many connections are open."""
        await self.wait_for(lambda: len(self.connections) >= count, timeout)
