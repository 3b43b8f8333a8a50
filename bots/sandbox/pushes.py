"""What is pushed to a bot, each time it is, and what the bot said to it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bots.sandbox.connections import Connection
from bots.sandbox.people import Conversation, User
from bots.sandbox.wire import Json

PushType: TypeAlias = Literal["CALLBACK", "EVENT"]


@dataclass(frozen=True, slots=True)
class Redelivery:
    """Whether and when something is pushed again. Sources differ [?], so all of it can be chosen.

    ``after``: seconds by the sandbox's clock, for what was not acknowledged by then; None: never [D, protocol page].
    ``always``: again even if it was acknowledged. ``times`` at most. ``new_message_id``: another frame id, the msgId
    stays. ``other_connection``: over another one, if there is one. ``until_acked``: seconds between further tries of
    what was not acknowledged even then.
    """

    after: float | None = None
    always: bool = False
    new_message_id: bool = False
    other_connection: bool = False
    times: int = 1
    until_acked: float | None = None

    @classmethod
    def duplicate(
        cls,
        after: float = 0,
        *,
        times: int = 1,
        new_message_id: bool = False,
        other_connection: bool = False,
        until_acked: float | None = None,
    ) -> "Redelivery":
        """Again, whatever the bot said."""
        return cls(after, True, new_message_id, other_connection, times, until_acked)


@dataclass(slots=True, eq=False)
class Ack:
    """``ms`` since the frame was sent, in real milliseconds."""

    code: int
    ms: float
    data: str


@dataclass(slots=True, eq=False)
class Delivery:
    """A push over a connection, once. ``lost``: the connection ended before the bot answered."""

    push: "Push"
    message_id: str
    connection: Connection
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    sent_at: float | None = None
    acks: list[Ack] = field(default_factory=list)
    lost: bool = False

    def left(self) -> None:
        self.sent_at = time.monotonic()
        self.sent.set()


@dataclass(slots=True, eq=False)
class Push:
    """A message, a click or an event. ``msg_id`` stays the same when it is pushed again.

    ``wants_answer``: people expect to see something of it; ``answers``: how many things, at most. ``response`` is what
    a click was answered with. ``late``: the answer to a click came after 2 s and was not applied.
    """

    type: PushType
    topic: str
    msg_id: str
    data: Json
    headers: Mapping[str, str] = field(default_factory=dict)
    conversation: Conversation | None = None
    user: User | None = None
    card_id: str | None = None
    wants_answer: bool = False
    answers: int = 1
    time: float = 0.0
    deliveries: list[Delivery] = field(default_factory=list)
    acked: asyncio.Event = field(default_factory=asyncio.Event)
    response: Json | None = None
    response_ms: float | None = None
    late: bool = False

    @property
    def ack_ms(self) -> float | None:
        """Of the first acknowledgement."""
        return next((ack.ms for delivery in self.deliveries for ack in delivery.acks), None)

    @property
    def ack_code(self) -> int | None:
        return next((ack.code for delivery in self.deliveries for ack in delivery.acks), None)

    async def answered(self, timeout: float = 10) -> "Push":
        """When it is acknowledged. Raises TimeoutError."""
        await asyncio.wait_for(self.acked.wait(), timeout)
        return self
