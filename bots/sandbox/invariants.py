"""What must hold when all is quiet: everything acknowledged in time, everything answered once, no card left open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bots.sandbox.cards import CardState
from bots.sandbox.chat import Chat, Message
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push

_P95 = 1000.0  # milliseconds to acknowledge in
_MOST = 3000.0  # [D] for events; the platform pushes again after it


def broken(pushes: Sequence[Push], cards: Iterable[CardState]) -> list[str]:
    """Of acknowledgements and cards."""
    return [*_acks(pushes), *_slow(pushes), *_cards(cards)]


def answers(pushes: Sequence[Push], chat: Chat) -> list[str]:
    """Every message has something to see for it, and nothing was answered twice."""
    places = {push.conversation.id: push.conversation for push in pushes if push.conversation is not None}
    found: list[str] = []
    for place in places.values():
        messages = _distinct([push for push in pushes if push.conversation is place])
        found += _unanswered(messages, outcomes(chat, place))
        found += _twice(messages, outcomes(chat, place), place)
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something that people saw: the messages by one webhook, a run of messages by API, or a card.

    ``weak`` ones may be an answer, and are no second one: a card that failed, and is spoken for by something else; a
    run right after a webhook's message, which may be the rest of it. ``to`` is the msgId, if known.
    """

    time: float
    what: str
    to: str | None = None
    weak: bool = False


def outcomes(chat: Chat, conversation: Conversation) -> list[Outcome]:
    """A long answer is several messages, and one outcome; the same message twice is two."""
    visible = [item for item in chat.visible(conversation) if isinstance(item, CardState) or item.way != "robot"]
    found: list[Outcome] = []
    by_webhook: dict[str | None, set[str]] = {}
    run: set[str] = set()
    before: set[str] = set()
    for item in visible:
        if isinstance(item, CardState) or item.way == "user":
            run, before = set(), set()
            found += _card(item)
            continue
        seen = by_webhook.setdefault(item.answers, set()) if item.way == "webhook" else run
        if not seen or _words(item) in seen:
            rest = item.way == "api" and bool(before) and _words(item) not in before
            found.append(Outcome(item.time, f"{item.kind} {_words(item)[:40]!r}", item.answers, weak=rest))
        seen.add(_words(item))
        before = seen
    return found


def _card(item: CardState | Message) -> list[Outcome]:
    if not isinstance(item, CardState) or item.rendered_blank:
        return []
    return [Outcome(item.created, f"card {item.id}", weak=item.state == "FAILED")]


def _words(message: Message) -> str:
    return message.text or message.image or message.title or message.id


def _distinct(pushes: Iterable[Push]) -> list[Push]:
    """A msgId that was pushed by hand more than once is one message: the first."""
    first: dict[str, Push] = {}
    for push in pushes:
        first.setdefault(push.msg_id, push)
    return list(first.values())


def _unanswered(messages: Sequence[Push], seen: Sequence[Outcome]) -> list[str]:
    """Webhooks tell what they answer; the rest is given to the messages in turn."""
    named = {outcome.to for outcome in seen if outcome.to is not None}
    spare = [outcome for outcome in seen if outcome.to is None]
    found = []
    for push in messages:
        acknowledged = push.acked.is_set() and push.ack_code == 200
        if push.msg_id in named or not push.wants_answer or not acknowledged:
            continue
        own = next((outcome for outcome in spare if outcome.time >= push.time), None)
        if own is None:
            found.append(f"outcome: message {push.msg_id} has nothing to see for it")
        else:
            spare.remove(own)
    return found


def _twice(messages: Sequence[Push], seen: Sequence[Outcome], place: Conversation) -> list[str]:
    strong = [outcome for outcome in seen if not outcome.weak]
    expected = sum(push.answers for push in messages)
    if len(strong) <= expected:
        return []
    return [
        f"extra: {len(strong)} answers for {expected} in {place.title}: "
        + ", ".join(outcome.what for outcome in strong)
    ]


def _acks(pushes: Sequence[Push]) -> list[str]:
    return [
        f"ack: {push.topic} {delivery.message_id} was never acknowledged"
        for push in pushes
        for delivery in push.deliveries
        if not delivery.acks and not delivery.lost and not delivery.connection.frozen
    ]


def _slow(pushes: Sequence[Push]) -> list[str]:
    """F14: by the first acknowledgement of each delivery. Clicks have two seconds, which is a rule of its own."""
    others = [push for push in pushes if push.card_id is None]
    times = sorted(delivery.acks[0].ms for push in others for delivery in push.deliveries if delivery.acks)
    if not times:
        return []
    p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
    if p95 <= _P95 and times[-1] <= _MOST:
        return []
    return [f"slow: acknowledged in {p95:.0f} ms (p95), at most {times[-1]:.0f} ms"]


def _cards(cards: Iterable[CardState]) -> list[str]:
    shown = [card for card in cards if card.spaces]
    left = [f"open: card {card.id} is left {card.state}" for card in shown if not card.ended]
    return left + [
        f"blank: card {card.id} shows nothing: {len(card.content)} characters" for card in shown if card.rendered_blank
    ]
