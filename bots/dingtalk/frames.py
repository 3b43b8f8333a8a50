"""Frames of the stream and their acknowledgements. Whatever comes over the connection, nothing here raises."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dingtalk_stream.chatbot import ChatbotMessage
from dingtalk_stream.frames import AckMessage, CallbackMessage, EventMessage, Headers, SystemMessage
from dingtalk_stream.handlers import CallbackHandler

MESSAGES: str = ChatbotMessage.TOPIC
CLICKS: str = CallbackHandler.TOPIC_CARD_CALLBACK
TOPICS = (MESSAGES, CLICKS)
SYSTEM: str = SystemMessage.TYPE
EVENT: str = EventMessage.TYPE
CALLBACK: str = CallbackMessage.TYPE
DISCONNECT: str = SystemMessage.TOPIC_DISCONNECT

OK: int = AckMessage.STATUS_OK
BAD: int = AckMessage.STATUS_BAD_REQUEST
NOT_FOUND: int = AckMessage.STATUS_NOT_IMPLEMENT
FAILED: int = AckMessage.STATUS_SYSTEM_EXCEPTION


@dataclass(frozen=True, slots=True)
class Frame:
    """``data`` is what the frame's string of JSON says; None if it says nothing. Without an ``id`` there can be no
    acknowledgement."""

    type: str
    topic: str
    id: str | None
    data: Any

    @classmethod
    def of(cls, raw: str | bytes) -> "Frame | None":
        """None for what is no frame at all."""
        frame = _object(raw)
        if frame is None:
            return None
        headers = frame.get("headers")
        headers = headers if isinstance(headers, dict) else {}
        message_id = headers.get("messageId")
        return cls(
            type=_word(frame.get("type")),
            topic=_word(headers.get("topic")),
            id=message_id if isinstance(message_id, str) and message_id else None,
            data=_data(frame.get("data")),
        )

    def ack(self, code: int, data: Mapping[str, Any], *, message: str = "") -> str | None:
        """The acknowledgement as it is sent: ``data`` becomes a string of JSON."""
        if self.id is None:
            return None
        ack = AckMessage()
        ack.code, ack.message, ack.data = code, message, dict(data)
        ack.headers.message_id = self.id
        ack.headers.content_type = Headers.CONTENT_TYPE_APPLICATION_JSON
        return json.dumps(ack.to_dict())


def _object(raw: Any) -> dict[str, Any] | None:
    try:
        frame = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return frame if isinstance(frame, dict) else None


def _data(given: Any) -> dict[str, Any] | None:
    return _object(given) if isinstance(given, str | bytes) else given if isinstance(given, dict) else None


def _word(given: Any) -> str:
    return given if isinstance(given, str) else ""
