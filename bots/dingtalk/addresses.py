"""Where calls go, and which links that came over the wire may be followed."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from bots.ports import ChannelRefused

# DingTalk's own, and the storage that its download links lead to.
_TRUSTED = (".dingtalk.com", ".aliyuncs.com")
_PORTS = {None, 80, 443}


@dataclass(frozen=True, slots=True)
class Addresses:
    """The two endpoints.

    A link from the wire is followed to DingTalk, to the endpoints' own hosts, and to this machine only where an
    endpoint is on this machine.
    """

    openapi: str = "https://api.dingtalk.com"
    oapi: str = "https://oapi.dingtalk.com"

    def __post_init__(self) -> None:
        for name in ("openapi", "oapi"):
            object.__setattr__(self, name, getattr(self, name).rstrip("/"))

    def checked(self, link: str) -> str:
        """The link. Raises ChannelRefused ``link_refused``."""
        parts = _split(link)
        if parts is None or not (self._is_own(parts) or _is_trusted(parts)):
            raise ChannelRefused("This link does not lead to DingTalk; it is not followed.", code="link_refused")
        return link

    def _is_own(self, parts: SplitResult) -> bool:
        own = [known for known in (_split(self.openapi), _split(self.oapi)) if known is not None]
        if any((parts.scheme, parts.netloc) == (known.scheme, known.netloc) for known in own):
            return True
        return _is_loopback(parts.hostname) and any(_is_loopback(known.hostname) for known in own)


def _split(link: str) -> SplitResult | None:
    """None for what is no plain http link: the rest could mean another host to whoever reads it differently."""
    try:
        parts = urlsplit(link)
        _ = parts.port
    except ValueError:
        return None
    plain = link.isascii() and link.isprintable() and not any(char in link for char in " \\@")
    return parts if plain and parts.scheme in ("http", "https") and parts.hostname else None


def _is_trusted(parts: SplitResult) -> bool:
    return (parts.hostname or "").endswith(_TRUSTED) and parts.port in _PORTS


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
