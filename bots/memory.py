"""The twin of a chat platform: remembers what people would see, and fails as it is told to."""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bots.messages import Target
from bots.ports import Card, ChannelRefused, Picture, Sent, Template


@dataclass(frozen=True, slots=True)
class Said:
    """A Markdown message."""

    target: Target
    markdown: str
    title: str = ""
    mention: bool = False


@dataclass(frozen=True, slots=True)
class ShownPictures:
    """A message with pictures."""

    target: Target
    pictures: tuple[Picture, ...]
    caption: str = ""
    mention: bool = False


@dataclass(slots=True)
class ShownCard:
    """A card as it looks now. ``frames`` are all its texts in turn; ``state`` is open, done or failed; ``finals``
    counts the updates that were said to be the last."""

    target: Target
    card: Card
    values: dict[str, str]
    frames: list[str] = field(default_factory=list)
    state: str = "open"
    updates: list[dict[str, str]] = field(default_factory=list)
    finals: int = 0

    @property
    def text(self) -> str:
        return self.frames[-1] if self.frames else ""


@dataclass(frozen=True, slots=True)
class _Fault:
    error: BaseException
    lost: bool


class MemoryMessenger:
    """:class:`bots.ports.Messenger` without a platform.

    ``log`` has (call, key) of every call in turn, those that failed included; the key is the conversation or the card.
    """

    def __init__(self, templates: Collection[Template] = ("answer", "job")) -> None:
        self.templates = frozenset(templates)
        self.said: list[Said] = []
        self.shown: list[ShownPictures] = []
        self.cards: dict[str, ShownCard] = {}
        self.uploads: list[Picture] = []
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self.closed = False
        self._faults: defaultdict[str, deque[_Fault]] = defaultdict(deque)
        self._guids: set[str] = set()

    def fail(self, call: str, error: BaseException, *, times: int = 1, lost: bool = False) -> None:
        """The next calls of a method raise. ``lost``: they have their effect, and only the answer is lost."""
        self._faults[call].extend([_Fault(error, lost)] * times)

    def mend(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()

    def in_conversation(self, conversation: str) -> list[str]:
        """The Markdown that was said in a place, in turn."""
        return [each.markdown for each in self.said if each.target.conversation == conversation]

    async def say(self, target: Target, markdown: str, *, title: str = "", mention: bool = False) -> Sent:
        lost = self._begin("say", target.conversation)
        self.said.append(Said(target, markdown, title, mention))
        _answer(lost)
        return Sent("webhook" if target.webhook else "api")

    async def show(
        self, target: Target, pictures: Sequence[Picture], *, caption: str = "", mention: bool = False
    ) -> Sent:
        lost = self._begin("show", target.conversation)
        self.shown.append(ShownPictures(target, tuple(pictures), caption, mention))
        _answer(lost)
        return Sent("webhook" if target.webhook else "api")

    async def open_card(self, target: Target, card: Card) -> None:
        lost = self._begin("open_card", card.id)
        if card.template not in self.templates:
            raise ChannelRefused(f"There is no template “{card.template}”.", code="template_unusable")
        self.cards.setdefault(card.id, ShownCard(target, card, dict(card.values)))
        _answer(lost)

    async def frame(
        self, card_id: str, markdown: str, *, final: bool = False, failed: bool = False, guid: str | None = None
    ) -> None:
        lost = self._begin("frame", card_id)
        card = self._card(card_id)
        if not markdown:
            raise ChannelRefused("A frame without a text.", code="content_empty")
        if guid is None or guid not in self._guids:
            self._guids |= {guid} if guid else set()
            card.frames.append(markdown)
            card.state = "failed" if failed else "done" if final else card.state
        _answer(lost)

    async def update_card(self, card_id: str, values: Mapping[str, str], *, final: bool = False) -> None:
        lost = self._begin("update_card", card_id)
        card = self._card(card_id)
        card.values |= values
        card.updates.append(dict(values))
        card.finals += final
        _answer(lost)

    async def upload(self, picture: Picture) -> str:
        lost = self._begin("upload", picture.name)
        if picture.link is not None:
            return picture.link
        self.uploads.append(picture)
        _answer(lost)
        return f"@media-{len(self.uploads)}"

    async def download(self, code: str, *, limit: int) -> bytes:
        self._begin("download", code)
        if code not in self.files:
            raise ChannelRefused("There is no such file.", code="file_not_found")
        if len(self.files[code]) > limit:
            raise ChannelRefused("The file is too large.", code="too_large")
        return self.files[code]

    async def close(self) -> None:
        self.closed = True

    def _begin(self, call: str, key: str) -> BaseException | None:
        """Raises what the call was told to fail with; → what to raise after it had its effect."""
        self.log.append((call, key))
        faults = self._faults[call]
        fault = faults.popleft() if faults else None
        if fault is not None and not fault.lost:
            raise fault.error
        return fault.error if fault is not None else None

    def _card(self, card_id: str) -> ShownCard:
        if card_id not in self.cards:
            raise ChannelRefused("There is no such card.", code="card_unknown")
        return self.cards[card_id]


class MemoryRobots:
    """The twin of custom robots: ``names`` are those that are set up, ``said`` has (robot, title, Markdown)."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self.names = frozenset(names)
        self.said: list[tuple[str, str, str]] = []
        self._keys: set[str] = set()
        self._faults: deque[_Fault] = deque()

    def fail(self, error: BaseException, *, times: int = 1, lost: bool = False) -> None:
        """As :meth:`MemoryMessenger.fail`."""
        self._faults.extend([_Fault(error, lost)] * times)

    async def say(self, robot: str, markdown: str, *, title: str = "", key: str | None = None) -> Sent:
        fault = self._faults.popleft() if self._faults else None
        if fault is not None and not fault.lost:
            raise fault.error
        if robot not in self.names:
            raise ChannelRefused(f"There is no robot “{robot}”.", code="recipient_unknown")
        if key is None or key not in self._keys:
            self._keys |= {key} if key else set()
            self.said.append((robot, title, markdown))
        _answer(fault.error if fault is not None else None)
        return Sent("webhook")


def _answer(lost: BaseException | None) -> None:
    if lost is not None:
        raise lost
