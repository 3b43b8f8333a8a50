"""What became of each message of a soak: what people saw for it, when, and what it cost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from app.channels.replies import Reply
from bots.sandbox.cards import CardState
from bots.sandbox.chat import Message
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.wording import say
from evals.bench.soak_crowd import Said

LATE = "said later"
_LINE = "\n\n---\n\n"  # between the replies that are said again
NOBODY = 0
NO_CALLS = {"open", "connect", "token", "file"}  # cost no quota


@dataclass(frozen=True, slots=True)
class Verdict:
    """Messages without anything to see for them, and with too much. ``repeated``: how many were said later, or again
    for people who asked for them because they may not have arrived."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    repeated: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from asking, of those answers that came in a card, or in a message at once."""

    first_text: tuple[float, ...]
    end: tuple[float, ...]


@dataclass(slots=True)
class _Seen:
    """What people saw, by the number of the message it is for. ``weak`` may stand beside something else: cards that
    failed, and what was said later; ``loose`` is what could be for any message in a conversation."""

    said: Sequence[Said]
    numbers: Mapping[str, int]
    strong: Counter[int] = field(default_factory=Counter)
    weak: Counter[int] = field(default_factory=Counter)
    loose: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    late: int = 0

    def card(self, card: CardState, reply: Reply | None) -> None:
        number = self.numbers.get(_message_of(reply))
        (self.weak if card.state == "FAILED" else self.strong)[number or NOBODY] += 1

    def message(self, place: Conversation, message: Message) -> None:
        """By the number in its words, else by the webhook it came by."""
        named = [one.number for one in self.said if f"No.{one.number} " in message.text]
        mine = self.numbers.get(message.answers or "") if message.way == "webhook" else None
        if say("unsure", "zh") in message.text:
            return
        if say("stored", "zh") in message.text:
            self._later(place, named, 1)
            return
        if say("last", "zh") in message.text:
            self._later(place, named, message.text.count(_LINE))
        elif named:
            mine = named[-1]
        if mine is None:
            self.loose[place.id].append(f"{place.title}: {message.text[:12]}…")
        else:
            self.strong[mine] += 1

    def _later(self, place: Conversation, named: Sequence[int], parts: int) -> None:
        self.late += parts
        self.weak.update(named)
        self.loose[place.id] += [LATE] * (parts - len(named))


def judged(gateway: Gateway, said: Sequence[Said], replies: Mapping[str, Reply], jobs: Mapping[str, int]) -> Verdict:
    """``replies`` are the rows of cards, by card id: they tell which message a card is for. ``jobs``: how many were
    begun for a message, by its id; each has something to see of its own."""
    seen = _Seen(said, {one.push.msg_id: one.number for one in said})
    for place, item in gateway.chat.timeline:
        if isinstance(item, CardState):
            seen.card(item, replies.get(item.id))
        elif item.way != "user" and item.kind != "image":  # a picture by the API comes after its caption
            seen.message(place, item)
    lost, doubled = [], ["a card of nobody's"] * seen.strong[NOBODY]
    for one in said:
        least = 1 + jobs.get(one.push.msg_id, 0)
        missing = least - seen.strong[one.number] - seen.weak[one.number]
        loose = seen.loose[one.place.id]
        while missing > 0 and loose:
            loose.remove(min(loose, key=LATE.__eq__))
            missing -= 1
        if missing > 0:
            lost.append(f"No.{one.number} {one.kind} in {one.place.title}")
        if seen.strong[one.number] > least + one.again or least > 2:
            doubled.append(f"No.{one.number}")
    doubled += [what for what in chain.from_iterable(seen.loose.values()) if what != LATE]
    return Verdict(tuple(lost), tuple(doubled), seen.late)


def waits(gateway: Gateway, said: Sequence[Said], replies: Mapping[str, Reply]) -> Waits:
    """Of questions."""
    questions = {one.push.msg_id: one.push.time for one in said if one.kind == "question"}
    first: list[float] = []
    end: list[float] = []
    for card in gateway.cards.values():
        asked = questions.pop(_message_of(replies.get(card.id)), None)
        if asked is not None and card.frames:
            first.append(card.frames[0].time - asked)
            end.append(card.frames[-1].time - asked)
    for message in gateway.messages:
        if message.answers in questions:
            first.append(message.time - questions[message.answers])
            end.append(message.time - questions.pop(message.answers))
    return Waits(tuple(first), tuple(end))


def calls_made(gateway: Gateway) -> int:
    """What the quotas count."""
    return sum(call.route not in NO_CALLS for call in gateway.calls)


def throttled(gateway: Gateway) -> int:
    """Calls that came too fast; those that were refused on purpose are none."""
    return sum(call.throttled and not call.fault for call in gateway.calls)


def _message_of(reply: Reply | None) -> str:
    return "" if reply is None else str(reply.target.get("message_id") or "")
