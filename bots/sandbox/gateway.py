"""A DingTalk of one's own, on this machine: what the bot talks to, and what a test or a person does to it.

It never sees the bot's code: it is spoken to over real sockets, and knows what came over them. What the official
documents say about a rule is marked [D] beside it, what the SDK's source says [S], what was reported from the field
[F], and what nobody knows [?]: that is a switch.
"""

import random
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bots.sandbox import invariants
from bots.sandbox.actions import CardActions
from bots.sandbox.callbacks import Callbacks
from bots.sandbox.cards import Cards
from bots.sandbox.chat import Chat
from bots.sandbox.clock import Clock
from bots.sandbox.connections import Connection
from bots.sandbox.faults import Action, Fault, Faults
from bots.sandbox.journal import Journal
from bots.sandbox.limits import Limits
from bots.sandbox.media import Media
from bots.sandbox.people import Conversation, People, User
from bots.sandbox.pushes import Ack, Delivery, Push, Redelivery
from bots.sandbox.robots import Robots
from bots.sandbox.routes import Apis
from bots.sandbox.seen import Seen
from bots.sandbox.server import Server
from bots.sandbox.speaking import Speaking
from bots.sandbox.streams import Streams
from bots.sandbox.templates import Template, VariableType
from bots.sandbox.tokens import Tokens


