"""What the page shows of the chats, as JSON."""

import json
from collections.abc import Mapping

from bots.sandbox.cards import CardState
from bots.sandbox.chat import Message
from bots.sandbox.gateway import Gateway
from bots.sandbox.page.cast import Cast
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push
from bots.sandbox.wire import Json

HUES = 5  # of the page's avatars
_CARD_TEXT = 120  # characters of a card that a reply shows


def people(gateway: Gateway, cast: Cast) -> list[Json]:
    roles = {one.id: one.role for one in cast.people}
    return [
        {"id": user.staff_id, "name": user.name, "role": roles.get(user.staff_id, "viewer"), "hue": number % HUES}
        for number, user in enumerate(gateway.people.users.values())
    ]


def conversations(gateway: Gateway, cast: Cast) -> list[Json]:
    operators = {group.title for group in cast.groups if group.operators}
    return [
        {
            "id": one.id,
            "title": one.title,
            "kind": one.kind,
            "operators": one.kind == "group" and one.title in operators,
            "members": [user.staff_id for user in one.members],
        }
        for one in gateway.people.conversations.values()
    ]


def items(gateway: Gateway, quotes: Mapping[str, int]) -> dict[str, Json]:
    """The chats' items by their number."""
    clicks = _clicks(gateway)
    return {
        str(number): _item(gateway, number, place, item, quotes, clicks)
        for number, (place, item) in enumerate(gateway.chat.timeline)
    }


def _item(
    gateway: Gateway,
    number: int,
    place: Conversation,
    item: Message | CardState,
    quotes: Mapping[str, int],
    clicks: Mapping[str, list[Json]],
) -> Json:
    shown = _card(gateway, item) if isinstance(item, CardState) else _message(gateway, item, quotes)
    if isinstance(item, CardState):
        shown["clicks"] = clicks.get(item.id, [])
    return {"number": number, "conversation": place.id, **shown}


def _message(gateway: Gateway, message: Message, quotes: Mapping[str, int]) -> Json:
    quote = quotes.get(message.answers or "") if message.way == "user" else None
    shown = {
        "type": "message",
        "way": message.way,
        "kind": message.kind,
        "user": message.user.staff_id if message.user else None,
        "text": message.text,
        "title": message.title,
        "image": message.image,
        "at": _mentioned(gateway, message.at),
        "time": round(message.time * 1000),
        "quote": None if quote is None else _quoted(gateway, quote),
    }
    return {**shown, **_content(message)} if message.way == "user" else shown


def _content(message: Message) -> Json:
    """Of what a person sent besides words."""
    body = message.body
    rich = [part["downloadCode"] for part in body.get("richText", ()) if part.get("downloadCode")]
    pictures = rich or ([body["downloadCode"]] if message.kind == "picture" and "downloadCode" in body else [])
    words = " ".join(part["text"] for part in body.get("richText", ()) if part.get("text"))
    return {
        "pictures": pictures,
        "text": message.text or words,
        "file": body.get("fileName"),
        "seconds": round(body["duration"] / 1000) if message.kind == "audio" else None,
        "recognition": body.get("recognition"),
    }


def _card(gateway: Gateway, card: CardState) -> Json:
    return {
        "type": "card",
        "card": card.id,
        "template": card.template.id,
        "streams": card.template.streaming_key,
        "state": card.state,
        "values": card.values,
        "private": card.private,
        "blank": card.rendered_blank,
        "frames": len(card.frames),
        "at": _mentioned(gateway, card.at),
        "time": round(card.created * 1000),
    }


def _quoted(gateway: Gateway, number: int) -> Json:
    _, item = gateway.chat.timeline[number]
    if isinstance(item, CardState):
        return {"number": number, "user": None, "text": (item.content or item.values.get("title", ""))[:_CARD_TEXT]}
    shown = _message(gateway, item, {})
    return {"number": number, "user": shown["user"], "text": (shown["text"] or shown.get("file") or "")[:_CARD_TEXT]}


def _mentioned(gateway: Gateway, ids: tuple[str, ...]) -> list[Json]:
    known = gateway.people.users
    return [{"id": name, "name": known[name].name if name in known else name} for name in ids]


def _clicks(gateway: Gateway) -> dict[str, list[Json]]:
    """By card: who clicked what, how fast it was answered, and whether the card changed."""
    found: dict[str, list[Json]] = {}
    for push in gateway.pushes:
        if push.card_id is not None:
            found.setdefault(push.card_id, []).append(_click(push))
    return {card: clicks[-3:] for card, clicks in found.items()}


def _click(push: Push) -> Json:
    private = json.loads(push.data["content"])["cardPrivateData"]
    return {
        "user": push.user.staff_id if push.user else None,
        "action": private["actionIds"][0],
        "params": private["params"],
        "ms": None if push.response_ms is None else round(push.response_ms, 1),
        "late": push.late,
        "changed": bool(push.response),
    }
