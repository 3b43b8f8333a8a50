"""Links that work without a key until they expire."""

import hashlib
import hmac
import re
import time
from datetime import timedelta

from knowledge.errors import Forbidden

LINK = timedelta(days=7)
_MOMENT = re.compile(r"\d{1,15}", re.ASCII)


class Signer:
    """``secret`` is the installation's. What is signed is named by the caller, each kind of thing its own way."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def query(self, what: str, *, lasting: timedelta = LINK) -> str:
        """The query of a link: ``expires=…&signature=…``."""
        expires = int(time.time() + lasting.total_seconds())
        return f"expires={expires}&signature={self._signature(what, expires)}"

    def check(self, what: str, expires: int, signature: str) -> None:
        """Raises Forbidden ``link_invalid`` or ``link_expired``."""
        if not hmac.compare_digest(signature.encode(), self._signature(what, expires).encode()):
            raise Forbidden("This link is not one of ours.", code="link_invalid")
        if expires < time.time():
            raise Forbidden("This link has expired. Ask for a new one.", code="link_expired")

    def _signature(self, what: str, expires: int) -> str:
        return hmac.new(self._secret, f"{what}:{expires}".encode(), hashlib.sha256).hexdigest()[:32]


def moment_of(expires: str) -> int:
    """What a link says in ``expires``; 0, which is long over, where that is no moment."""
    return int(expires) if _MOMENT.fullmatch(expires) else 0
