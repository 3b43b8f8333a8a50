"""What DingTalk pushes, as it is on the wire: everything may be missing, of another type, or JSON in a string."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

LARGEST_MS = 253_402_300_799_000  # the end of the year 9999, where dates end


def clean(text: str) -> str:
    """Without what neither UTF-8 nor a database can hold: halves of characters, and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _text(value: Any) -> str:
    """Numbers are ids and codes that one client writes as text and another does not."""
    return clean(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _milliseconds(value: Any) -> int:
    text = _text(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    return number if number <= LARGEST_MS else 0


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


Text = Annotated[str, BeforeValidator(_text)]
Milliseconds = Annotated[int, BeforeValidator(_milliseconds)]
Json = Annotated[dict[str, Any], BeforeValidator(_object)]


class Pushed(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


Part = TypeVar("Part", bound=Pushed)


class Piece(Pushed):
    """Of a rich text: words, or a picture."""

    type: Text = ""
    msg_type: Text = ""
    text: Text = ""
    content: Text = ""
    download_code: Text = ""
    picture_download_code: Text = ""

    @property
    def words(self) -> str:
        return self.text or self.content

    @property
    def code(self) -> str:
        """The one that every report says works, if it is there."""
        return self.download_code or self.picture_download_code


class Content(Piece):
    """Of a message that is no text, or of the message that is replied to. ``text`` is a string or ``{content}``."""

    rich_text: Annotated[list[Piece], BeforeValidator(_objects)] = Field(default_factory=list)
    file_name: Text = ""
    recognition: Text = ""


class Replied(Pushed):
    """The message that is replied to."""

    msg_id: Text = ""
    msg_type: Text = ""
    msgtype: Text = ""
    content: Any = None
    text: Any = None


class Words(Pushed):
    """Of a text message."""

    content: Any = None
    is_reply_msg: Annotated[bool, BeforeValidator(lambda value: value in (True, "true", 1))] = False
    replied_msg: Annotated[Replied, BeforeValidator(_object)] = Field(default_factory=Replied)


class Message(Pushed):
    """To the bot, over the stream or over HTTP."""

    msg_id: Text = ""
    msgtype: Text = ""
    text: Annotated[Words, BeforeValidator(_object)] = Field(default_factory=Words)
    content: Annotated[Content, BeforeValidator(_object)] = Field(default_factory=Content)
    conversation_type: Text = ""
    conversation_id: Text = ""
    conversation_title: Text = ""
    sender_id: Text = ""
    sender_staff_id: Text = ""
    sender_nick: Text = ""
    sender_corp_id: Text = ""
    chatbot_corp_id: Text = ""
    robot_code: Text = ""
    is_admin: Annotated[bool, BeforeValidator(lambda value: value is True)] = False
    create_at: Milliseconds = 0
    session_webhook: Text = ""
    session_webhook_expired_time: Milliseconds = 0
    error_code: Text = ""
    original_msg_id: Text = ""
    original_process_query_key: Text = ""
    quote_message: Annotated[Replied, BeforeValidator(_object)] = Field(default_factory=Replied)


class Click(Pushed):
    """On a card's button. ``params`` are where the template's kind puts them."""

    out_track_id: Text = ""
    corp_id: Text = ""
    user_id: Text = ""
    content: Json = Field(default_factory=dict)
    action_data: Json = Field(default_factory=dict)
