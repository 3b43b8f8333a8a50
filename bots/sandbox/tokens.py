"""Access tokens: one for an app, renewed while it is valid."""

import secrets
from dataclasses import dataclass, field
from typing import Literal

from bots.sandbox.clock import Clock
from bots.sandbox.journal import Journal
from bots.sandbox.wire import OldRefused, Refused

SCOPES = frozenset({"Card.Instance.Write", "Card.Streaming.Write", "qyapi_robot_sendmsg"})


@dataclass(slots=True)
class _Token:
    value: str
    until: float
    legacy: bool


@dataclass(slots=True)
class Tokens:
    """``refusal_status``: 400 [D], 401 occurs too. ``oapi_wants_legacy``: the old API takes no new tokens [?]."""

    clock: Clock
    journal: Journal
    client_id: str
    client_secret: str
    lifetime: int = 7200  # seconds [D]
    refusal_status: Literal[400, 401] = 400
    oapi_wants_legacy: bool = False
    scopes: frozenset[str] = SCOPES
    issued: dict[str, _Token] = field(default_factory=dict)

    def issue(self, client_id: str, secret: str) -> tuple[str, int]:
        """A token and its seconds. Raises Refused."""
        if (client_id, secret) != (self.client_id, self.client_secret):
            raise Refused(400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")  # [D]
        return self._give(legacy=False), self.lifetime

    def issue_legacy(self, client_id: str, secret: str) -> tuple[str, int]:
        """The same of the old API. Raises OldRefused."""
        if (client_id, secret) != (self.client_id, self.client_secret):
            raise OldRefused(40089, "不合法的corpid或corpsecret")  # [D]
        return self._give(legacy=True), self.lifetime

    def revoke_all(self) -> None:
        """All tokens of now are worth nothing."""
        for token in self.issued.values():
            token.until = 0

    def check(self, token: str | None, scope: str | None) -> None:
        """For the new API. Raises Refused."""
        if not self._good(token):
            raise Refused(self.refusal_status, "InvalidAuthentication", "不合法的access_token")  # [D]
        if scope and scope not in self.scopes:
            raise Refused(
                403,
                "Forbidden.AccessDenied.AccessTokenPermissionDenied",  # [D]
                "应用尚未开通所需的权限",
                accessdenieddetail={"requiredScopes": [scope]},
            )

    def check_old(self, token: str | None) -> None:
        """For the old API. Raises OldRefused."""
        if not self._good(token) or (self.oapi_wants_legacy and not self.issued[token or ""].legacy):
            raise OldRefused(40014, "不合法的access_token")  # [D]

    def _good(self, token: str | None) -> bool:
        known = self.issued.get(token or "")
        if known is None:
            self.journal.violate("token", "a call came with no token, or with one that was never issued")
        return known is not None and known.until > self.clock.now()

    def _give(self, *, legacy: bool) -> str:
        """[D] The same token, renewed, while it is valid."""
        now = self.clock.now()
        token = next((one for one in self.issued.values() if one.legacy == legacy and one.until > now), None)
        if token is None:
            token = _Token(secrets.token_hex(16), 0, legacy)
            self.issued[token.value] = token
        token.until = now + self.lifetime
        return token.value
