"""What a person sends from the page, as DingTalk pushes it."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from bots.sandbox.cards import CardState
from bots.sandbox.chat import Message
from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation
from bots.sandbox.pushes import Push
from bots.sandbox.wire import Json

_ROBOT = "robot"
_SYLLABLE_MS = 220  # so a recorded sentence has a length


class Attached(BaseModel):
    """A file that was uploaded to the page; ``code`` is what a bot downloads it with."""

    model_config = ConfigDict(frozen=True)

    code: str
    name: str


class Speech(BaseModel):
    """One message. ``quote`` is the number of an item in the chat; ``spoken`` says that it was recorded."""

    model_config = ConfigDict(frozen=True)

    conversation: str
    user: str
    text: str = ""
    pictures: Sequence[Attached] = ()
    file: Attached | None = None
    quote: int | None = None
    spoken: bool = False


class Speaker:
    """Sends messages, and remembers which of them were replies: ``quotes`` is msgId → number of the item."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.quotes: dict[str, int] = {}

    async def say(self, speech: Speech) -> Push:
        """Raises NotConnected, when the message is in the chat all the same; LookupError for what is not there."""
        place = self._gateway.people.conversations[speech.conversation]
        user = self._gateway.people.users[speech.user]
        kind, content = _content(place, speech)
        msg_id = f"msg{secrets.token_urlsafe(12)}=="
        if kind == "text" and speech.quote is not None:
            _, item = self._gateway.chat.timeline[speech.quote]
            self.quotes[msg_id] = speech.quote
            content = {"isReplyMsg": True, "repliedMsg": _replied(item)}
        return await self._gateway.push_bot(place, user, speech.text, msgtype=kind, content=content, msg_id=msg_id)


def _replied(item: Message | CardState) -> Json:
    """[D] What is replied to comes along; of a card nothing but its id."""
    if isinstance(item, CardState):
        return {"msgId": item.id, "msgType": "interactiveCard", "senderId": _ROBOT}
    attached = item.way == "user" and item.kind != "text"
    return {
        "msgId": item.answers if item.way == "user" else item.id,
        "msgType": item.kind if attached else "text",
        "senderId": item.user.sender_id if item.user else _ROBOT,
        "createdAt": round(item.time * 1000),
        "content": dict(item.body) if attached else {"text": item.text},
    }


def _content(place: Conversation, speech: Speech) -> tuple[str, Mapping[str, Any] | None]:
    """Type and content; a text's own is made by the gateway. In a group a picture needs words, for the mention [D]."""
    if speech.file is not None:
        return "file", {"downloadCode": speech.file.code, "fileName": speech.file.name, "spaceId": "1", "fileId": "1"}
    if speech.spoken:
        duration = max(1000, len(speech.text) * _SYLLABLE_MS)
        return "audio", {"duration": duration, "downloadCode": "sandbox-audio", "recognition": speech.text}
    pictures = [{"downloadCode": one.code, "pictureDownloadCode": one.code} for one in speech.pictures]
    if len(pictures) == 1 and not speech.text and place.kind == "single":
        return "picture", pictures[0]
    if pictures:
        words = [{"text": speech.text}] if speech.text else []
        return "richText", {"richText": [*words, *({"type": "picture", **one} for one in pictures)]}
    return "text", None
