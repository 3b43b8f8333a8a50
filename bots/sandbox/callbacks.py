"""The other way to bring things to a bot: signed HTTP requests to a URL of the bot's."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from pydantic import Field

from bots.sandbox.clock import Clock
from bots.sandbox.connections import Connection
from bots.sandbox.journal import Journal
from bots.sandbox.pushes import Ack, Delivery, Push
from bots.sandbox.robots import sign
from bots.sandbox.wire import Body, Json, dump

_JSON = {"Content-Type": "application/json; charset=utf-8"}
_PATIENCE = aiohttp.ClientTimeout(total=10)  # real seconds


class Register(Body):
    """[D] Where clicks on cards with this route key go."""

    callback_route_key: str = Field(min_length=1)
    callback_url: str
    api_secret: str = ""


@dataclass(slots=True)
class Callbacks:
    """``message_url`` is what somebody would enter in the developers' console; None: messages come over the stream.

    What goes wrong is not tried again [D]; a test pushes the same msgId once more.
    """

    clock: Clock
    journal: Journal
    client_secret: str
    message_url: str | None = None
    registered: dict[str, Register] = field(default_factory=dict)
    _line: Connection = field(default_factory=lambda: Connection("http", frozenset(), 0.0, None))

    def register(self, body: Register) -> Json:
        self.registered[body.callback_route_key] = body
        return {"success": True, "result": body.model_dump(by_alias=True, include={"callback_url", "api_secret"})}

    async def message(self, push: Push, url: str) -> Delivery:
        """[D] Signed with the app's secret."""
        timestamp = str(self.clock.ms())
        return await self._post(push, url, {"timestamp": timestamp, "sign": sign(timestamp, self.client_secret)})

    async def click(self, push: Push, route_key: str) -> Delivery:
        """[D] Signed with the secret that the URL was registered with. Raises KeyError."""
        target = self.registered[route_key]
        timestamp = str(self.clock.ms())
        digest = hmac.new(target.api_secret.encode(), timestamp.encode(), hashlib.sha256).digest()
        signature = base64.b64encode(digest).decode()
        headers = {"x-ddpaas-signature-timestamp": timestamp, "x-ddpaas-signature": signature}
        return await self._post(push, target.callback_url, headers)

    async def _post(self, push: Push, url: str, headers: Mapping[str, str]) -> Delivery:
        """A status of 2xx is an acknowledgement; nothing at all counts as lost."""
        delivery = Delivery(push, f"http-{push.msg_id}", self._line)
        push.deliveries.append(delivery)
        delivery.left()
        started = time.monotonic()
        try:
            async with aiohttp.ClientSession(timeout=_PATIENCE) as session:
                async with session.post(url, data=dump(push.data).encode(), headers={**_JSON, **headers}) as response:
                    said = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            delivery.lost = True
            return delivery
        ms = (time.monotonic() - started) * 1000
        delivery.acks.append(Ack(response.status, ms, dump({"response": _read(said)})))
        push.acked.set()
        self.journal.changed()
        return delivery


def _read(text: str) -> Json | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
