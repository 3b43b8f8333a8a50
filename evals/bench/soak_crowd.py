"""People who talk to a bot: they ask, give commands, send pictures and click, as it comes."""

import asyncio
import io
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from PIL import Image

from bots.sandbox.cards import CardState
from bots.sandbox.chat import Message
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation, User
from bots.sandbox.pushes import Push, Redelivery
from bots.wording import say

Kind: TypeAlias = Literal["question", "command", "picture", "unreadable", "last"]

QUESTIONS = ("退货期限是几天？", "退款要多久到账？", "退回运费由谁承担？", "质检通过以后多久退款？")
WEIGHTS: dict[Kind, int] = {"question": 80, "command": 6, "picture": 10, "unreadable": 4}
CLICKS = 0.15  # of what people do is a click
PATIENT_S = 16.0  # DingTalk pushes again what is not acknowledged by then [F]


@dataclass(slots=True, eq=False)
class Said:
    """A message of somebody, under its number. ``again`` counts how often another answer to it was asked for."""

    number: int
    kind: Kind
    push: Push
    place: Conversation
    again: int = 0


@dataclass(slots=True)
class Crowd:
    """``pause``: seconds between two things that one of them does, on average."""

    gateway: Gateway
    chance: random.Random
    places: Sequence[tuple[Conversation, User]]
    pause: float
    said: list[Said] = field(default_factory=list)
    clicks: int = 0
    told: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def talk(self, seconds: float) -> None:
        """All of them, for so long."""
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._one(place, user, until) for place, user in self.places))

    async def say(self, kind: Kind, place: Conversation, user: User) -> Said:
        """One message, pushed again until it is acknowledged, and sometimes though it was."""
        number = len(self.said) + 1
        said = Said(number, kind, Push("CALLBACK", "", "", {}), place)
        self.said.append(said)
        said.push = await self._push(said, user)
        return said

    def was_told(self, place: Conversation, user: User) -> bool:
        """Whether, since this was asked last, the bot said there that a reply to them may not have arrived."""
        others = {said.push.msg_id for said in self.said if said.push.user is not user}
        told = sum(
            isinstance(one, Message) and say("unsure", "zh") in one.text and one.answers not in others
            for one in self.gateway.visible(place)
        )
        news = told > self.told[place.id, user.staff_id]
        self.told[place.id, user.staff_id] = told
        return news

    async def _one(self, place: Conversation, user: User, until: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / self.pause))
            if loop.time() > until:
                return
            if self.was_told(place, user):
                await self.say("last", place, user)
            elif self.chance.random() < CLICKS:
                await self._click(place, user)
            else:
                (kind,) = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
                await self.say(kind, place, user)

    async def _push(self, said: Said, user: User) -> Push:
        redeliver, place, push = self._redelivery(), said.place, self.gateway.push_bot
        match said.kind:
            case "question":
                text = f"No.{said.number} {self.chance.choice(QUESTIONS)}"
                return await push(place, user, text, redeliver=redeliver)
            case "command":
                return await push(place, user, "/帮助", redeliver=redeliver)
            case "last":
                return await push(place, user, "/上一条", redeliver=redeliver)
            case "unreadable":
                content = {"duration": 3, "downloadCode": "x"}
                return await push(place, user, msgtype="video", content=content, redeliver=redeliver)
            case "picture":
                code = self.gateway.put_file(_PHOTO, "photo.png")
                rich = {"richText": [{"text": "/图 白底"}, {"type": "picture", "downloadCode": code}]}
                return await push(place, user, msgtype="richText", content=rich, redeliver=redeliver)

    def _redelivery(self) -> Redelivery:
        if self.chance.random() < 0.1:
            return Redelivery.duplicate(
                self.chance.choice((0.0, 0.5, PATIENT_S)),
                new_message_id=self.chance.random() < 0.5,
                until_acked=PATIENT_S,
            )
        new_id = self.chance.random() < 0.5
        return Redelivery(PATIENT_S, new_message_id=new_id, other_connection=True, until_acked=PATIENT_S)

    async def _click(self, place: Conversation, user: User) -> None:
        """Something on a card of theirs; there may be none."""
        cards = [card for card in self.gateway.visible(place)[-8:] if isinstance(card, CardState)]
        if not cards or not self.gateway.connections:
            return
        card = self.chance.choice(cards)
        question = next((said for said in self.said if card.content.startswith(f"No.{said.number} ")), None)
        action = "approve" if card.id.startswith("job-") else "helpful" if card.ended else "stop"
        if question is not None and card.ended:
            action = self.chance.choice(("helpful", "not_helpful", "regenerate"))
            question.again += action == "regenerate"
        self.clicks += 1
        await self.gateway.push_card_action(card.id, user, action)


def _photo() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 64), (180, 60, 40)).save(made, "PNG")
    return made.getvalue()


_PHOTO = _photo()
