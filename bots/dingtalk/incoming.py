"""What DingTalk pushes, in our words. Nothing here raises anything but InvalidInput, whatever comes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from bots.dingtalk.payloads import Click, Content, Message, Replied, clean
from bots.messages import CardAction, Incoming, IncomingFile, Kind, Sender, Target
from knowledge.errors import InvalidInput

QUOTA_SPENT = "20001"
_KINDS: dict[str, Kind] = {"1": "single", "2": "group"}
_WEBHOOK_MS = 5_400_000  # 90 minutes in every example, where a message does not say


@dataclass(frozen=True, slots=True)
class _Read:
    """What a content says; ``readable`` says that there was something."""

    text: str = ""
    pictures: tuple[str, ...] = ()
    files: tuple[IncomingFile, ...] = ()
    readable: bool = True


_NOTHING = _Read(readable=False)


def incoming_of(data: Any, *, robot: str) -> Incoming:
    """A message from a callback's data; ``robot`` is whom it is for where it does not say.

    Raises InvalidInput ``message_malformed`` for what has no id or no conversation: that can't be answered. A message
    whose type or content we can't read is ``unreadable``.
    """
    try:
        message = Message.model_validate(data)
    except ValidationError:
        raise _malformed() from None
    kind = _KINDS.get(message.conversation_type)
    if kind is None or not message.msg_id or not message.conversation_id:
        raise _malformed()
    spent = message.error_code == QUOTA_SPENT
    said = _said(message)
    quoted, quoted_id = _quoted(message)
    return Incoming(
        id=message.msg_id,
        robot=message.robot_code or robot,
        target=_target(message, kind),
        sender=_sender(message),
        text=said.text,
        title=message.conversation_title,
        pictures=said.pictures + quoted.pictures,
        files=said.files + quoted.files,
        quoted=quoted.text or None,
        quoted_id=quoted_id,
        unreadable=None if said.readable or spent else message.msgtype or "unknown",
        quota_spent=spent,
        sent_at=datetime.fromtimestamp(message.create_at / 1000, UTC) if message.create_at else None,
    )


def action_of(data: Any) -> CardAction:
    """A click from a callback's data. Raises InvalidInput ``action_malformed``."""
    try:
        click = Click.model_validate(data)
    except ValidationError:
        raise _malformed("action") from None
    if not click.out_track_id or not click.user_id:
        raise _malformed("action")
    # Where they are depends on the kind of the card's template.
    places = (click.content.get("cardPrivateData"), click.content, click.action_data.get("cardPrivateData"))
    found = [place for place in places if isinstance(place, dict)]
    params = next((params for place in found if (params := _params(place.get("params")))), {})
    names = [name for place in found for name in _names(place.get("actionIds"))]
    return CardAction(
        card_id=click.out_track_id,
        organisation=click.corp_id,
        account=click.user_id,
        action=params.get("action") or next(iter(names), ""),
        params=params,
    )


def _target(message: Message, kind: Kind) -> Target:
    ends = message.session_webhook_expired_time or (message.create_at and message.create_at + _WEBHOOK_MS)
    return Target(
        kind=kind,
        conversation=message.conversation_id,
        organisation=message.chatbot_corp_id or message.sender_corp_id,
        account=None if _is_from_outside(message) else message.sender_staff_id,
        name=message.sender_nick,
        webhook=message.session_webhook or None,
        webhook_until=ends,
        message_id=message.msg_id,
        outsider=(message.sender_id or None) if _is_from_outside(message) else None,
    )


def _sender(message: Message) -> Sender:
    return Sender(
        name=message.sender_nick,
        organisation=message.sender_corp_id or None,
        account=message.sender_staff_id or None,
        admin=message.is_admin,
        external=_is_from_outside(message),
    )


def _is_from_outside(message: Message) -> bool:
    """Who has no staff id here, and who has one of another organisation: that may be somebody else's here."""
    elsewhere = bool(message.sender_corp_id) and message.sender_corp_id != message.chatbot_corp_id
    return not message.sender_staff_id or (elsewhere and bool(message.chatbot_corp_id))


def _said(message: Message) -> _Read:
    if message.msgtype == "text":
        words = message.text.content
        return _Read(clean(words).strip()) if isinstance(words, str) else _NOTHING
    return _content(message.msgtype, message.content)


def _content(kind: str, content: Content) -> _Read:
    """Of a message that is no text: what of it we can read."""
    if kind == "richText" and content.rich_text:
        return _rich(content)
    if kind in ("picture", "image") and content.code:
        return _Read(pictures=(content.code,))
    if kind == "file" and content.code:
        return _Read(files=(IncomingFile(content.code, content.file_name),))
    if kind in ("audio", "voice") and content.recognition.strip():
        return _Read(content.recognition.strip())
    return _NOTHING


def _rich(content: Content) -> _Read:
    """Words follow one another as they were formatted; a picture between them ends a line."""
    text = "".join(piece.words if not piece.code else "\n" for piece in content.rich_text)
    lines = (line.strip() for line in text.splitlines())
    pictures = tuple(piece.code for piece in content.rich_text if piece.code)
    return _Read("\n".join(filter(None, lines)), pictures)


def _quoted(message: Message) -> tuple[_Read, str | None]:
    """The message that is replied to, and its id; of a card there is only an id."""
    text = message.text
    replied = text.replied_msg if text.is_reply_msg or text.replied_msg.msg_id else message.quote_message
    quoted_id = replied.msg_id or message.original_msg_id or message.original_process_query_key
    return _replied(replied), quoted_id or None


def _replied(replied: Replied) -> _Read:
    kind = replied.msg_type or replied.msgtype
    given = replied.content if replied.content is not None else replied.text
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        return _Read(clean(given).strip())
    try:
        content = Content.model_validate(_unpacked(given))
    except ValidationError:
        return _NOTHING
    return _Read(content.words.strip()) if content.words else _content(kind, content)


def _unpacked(given: Any) -> Any:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return {}


def _params(given: Any) -> Mapping[str, str]:
    """Values as text; what is no text is JSON."""
    if not isinstance(given, dict):
        return {}
    return {
        clean(str(name)): clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in given.items()
    }


def _names(given: Any) -> list[str]:
    return [clean(name) for name in given if isinstance(name, str)] if isinstance(given, list) else []


def _malformed(what: str = "message") -> InvalidInput:
    return InvalidInput(f"This is no {what} of DingTalk.", code=f"{what}_malformed")
