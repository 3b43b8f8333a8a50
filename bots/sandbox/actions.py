"""Clicks on cards, and what the bot's answer does to the card."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.sandbox.card_bodies import CallbackAnswer
from bots.sandbox.cards import Cards, CardState
from bots.sandbox.clock import Clock
from bots.sandbox.journal import Journal
from bots.sandbox.people import CORP, User
from bots.sandbox.pushes import Ack, Push
from bots.sandbox.wire import Json, Unreadable, dump, parse

CARD_TOPIC = "/v1.0/card/instances/callback"
DUE_MS = 2000.0  # to answer in [D]; after them the client shows a failure


@dataclass(slots=True)
class CardActions:
    """``due_ms`` can be changed while it runs."""

    clock: Clock
    journal: Journal
    cards: Cards
    due_ms: float = DUE_MS

    def click(
        self, card: CardState, user: User, action: str, params: Mapping[str, str], over: Mapping[str, Any]
    ) -> Push:
        """What is pushed. Raises LookupError for a card whose clicks go nowhere."""
        if card.callback is None or card.space is None:
            raise LookupError(f"card {card.id} was not delivered, or its clicks go nowhere")  # [D]
        group = card.space.kind == "group"
        content = {"cardPrivateData": {"actionIds": [action], "params": dict(params)}}
        data: Json = {
            "type": "actionCallback",
            "outTrackId": card.id,
            "corpId": CORP,
            "userId": user.staff_id,
            "userIdType": 1,
            "spaceType": "IM_GROUP" if group else "IM_ROBOT",
            "spaceId": card.space.id if group else user.staff_id,
            "extension": "{}",
            "content": dump(content),
            **over,
        }
        name = secrets.token_hex(8)
        return Push("CALLBACK", CARD_TOPIC, name, data, {}, None, user, card.id, time=self.clock.now())

    def answered(self, push: Push, ack: Ack) -> None:
        """Apply the answer, if it is one and came in time."""
        card = self.cards.all[push.card_id or ""]
        push.response_ms = ack.ms
        push.response = _response(ack.data)
        if ack.ms > self.due_ms:
            push.late = True
            self.journal.violate("callback", f"a click on card {card.id} was answered after {ack.ms:.0f} ms")
            return
        if ack.code != 200 or not push.response:
            return
        try:
            answer = parse(CallbackAnswer, dump(push.response))
        except Unreadable as exc:
            self.journal.violate("callback", f"the answer to a click on card {card.id}: {exc}")
            return
        own = (
            {}
            if push.user is None or answer.user_private_data is None
            else {push.user.staff_id: answer.user_private_data}
        )
        self.cards.apply(card, answer.card_data, answer.card_update_options, own)


def _response(data: str) -> Json | None:
    try:
        read = json.loads(data)
    except ValueError:
        return None
    response = read.get("response") if isinstance(read, dict) else None
    return response if isinstance(response, dict) else None
