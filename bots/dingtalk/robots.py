"""Custom robots of groups: a webhook that messages go to and nothing comes back from.

DingTalk takes 20 messages a minute of each, and after more none for ten minutes.
"""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

from app.channel_settings import RobotAddress
from bots.dingtalk import parts, signatures
from bots.dingtalk.attempts import Attempts, Patience
from bots.dingtalk.client import DingTalkClient
from bots.dingtalk.ports import Governor
from bots.ports import ChannelRefused, Sent

_KEY_ROOM = 60  # bytes of a message's key in its body


class CustomRobots:
    """Those of the settings, by name. ``clock`` gives seconds since 1970."""

    def __init__(
        self,
        client: DingTalkClient,
        governor: Governor,
        robots: Mapping[str, RobotAddress],
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._governor = governor
        self._robots = dict(robots)
        self._patience = patience or Patience()
        self._clock = clock

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._robots)

    async def say(self, robot: str, markdown: str, *, title: str = "", key: str | None = None) -> Sent:
        """A Markdown message, in parts when it is long. Pictures are links in it.

        The same ``key`` twice is shown once: DingTalk knows it again, so nothing is left in doubt.
        Raises ChannelRefused ``recipient_unknown`` for a robot that is not set, Unavailable, BudgetSpent.
        """
        address = self._robots.get(robot)
        if address is None:
            raise ChannelRefused("There is no custom robot of this name in the settings.", code="recipient_unknown")
        attempts = Attempts(self._governor, self._patience)
        name = sha256((key or uuid.uuid4().hex).encode()).hexdigest()[:32]
        title = parts.title_of(title or markdown)
        messages = parts.webhook_messages(markdown, title=title, mention=None, spare=_KEY_ROOM)
        for at, message in enumerate(messages):
            body = {**message.body, "msgUuid": f"{name}-{at}"}

            def call(body: Mapping[str, object] = body) -> Awaitable[None]:
                return self._client.post_robot(address.url.get_secret_value(), body, signature=self._signed(address))

            await attempts.make("robot", "send", call, repeatable=True)
        return Sent("webhook", len(messages), attempts.made)

    def _signed(self, address: RobotAddress) -> dict[str, str]:
        """Anew for each attempt: a signature is good for an hour."""
        if address.secret is None:
            return {}
        timestamp = str(int(self._clock() * 1000))
        return {"timestamp": timestamp, "sign": signatures.timed(address.secret.get_secret_value(), timestamp)}
