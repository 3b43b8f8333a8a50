"""Request → principal: a bearer key, the console's cookie, or nothing on a machine of one's own."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from app.identity.keys import Keys, Principal, Scope
from knowledge.errors import Forbidden
from knowledge.models import DEFAULT_TENANT

COOKIE = "copilot_key"
LOOPBACK = {"127.0.0.1", "localhost", "::1", "[::1]"}


async def identify(request: HTTPConnection, keys: Keys, *, keys_required: bool) -> Principal:
    """Raises Forbidden ``key_missing``, ``key_invalid`` or ``origin_not_allowed``."""
    origin = request.headers.get("origin")
    token = _bearer(request)
    if token:
        return await keys.recognise(token, origin=origin)
    if _same_origin(request, origin):
        cookie = request.cookies.get(COOKIE)
        if cookie:
            return await keys.recognise(cookie, origin=origin)
        if not keys_required and _on_loopback(request):
            return Principal(DEFAULT_TENANT, Scope.ADMIN)
    raise Forbidden("Send an API key: Authorization: Bearer sk_…", code="key_missing")


def _bearer(request: HTTPConnection) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _same_origin(request: HTTPConnection, origin: str | None) -> bool:
    """What carries no key must not come from another site's page (cross-site request forgery)."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _on_loopback(request: HTTPConnection) -> bool:
    """By peer and by name: a foreign name that resolves to 127.0.0.1 (DNS rebinding) is not this machine's."""
    peer = request.client.host if request.client else ""
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname
    return peer in LOOPBACK and name in LOOPBACK
