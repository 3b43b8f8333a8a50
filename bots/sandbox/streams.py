"""The stream: connections, what is pushed over them, acknowledgements, and pushing again."""

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import Field

from bots.sandbox.clock import Clock
from bots.sandbox.connections import Connection, Tickets, Topic
from bots.sandbox.journal import Journal
from bots.sandbox.pings import Pings
from bots.sandbox.pushes import Ack, Delivery, Push, Redelivery
from bots.sandbox.wire import Body, Refused, Unreadable, dump, parse


class NotConnected(Exception):
    """Nobody is there to push to: no connection, or none with this topic."""


class Subscription(Body):
    type: str
    topic: str


class Open(Body):
    client_id: str
    client_secret: str
    subscriptions: list[Subscription]


class AckHeaders(Body):
    message_id: str | None = None
    content_type: str


class AckFrame(Body):
    """[D] What a client says to a frame: ``data`` is a string with JSON in it."""

    code: int = Field(strict=True)
    headers: AckHeaders
    message: str = ""
    data: str


@dataclass(slots=True)
class Streams:
    """``acknowledged`` is told of the first acknowledgement of each delivery. ``redelivery`` is the default policy."""

    clock: Clock
    journal: Journal
    chance: random.Random
    client_id: str
    client_secret: str
    acknowledged: Callable[[Delivery, Ack], None]
    redelivery: Redelivery = field(default_factory=Redelivery)
    tickets: Tickets = field(default_factory=Tickets)
    connections: list[Connection] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    pings: Pings = field(init=False)
    _waiting: dict[str, Delivery] = field(default_factory=dict)
    _others: set[str] = field(default_factory=set)
    _numbers: int = 0

    def __post_init__(self) -> None:
        self.pings = Pings(self.clock, self.journal)

    def open(self, body: Open) -> str:
        """A ticket. Raises Refused."""
        if (body.client_id, body.client_secret) != (self.client_id, self.client_secret):
            raise Refused(401, "authFailed", "鉴权失败")  # [F]
        return self.tickets.give(((one.type, one.topic) for one in body.subscriptions), self.clock.now())

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a connection until it ends. Raises Refused."""
        ticket = self.tickets.take(request.query.get("ticket", ""), self.clock.now())
        socket = web.WebSocketResponse(max_msg_size=16 * 2**20, timeout=2.0)
        await socket.prepare(request)
        connection = Connection(str(uuid.uuid4()), ticket.topics, self.clock.now(), request.transport)
        self.connections.append(connection)
        self.pings.keep(connection)
        self.journal.changed()
        try:
            await connection.serve(socket, lambda text: self._received(connection, text))
        finally:
            self._ended(connection)
        return socket

    def listeners(self, topic: Topic) -> list[Connection]:
        """[D] A connection gets what it subscribed to, and nothing else."""
        wanted = {topic, (topic[0], "*")}
        return [connection for connection in self.connections if connection.topics & wanted]

    async def push(self, push: Push, *, connection: Connection | None = None, redeliver: Redelivery | None) -> Push:
        """Send it, to one connection that is chosen at random [D]. Raises NotConnected, unless it is tried again."""
        policy = self.redelivery if redeliver is None else redeliver
        self.pushes.append(push)
        try:
            delivery = self._deliver(push, connection or self._choose(push, but=None))
        except NotConnected:
            if policy.after is None:
                raise
            self._again(push, policy)
            return push
        self._again(push, policy)
        await delivery.sent.wait()
        self.journal.changed()
        return push

    def system(self, topic: str, connection: Connection, *, message_id: bool = True) -> None:
        """``ping`` and ``disconnect``. [D] After a disconnect the server hangs up in 10 s."""
        if topic == "ping":
            self.pings.send(connection)
            return
        name = self.new_id()
        self._others.add(name)
        headers = {"contentType": "application/json", "topic": topic, "time": str(self.clock.ms())}
        if message_id:
            headers["messageId"] = name
        data = dump({"reason": "connection is expired"})
        connection.send(dump({"specVersion": "1.0", "type": "SYSTEM", "headers": headers, "data": data}))
        if topic == "disconnect":
            self.clock.after(10, connection.abort)

    def raw(self, connection: Connection, frame: str | bytes) -> None:
        """Anything; whether and how it is acknowledged is the bot's business."""
        self._others.add("*")
        connection.send(frame)

    def new_id(self) -> str:
        self._numbers += 1
        return f"{self._numbers:08x}_165f_19bf_1"

    def _deliver(self, push: Push, connection: Connection, message_id: str | None = None) -> Delivery:
        delivery = Delivery(push, message_id or self.new_id(), connection)
        push.deliveries.append(delivery)
        self._waiting[delivery.message_id] = delivery
        headers = {
            "appId": "sandbox-app",
            "connectionId": connection.id,
            "contentType": "application/json",
            "messageId": delivery.message_id,
            "time": str(self.clock.ms()),
            "topic": push.topic,
            **push.headers,
        }
        frame = {"specVersion": "1.0", "type": push.type, "headers": headers, "data": dump(push.data)}
        connection.send(dump(frame), delivery.left)
        return delivery

    def _choose(self, push: Push, *, but: Connection | None) -> Connection:
        able = self.listeners((push.type, push.topic))
        others = [connection for connection in able if connection is not but]
        if not able:
            raise NotConnected(f"no connection takes {push.type} {push.topic}")
        return self.chance.choice(others or able)

    def _again(self, push: Push, policy: Redelivery) -> None:
        after = policy.after if len(push.deliveries) <= policy.times else policy.until_acked
        if after is not None:
            self.clock.after(after, lambda: self._redeliver(push, policy))

    def _redeliver(self, push: Push, policy: Redelivery) -> None:
        if push.acked.is_set() and not (policy.always and len(push.deliveries) <= policy.times):
            return
        last = push.deliveries[-1] if push.deliveries else None
        try:
            connection = self._choose(push, but=last.connection if last and policy.other_connection else None)
        except NotConnected:
            self.clock.after(1, lambda: self._redeliver(push, policy))
            return
        if last and not policy.other_connection and last.connection in self.connections:
            connection = last.connection
        self._deliver(push, connection, last.message_id if last and not policy.new_message_id else None)
        self._again(push, policy)

    def _received(self, connection: Connection, text: str) -> None:
        try:
            ack = parse(AckFrame, text)
        except Unreadable as exc:
            self.journal.violate("ack", f"not an acknowledgement: {exc}")
            return
        if ack.headers.content_type != "application/json":
            self.journal.violate("ack", f"contentType is {ack.headers.content_type!r}")
        name = ack.headers.message_id or ""
        if name in self._waiting:
            self._acknowledge(self._waiting[name], ack, connection)
        elif not self.pings.answered(connection, name, ack.data) and not (self._others & {name, "*"} or not name):
            self.journal.violate("ack", f"of an unknown messageId {name!r}")
        self.journal.changed()

    def _acknowledge(self, last: Delivery, frame: AckFrame, connection: Connection) -> None:
        """Frames with the same id are acknowledged in turn; those of this connection first [S]: the SDK answers over
        whatever connection it has by then."""
        same = [one for one in last.push.deliveries if one.message_id == last.message_id]
        open_ones = sorted((one for one in same if not one.acks), key=lambda one: one.connection is not connection)
        delivery = open_ones[0] if open_ones else last
        started = delivery.sent_at or time.monotonic()
        ack = Ack(frame.code, (time.monotonic() - started) * 1000, frame.data)
        delivery.acks.append(ack)
        if len(delivery.acks) > 1:
            self.journal.violate("ack", f"{delivery.push.topic} {delivery.message_id} was acknowledged twice")
            return
        self.acknowledged(delivery, ack)
        delivery.push.acked.set()

    def _ended(self, connection: Connection) -> None:
        self.connections.remove(connection)
        self.pings.forget(connection)
        unanswered = (one for push in self.pushes for one in push.deliveries if one.connection is connection)
        for delivery in (one for one in unanswered if not one.acks):
            delivery.lost = True
            delivery.sent.set()
        self.journal.changed()
