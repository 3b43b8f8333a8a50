"""What became of each message of a soak: what people saw for it, when, and what it cost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from app.channels.replies import Reply
from bots.sandbox.cards import CardState
from bots.sandbox.chat import Message
from bots.sandbox.gateway import Gateway
from bots.wording import say
from evals.bench.soak_crowd import Said

LATE = "said again, as it may not have arrived"
NO_CALLS = {"open", "connect", "token", "file"}  # cost no quota


@dataclass(frozen=True, slots=True)
class Verdict:
    """Messages without anything to see for them, and with too much. ``repeated``: how many were said again because
    they may not have arrived, in so many words."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    repeated: int


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from asking, of those answers that came in a card, or in a message at once."""

    first_text: tuple[float, ...]
    end: tuple[float, ...]


def judged(gateway: Gateway, said: Sequence[Said], replies: Mapping[str, Reply], jobs: Mapping[str, int]) -> Verdict:
    """``replies`` are the rows of cards, by card id: they tell which message a card is for. ``jobs``: how many were
    begun for a message, by its id; each has something to see of its own."""
    seen: Counter[int] = Counter()
    weak: Counter[int] = Counter()  # cards that failed, and what was said later: something else may speak for them
    loose: defaultdict[str, list[str]] = defaultdict(list)  # conversation → what could be for any message there
    late = 0
    by_id = {one.push.msg_id: one.number for one in said}
    for place, item in gateway.chat.timeline:
        if isinstance(item, CardState):
            number = by_id.get(_message_of(replies.get(item.id)))
            (weak if item.state == "FAILED" else seen)[number or 0] += 1
        elif item.way != "user" and item.kind != "image":  # a picture by the API comes after its caption
            number = _number(item, said, by_id)
            is_late = say("stored", "zh") in item.text
            late += is_late
            if number is None:
                loose[place.id].append(LATE if is_late else f"{place.title}: {item.text[:12]}…")
            else:
                (weak if is_late else seen)[number] += 1
    lost, doubled = [], ["a card of nobody's"] * seen[0]
    for one in said:
        least = 1 + jobs.get(one.push.msg_id, 0)
        missing = least - seen[one.number] - weak[one.number]
        while missing > 0 and loose[one.place.id]:
            loose[one.place.id].remove(min(loose[one.place.id], key=LATE.__eq__))
            missing -= 1
        if missing > 0:
            lost.append(f"No.{one.number}")
        if seen[one.number] > least + one.again or least > 2:
            doubled.append(f"No.{one.number}")
    doubled += [what for what in chain.from_iterable(loose.values()) if what != LATE]
    return Verdict(tuple(lost), tuple(doubled), late)


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


def _number(message: Message, said: Sequence[Said], by_id: Mapping[str, int]) -> int | None:
    """By the number in its words, else by the webhook it came by; what could not be said before came by another's."""
    named = [one.number for one in said if f"No.{one.number} " in message.text]
    if named:
        return named[-1]
    if message.way == "webhook" and say("stored", "zh") not in message.text:
        return by_id.get(message.answers or "")
    return None
