"""What the steps share: the app's side of the wire, whoever looks, and what was found so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bots.dingtalk.client import DingTalkClient
from bots.dingtalk.governor import MemoryGovernor
from bots.dingtalk.messenger import DingTalkMessenger
from bots.live.line import Line
from bots.live.person import Person
from bots.live.report import TEXTS
from bots.messages import Target
from knowledge.language import Language


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that something is waited for at most: a message, its being pushed again, pings, a click, a frame."""

    message: float = 180.0
    redelivery: float = 150.0
    pings: float = 200.0
    click: float = 60.0
    frame: float = 1.0


@dataclass(slots=True)
class Scene:
    """``target`` is where the person wrote; ``card_id`` is an answer card that has ended, ``media_id`` a picture."""

    client: DingTalkClient
    messenger: DingTalkMessenger
    governor: MemoryGovernor
    line: Line
    person: Person
    language: Language
    waits: Waits
    lines: list[str] = field(default_factory=list)
    target: Target | None = None
    card_id: str | None = None
    media_id: str | None = None

    @property
    def place(self) -> Target:
        """Where to show things. Steps that need it are not made without."""
        assert self.target is not None  # noqa: S101 (as said)
        return self.target

    def text(self, key: str, **values: str | int) -> str:
        return TEXTS.say(key, self.language, **values)

    def saw(self, key: str, **values: str | int) -> None:
        """A line of the report."""
        self.lines.append(self.text(key, **values))

    async def tell(self, key: str, **values: str | int) -> None:
        await self.person.tell(key, self.text(key, **values))

    async def look(self, keys: Sequence[str]) -> None:
        """Have each of these looked at: does it look as its sentence says?"""
        for key in keys:
            good = await self.person.agree(key, self.text(key))
            self.saw("look.good" if good else "look.bad", what=self.text(key))
