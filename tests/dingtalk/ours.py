"""Our side of the wire, pointed at a gateway, in a hurry: what takes seconds takes milliseconds."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bots.dingtalk.addresses import Addresses
from bots.dingtalk.attempts import Patience
from bots.dingtalk.client import Credentials, DingTalkClient
from bots.dingtalk.messenger import DingTalkMessenger
from bots.dingtalk.ports import Skipped
from bots.messages import Target
from bots.ports import BudgetSpent, Purpose
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import CORP, Conversation

TEMPLATE = "answer.schema"
HURRIED = Patience(first_s=0.01, longest_s=0.05)


class FreeGovernor:
    """Lets everybody call, and remembers who did. ``spent`` are APIs without calls, ``busy`` those without room."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Purpose]] = []
        self.backed_off: Counter[str] = Counter()
        self.spent: set[str] = set()
        self.busy: set[str] = set()

    async def take(self, api: str, purpose: Purpose, *, weight: int = 1) -> None:
        if api in self.spent:
            raise BudgetSpent("The month is over.")
        if api in self.busy and purpose == "frame":
            raise Skipped("No room.")
        self.taken.append((api, purpose))

    def throttled(self, api: str) -> None:
        self.backed_off[api] += 1

    def count(self, api: str) -> int:
        return sum(one == api for one, _ in self.taken)


@asynccontextmanager
async def client_of(
    gateway: Gateway, *, timeout_s: float = 5.0, secret: str | None = None
) -> AsyncIterator[DingTalkClient]:
    """``secret``: another one than the gateway's."""
    credentials = Credentials(gateway.client_id, secret or gateway.tokens.client_secret, gateway.client_id)
    client = DingTalkClient(credentials, Addresses(gateway.url, gateway.url), timeout_s=timeout_s)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def messenger_of(
    gateway: Gateway, governor: FreeGovernor | None = None, *, timeout_s: float = 5.0
) -> AsyncIterator[DingTalkMessenger]:
    gateway.register_template(TEMPLATE, {"content": "markdown", "status": "text"})
    async with client_of(gateway, timeout_s=timeout_s) as client:
        yield DingTalkMessenger(
            client,
            governor or FreeGovernor(),
            templates={"answer": TEMPLATE},
            patience=HURRIED,
            clock=gateway.clock.now,
        )


def target_of(
    gateway: Gateway, conversation: Conversation, *, account: str | None = "u1", life: float | None = 5400.0
) -> Target:
    """Where a message came from; ``life`` is its webhook's in seconds, None: it has none."""
    return Target(
        kind=conversation.kind,
        conversation=conversation.id,
        organisation=CORP,
        account=account,
        name="张三",
        webhook=None if life is None else gateway.open_session(conversation, life=life),
        webhook_until=0 if life is None else gateway.clock.ms() + round(life * 1000),
    )


def texts(gateway: Gateway) -> list[str]:
    """What the robot said, in order."""
    return [message.text for message in gateway.messages]


def calls(gateway: Gateway, route: str) -> int:
    return sum(call.route == route for call in gateway.calls)
