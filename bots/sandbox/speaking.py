"""Messages and events as they are written for a bot."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bots.sandbox.chat import Chat
from bots.sandbox.clock import Clock
from bots.sandbox.people import CORP, Conversation, User
from bots.sandbox.pushes import Push
from bots.sandbox.robots import Robots
from bots.sandbox.wire import Json

BOT_TOPIC = "/v1.0/im/bot/messages/get"
_ROBOT = "$:LWCP_v1:$sandboxRobot"


@dataclass(slots=True)
class Speaking:
    """``webhook_life`` is in seconds: 90 minutes in every official sample [D], 30 s was seen too [F]."""

    clock: Clock
    robots: Robots
    client_id: str
    base: Callable[[], str]
    webhook_life: float = 5400.0

    def message(
        self,
        conversation: Conversation,
        user: User,
        spoken: Mapping[str, Any],
        *,
        msg_id: str | None,
        over: Mapping[str, Any],
    ) -> Push:
        name = msg_id or "msg" + base64.b64encode(secrets.token_bytes(12)).decode() + "=="
        now = self.clock.ms()
        until = now + round(self.webhook_life * 1000)
        session = self.robots.open_session(conversation, until, name)
        data: Json = {
            "msgId": name,
            **_body(conversation, spoken),
            **_where(conversation),
            **_who(user),
            "chatbotCorpId": CORP,
            "chatbotUserId": _ROBOT,
            "robotCode": self.client_id,
            "createAt": now,
            "sessionWebhook": f"{self.base()}/robot/sendBySession?session={session}",
            "sessionWebhookExpiredTime": until,
            **over,
        }
        data = {key: value for key, value in data.items() if value is not None}
        return Push("CALLBACK", BOT_TOPIC, name, data, {}, conversation, user, time=self.clock.now())

    def withhold(self, push: Push) -> None:
        """[D] The month's messages are used up: neither text nor content."""
        for field in ("text", "content"):
            push.data.pop(field, None)
        push.data.update(errorCode="20001", errorMessage="本月消息量已用尽")

    def event(self, event_type: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Push:
        name = secrets.token_hex(8)
        all_headers = {
            "eventType": event_type,
            "eventId": name,
            "eventCorpId": CORP,
            "eventBornTime": str(self.clock.ms()),
            "eventUnifiedAppId": "sandbox-app",
            **headers,
        }
        return Push("EVENT", "*", name, dict(body), all_headers, time=self.clock.now())

    def show(self, chat: Chat, push: Push, text: str, content: Mapping[str, Any] | None) -> None:
        """In the chat."""
        if push.conversation is not None and push.user is not None:
            more = {"user": push.user, "body": dict(content or {}), "answers": push.msg_id}
            chat.say(push.conversation, "user", str(push.data.get("msgtype", "")), text, **more)


def _body(conversation: Conversation, spoken: Mapping[str, Any]) -> Json:
    """[D] In a group the mention of the robot is taken out of the text, and leaves a space. The content of a text is
    what else its ``text`` has: the message that is replied to."""
    kind, text, content = spoken["msgtype"], spoken["text"], spoken["content"]
    if kind == "text":
        said = f" {text}" if conversation.kind == "group" else text
        return {"msgtype": kind, "text": {"content": said, **(content or {})}}
    return {"msgtype": kind, "content": dict(content or {})}


def _where(conversation: Conversation) -> Json:
    if conversation.kind == "single":
        return {"conversationType": "1", "conversationId": conversation.id}
    return {
        "conversationType": "2",
        "conversationId": conversation.id,
        "conversationTitle": conversation.title,
        "isInAtList": True,
        "atUsers": [{"dingtalkId": _ROBOT}],
    }


def _who(user: User) -> Json:
    """[D] Of people from outside there is no staff id."""
    return {
        "senderId": user.sender_id,
        "senderStaffId": None if user.external else user.staff_id,
        "senderNick": user.name,
        "senderCorpId": None if user.external else CORP,
        "senderPlatform": "Mac",
        "isAdmin": user.admin,
    }