class Gateway(Seen):
    """One app of one organisation. Made and started by :func:`running_gateway`.

    ``tokens``, ``limits``, ``streams``, ``cards_api``, ``robots``, ``media``, ``speaking``, ``actions`` and
    ``callbacks`` hold the switches of their rules.
    """

    def __init__(
        self, *, client_id: str, client_secret: str, qps: int, monthly_calls: int, monthly_messages: int, seed: int
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.client_id = client_id
        self.clock = Clock()
        self.journal = Journal()
        self.people = People()
        self.faults = Faults(self.clock, seed)
        self.limits = Limits(self.clock, qps, monthly_calls, monthly_messages)
        self.tokens = Tokens(self.clock, self.journal, client_id, client_secret)
        self.chat = Chat(self.clock, self.journal)
        self.media = Media(self.clock, client_id)
        self.cards_api = Cards(self.clock, self.journal, self.people, client_id, self.chat.show)
        self.robots = Robots(self.clock, self.journal, self.people, self.chat, self.limits, client_id)
        self.streams = Streams(self.clock, self.journal, chance, client_id, client_secret, self._acknowledged)
        self.callbacks = Callbacks(self.clock, self.journal, client_secret)
        apis = Apis(
            base=lambda: self.url,
            tokens=self.tokens,
            streams=self.streams,
            cards=self.cards_api,
            robots=self.robots,
            media=self.media,
            callbacks=self.callbacks,
        )
        self.server = Server(
            apis=apis,
            clock=self.clock,
            journal=self.journal,
            faults=self.faults,
            limits=self.limits,
            tokens=self.tokens,
        )
        self.actions = CardActions(self.clock, self.journal, self.cards_api)
        self.speaking = Speaking(self.clock, self.robots, client_id, lambda: self.url)
        self._forgiven: list[str] = []

    @property
    def url(self) -> str:
        """Of both generations of the API."""
        return self.server.url

    # --- who and what is there ---

    def add_user(self, staff_id: str, name: str, *, admin: bool = False, external: bool = False) -> User:
        return self.people.add_user(User(staff_id, name, admin, external))

    def add_group(self, title: str, members: Iterable[User] = ()) -> Conversation:
        return self.people.add_group(title, tuple(members))

    def single(self, user: User) -> Conversation:
        """Somebody's own chat with the robot."""
        return self.people.single(user)

    def register_template(
        self,
        template_id: str,
        variables: Mapping[str, VariableType] | None = None,
        streaming_key: str | None = "content",
    ) -> None:
        """A card template; ``streaming_key`` None: its cards don't stream, and have no state that must end."""
        self.cards_api.templates[template_id] = Template(template_id, variables or {}, streaming_key)

    def add_robot(self, conversation: Conversation, secret: str | None = None) -> str:
        """A custom robot of a group; returns its webhook's URL."""
        return f"{self.url}/robot/send?access_token={self.robots.add_robot(conversation, secret)}"

    def open_session(self, conversation: Conversation, *, life: float = 5400.0, msg_id: str | None = None) -> str:
        """The URL of a session webhook that is good for so many seconds."""
        until = self.clock.ms() + round(life * 1000)
        return f"{self.url}/robot/sendBySession?session={self.robots.open_session(conversation, until, msg_id)}"

    def put_file(self, data: bytes, name: str, media_type: str = "image/png") -> str:
        """A download code, for the content of a picture or file message."""
        return self.media.put(data, name, media_type)

    # --- what people do ---

    async def push_bot(
        self,
        conversation: Conversation,
        user: User,
        text: str = "",
        *,
        msgtype: str = "text",
        content: Mapping[str, Any] | None = None,
        msg_id: str | None = None,
        redeliver: Redelivery | None = None,
        connection: Connection | None = None,
        wants_answer: bool = True,
        **over: Any,
    ) -> Push:
        """Somebody writes to the robot; returns when it was sent. ``over`` changes fields of the data, None removes.

        Beyond the month's messages the bot is told so, without the text [D]. Raises NotConnected.
        """
        spoken = {"msgtype": msgtype, "text": text, "content": content}
        push = self.speaking.message(conversation, user, spoken, msg_id=msg_id, over=over)
        if not self.limits.message():
            self.speaking.withhold(push)
        push.wants_answer = wants_answer and "errorCode" not in push.data
        if all(other.msg_id != push.msg_id for other in self.pushes):
            self.speaking.show(self.chat, push, text, content)
        if (url := self.callbacks.message_url) is not None:
            return await self._by_http(push, self.callbacks.message(push, url))
        return await self.streams.push(push, connection=connection, redeliver=redeliver)

    async def push_card_action(
        self,
        card_id: str,
        user: User,
        action: str,
        params: Mapping[str, str] | None = None,
        *,
        redeliver: Redelivery | None = None,
        connection: Connection | None = None,
        **over: Any,
    ) -> Push:
        """Somebody clicks a button. The bot's answer is in ``response`` when ``answered()`` is."""
        card = self.cards[card_id]
        push = self.actions.click(card, user, action, params or {}, over)
        self.limits.message()
        if card.callback == "HTTP":
            return await self._by_http(push, self.callbacks.click(push, card.route_key or ""))
        return await self.streams.push(push, connection=connection, redeliver=redeliver)

    async def push_event(
        self, event_type: str, body: Mapping[str, Any], *, redeliver: Redelivery | None = None, **headers: str
    ) -> Push:
        """Something happened in the organisation."""
        push = self.speaking.event(event_type, body, headers)
        return await self.streams.push(push, connection=None, redeliver=redeliver)

    # --- what the platform does ---

    def push_system(self, topic: str, connection: Connection | None = None, *, message_id: bool = True) -> None:
        """``ping`` or ``disconnect``, to one connection or to all."""
        for one in self._those(connection):
            self.streams.system(topic, one, message_id=message_id)

    def push_raw(self, frame: str | bytes, connection: Connection | None = None) -> None:
        """Anything at all."""
        for one in self._those(connection):
            self.streams.raw(one, frame)

    def close(self, connection: Connection | None = None, code: int = 1000) -> None:
        for one in self._those(connection):
            one.close(code)

    def abort(self, connection: Connection | None = None) -> None:
        for one in self._those(connection):
            one.abort()

    def freeze(self, connection: Connection | None = None) -> None:
        for one in self._those(connection):
            one.freeze()

    async def refuse_connections(self) -> None:
        """The port is shut, until :meth:`accept_connections`; connections that are open go away."""
        self.abort()
        await self.server.pause()

    async def accept_connections(self) -> None:
        await self.server.resume()

    def fault(
        self,
        route: str,
        *,
        nth: int | None = None,
        every: int = 1,
        count: int | None = None,
        probability: float | None = None,
        delay: float = 0,
        action: Action | str | int = "slow",
    ) -> Fault:
        """See :meth:`bots.sandbox.faults.Faults.add`."""
        return self.faults.add(
            route, nth=nth, every=every, count=count, probability=probability, delay=delay, action=action
        )

    def clear_faults(self) -> None:
        self.faults.clear()

    # --- whether all is well ---

    def forgive(self, *fragments: str) -> None:
        """What has one of these in it is expected; ``ack:`` or ``outcome:`` forgives a whole rule."""
        self._forgiven.extend(fragments)

    def check(self, outcomes: bool = True) -> list[str]:
        """What is wrong by now: rules that were broken, and what must hold when all is quiet."""
        found = [*self.violations, *invariants.broken(self.pushes, self.cards.values())]
        if outcomes:
            found += invariants.answers(self.pushes, self.chat)
        return [what for what in found if not any(fragment in what for fragment in self._forgiven)]

    def secrets(self) -> set[str]:
        """What must be in no log."""
        return {self.tokens.client_secret, *self.tokens.issued, *self.streams.tickets.given, *self.robots.sessions}

    def _those(self, connection: Connection | None) -> list[Connection]:
        return list(self.connections) if connection is None else [connection]

    async def _by_http(self, push: Push, posting: Coroutine[Any, Any, Delivery]) -> Push:
        """Returns when the bot answered."""
        self.pushes.append(push)
        delivery = await posting
        if delivery.acks:
            self._acknowledged(delivery, delivery.acks[0])
        return push

    def _acknowledged(self, delivery: Delivery, ack: Ack) -> None:
        if delivery.push.card_id is not None:
            self.actions.answered(delivery.push, ack)


@asynccontextmanager
async def running_gateway(
    *,
    client_id: str = "cid",
    client_secret: str = "sec",  # noqa: S107 - of a sandbox
    qps: int = 20,
    monthly_calls: int = 5000,
    monthly_messages: int = 3000,
    seed: int = 1,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Gateway]:
    """A gateway that serves until it is left."""
    gateway = Gateway(
        client_id=client_id,
        client_secret=client_secret,
        qps=qps,
        monthly_calls=monthly_calls,
        monthly_messages=monthly_messages,
        seed=seed,
    )
    await gateway.server.start(host, port)
    try:
        yield gateway
    finally:
        gateway.clock.stop()
        gateway.abort()
        await gateway.server.stop()
