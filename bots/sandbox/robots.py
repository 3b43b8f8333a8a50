"""Messages of the robot: by session webhook, by the send APIs, and of custom robots with a webhook of their own."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from pydantic import Field

from bots.sandbox.chat import Chat, Message
from bots.sandbox.clock import Clock
from bots.sandbox.journal import Journal
from bots.sandbox.limits import Limits
from bots.sandbox.people import Conversation, People
from bots.sandbox.wire import Body, Json, OldRefused, Refused

WEBHOOK_BYTES = 20_000  # [D] with JSON's escapes
PARAM_BYTES = 15_000  # [D]
_SKEW = 3600.0  # seconds that a signature's time may be off [D]

# What each kind of message cannot do without [D]
_WEBHOOK: Mapping[str, tuple[str, ...]] = {
    "text": ("content",),
    "markdown": ("title", "text"),
    "link": ("title", "text", "messageUrl"),
    "actionCard": ("title", "text"),
    "feedCard": ("links",),
    "empty": (),
}
_KEYS: Mapping[str, tuple[str, ...]] = {
    "sampleText": ("content",),
    "sampleMarkdown": ("title", "text"),
    "sampleImageMsg": ("photoURL",),
    "sampleLink": ("title", "text", "picUrl", "messageUrl"),
    "sampleActionCard": ("title", "text", "singleTitle", "singleURL"),
    **{
        f"sampleActionCard{count}": (
            "title",
            "text",
            *(f"action{part}{number}" for number in range(1, count + 1) for part in ("Title", "URL")),
        )
        for count in range(2, 6)
    },
    "sampleActionCard6": ("title", "text", "buttonTitle1", "buttonUrl1", "buttonTitle2", "buttonUrl2"),
    "sampleAudio": ("mediaId", "duration"),
    "sampleFile": ("mediaId", "fileName", "fileType"),
    "sampleVideo": ("duration", "videoMediaId", "videoType", "picMediaId"),
}
_KINDS = {"sampleText": "text", "sampleMarkdown": "markdown", "sampleImageMsg": "image", "sampleLink": "link"}


class At(Body):
    at_user_ids: list[str | None] = Field(default_factory=list)
    is_at_all: bool = False


class WebhookMessage(Body):
    msgtype: str
    at: At = At()
    msg_uuid: str | None = None

    def part(self) -> dict[str, Any]:
        found = (self.model_extra or {}).get(self.msgtype)
        return found if isinstance(found, dict) else {}


class GroupSend(Body):
    robot_code: str
    open_conversation_id: str
    msg_key: str
    msg_param: str


class SingleSend(Body):
    robot_code: str
    user_ids: list[str] = Field(min_length=1)
    msg_key: str
    msg_param: str


@dataclass(frozen=True, slots=True)
class Session:
    """A webhook that came with a message. ``until`` is in milliseconds."""

    conversation: Conversation
    until: int
    msg_id: str | None


@dataclass(slots=True, eq=False)
class CustomRobot:
    """A robot that somebody added to a group; with a secret its calls must be signed."""

    conversation: Conversation
    secret: str | None
    seen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Robots:
    """``flow_controlled`` are people that get nothing more today; they are listed in the answer [D]."""

    clock: Clock
    journal: Journal
    people: People
    chat: Chat
    limits: Limits
    robot_code: str
    most_users: int = 20  # [D]; another page says 100
    flow_controlled: set[str] = field(default_factory=set)
    sessions: dict[str, Session] = field(default_factory=dict)
    custom: dict[str, CustomRobot] = field(default_factory=dict)

    def open_session(self, conversation: Conversation, until: int, msg_id: str | None) -> str:
        name = secrets.token_hex(12)
        self.sessions[name] = Session(conversation, until, msg_id)
        return name

    def add_robot(self, conversation: Conversation, secret: str | None) -> str:
        name = secrets.token_hex(12)
        self.custom[name] = CustomRobot(conversation, secret)
        return name

    def by_session(self, name: str, raw: bytes, body: WebhookMessage) -> Json:
        """Raises OldRefused."""
        session = self.sessions.get(name)
        if session is None or session.until <= self.clock.ms():
            raise OldRefused(300001, "session 不存在")  # [F]
        self._check(raw, body)
        self.limits.webhook(name)
        if not self.limits.message():
            raise OldRefused(90020, "本月消息量已用尽")  # [?] the number
        if None in body.at.at_user_ids:
            self.journal.warn("webhook", "null in atUserIds")
        self._say(session.conversation, body, way="webhook", answers=session.msg_id)
        return {"errcode": 0, "errmsg": "ok"}

    def by_custom(self, query: Mapping[str, str], raw: bytes, body: WebhookMessage) -> Json:
        """Raises OldRefused."""
        name = query.get("access_token", "")
        robot = self.custom.get(name)
        if robot is None:
            raise OldRefused(300005, "token is not exist")  # [D]
        self._check_signature(robot, query)
        self._check(raw, body)
        if body.msg_uuid and body.msg_uuid in robot.seen:
            return {"errcode": 0, "errmsg": "ok"}  # [D] once for each msgUuid
        self.limits.robot(name)
        robot.seen.add(body.msg_uuid or "")
        self._say(robot.conversation, body, way="robot", answers=None)
        return {"errcode": 0, "errmsg": "ok"}

    def to_group(self, body: GroupSend) -> Json:
        """Raises Refused."""
        fields = self._fields(body)
        conversation = self.people.group(body.open_conversation_id)
        if conversation is None:
            raise Refused(400, "invalid.openConversationId", "群不存在")  # [D]
        return {"processQueryKey": self._send(conversation, body.msg_key, fields)}

    def to_people(self, body: SingleSend) -> Json:
        """Success with two lists of who got nothing [D]. Raises Refused."""
        fields = self._fields(body)
        if len(body.user_ids) > self.most_users:
            raise Refused(400, "invalidParameter.userIds.overMax", "userIds 超过上限")  # [D]
        invalid = [user for user in body.user_ids if self.people.staff(user) is None]
        slowed = [user for user in body.user_ids if user in self.flow_controlled]
        key = secrets.token_hex(8)
        for name in body.user_ids:
            user = self.people.staff(name)
            if user is not None and name not in slowed:
                key = self._send(self.people.single(user), body.msg_key, fields)
        return {"processQueryKey": key, "invalidStaffIdList": invalid, "flowControlledStaffIdList": slowed}

    def _check(self, raw: bytes, body: WebhookMessage) -> None:
        """[D] What every webhook asks of a message."""
        if len(raw) > WEBHOOK_BYTES:
            raise OldRefused(460101, "消息内容过长")
        if body.msgtype not in _WEBHOOK:
            raise OldRefused(400105, "不支持的消息类型")
        if missing := [name for name in _WEBHOOK[body.msgtype] if not body.part().get(name)]:
            raise OldRefused(40035, f"缺少参数 {missing[0]}")  # [?] the number

    def _check_signature(self, robot: CustomRobot, query: Mapping[str, str]) -> None:
        if robot.secret is None:
            return
        timestamp = query.get("timestamp", "")
        fresh = timestamp.isdigit() and abs(int(timestamp) / 1000 - self.clock.now()) <= _SKEW
        if not fresh or not hmac.compare_digest(sign(timestamp, robot.secret), query.get("sign", "")):
            raise OldRefused(310000, "sign not match")  # [D]

    def _fields(self, body: GroupSend | SingleSend) -> dict[str, Any]:
        """[D] The message of a send API. Raises Refused."""
        if body.robot_code != self.robot_code:
            raise Refused(400, "invalidParameter.robotCode.auth", "robotCode 无权限")
        if len(body.msg_param.encode()) > PARAM_BYTES:
            raise Refused(400, "invalidParameter.msgParam.tooLong", "msgParam 过长")
        try:
            fields = json.loads(body.msg_param)
        except ValueError as exc:
            raise Refused(400, "invalidParameter.msgParam.invalid", "msgParam 不是 JSON") from exc
        if not isinstance(fields, dict) or body.msg_key not in _KEYS:
            raise Refused(400, "invalidParameter.msgKey.invalid", "msgKey 无效")
        if missing := [name for name in _KEYS[body.msg_key] if not fields.get(name)]:
            raise Refused(400, "invalidParameter.msgParam.invalid", f"msgParam 缺少 {missing[0]}")
        return fields

    def _send(self, conversation: Conversation, key: str, fields: Mapping[str, Any]) -> str:
        kind = _KINDS.get(key, "file" if key == "sampleFile" else "card")
        text = str(fields.get("text") or fields.get("content") or fields.get("fileName") or "")
        image = fields.get("photoURL") or fields.get("mediaId")
        more = {"title": str(fields.get("title", "")), "image": image, "body": {"msgKey": key, **fields}}
        return self.chat.say(conversation, "api", kind, text, **more).id

    def _say(
        self, conversation: Conversation, body: WebhookMessage, *, way: Any, answers: str | None
    ) -> Message | None:
        """``empty`` shows nothing. Who is to be mentioned must be in the text too [D]."""
        if body.msgtype == "empty":
            return None
        part = body.part()
        text = str(part.get("content") or part.get("text") or "")
        at = ("*",) if body.at.is_at_all else tuple(user for user in body.at.at_user_ids if user and f"@{user}" in text)
        kind = body.msgtype if body.msgtype in {"text", "markdown", "link"} else "card"
        more = {"title": str(part.get("title", "")), "at": at, "answers": answers, "body": body.model_dump()}
        return self.chat.say(conversation, way, kind, text, **more)


def sign(timestamp: str, secret: str) -> str:
    """[D] Of a custom robot's call, and of a callback to an app: base64 of HMAC-SHA256."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def signed(url: str, timestamp: str, secret: str) -> str:
    """A custom robot's URL with its signature."""
    return f"{url}&timestamp={timestamp}&sign={quote_plus(sign(timestamp, secret))}"
