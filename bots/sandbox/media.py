"""Files: what people sent and is downloaded by a code, and what the bot uploads."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from bots.sandbox.clock import Clock
from bots.sandbox.wire import Body, Json, OldRefused, Refused

_LIMITS: Mapping[str, int] = {"image": 20 << 20, "video": 20 << 20, "file": 20 << 20, "voice": 2 << 20}  # bytes [D]


class Download(Body):
    robot_code: str
    download_code: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """``until`` is when its code, or its link, is worth nothing any more."""

    data: bytes
    name: str
    media_type: str
    until: float


@dataclass(slots=True)
class Media:
    """``code_life`` and ``link_life`` are in seconds [?]: both expire, when is not said."""

    clock: Clock
    robot_code: str
    code_life: float = 86_400.0
    link_life: float = 3600.0
    codes: dict[str, StoredFile] = field(default_factory=dict)
    links: dict[str, StoredFile] = field(default_factory=dict)
    uploads: dict[str, StoredFile] = field(default_factory=dict)

    def put(self, data: bytes, name: str, media_type: str) -> str:
        """A download code for something that a person sends."""
        code = secrets.token_hex(16)
        self.codes[code] = StoredFile(data, name, media_type, self.clock.now() + self.code_life)
        return code

    def link(self, body: Download) -> str:
        """The path that the file is at for a while. Raises Refused."""
        found = self.codes.get(body.download_code)
        if found is None or found.until <= self.clock.now() or body.robot_code != self.robot_code:
            raise Refused(400, "invalidParameter.robotCode.downloadCode", "downloadCode 无效或已过期")  # [D]
        name = secrets.token_hex(12)
        self.links[name] = StoredFile(found.data, found.name, found.media_type, self.clock.now() + self.link_life)
        return f"/files/{name}"

    def file(self, name: str) -> StoredFile:
        """Raises Refused."""
        found = self.links.get(name)
        if found is None or found.until <= self.clock.now():
            raise Refused(403, "AccessDenied", "Request has expired.")  # [?] as an object store says it
        return found

    def upload(self, kind: str, data: bytes, name: str, media_type: str) -> Json:
        """Raises OldRefused."""
        if kind not in _LIMITS:
            raise OldRefused(40004, "不合法的媒体文件类型")  # [D]
        if not data or len(data) > _LIMITS[kind]:
            raise OldRefused(40009, "媒体文件大小超限")  # [?] the number
        media_id = "@lAL" + secrets.token_urlsafe(16)
        self.uploads[media_id] = StoredFile(data, name, media_type, float("inf"))
        return {"errcode": 0, "errmsg": "ok", "media_id": media_id, "type": kind, "created_at": self.clock.ms()}
