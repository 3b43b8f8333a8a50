"""Who really sent this: the three signatures of DingTalk's HTTP modes."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from knowledge.errors import Forbidden

SKEW_MS = 3_600_000  # DingTalk's rule, in both directions


def timed(secret: str, timestamp: str) -> str:
    """Of messages to our URL (with the app's secret) and to custom robots (with their ``SEC…``)."""
    return _signature(secret, f"{timestamp}\n{secret}")


def of_card(secret: str, timestamp: str) -> str:
    """Of clicks on cards, with the secret that their route was registered with."""
    return _signature(secret, timestamp)


def check_message(headers: Mapping[str, str], secret: str, *, now_ms: float) -> None:
    """Raises Forbidden ``signature_invalid``. Names of headers are in lower case, or in any as starlette has them."""
    timestamp = headers.get("timestamp", "")
    _check(headers.get("sign", ""), timed(secret, timestamp), timestamp, now_ms)


def check_card(headers: Mapping[str, str], secret: str, *, now_ms: float) -> None:
    """The same for a click."""
    timestamp = headers.get("x-ddpaas-signature-timestamp", "")
    _check(headers.get("x-ddpaas-signature", ""), of_card(secret, timestamp), timestamp, now_ms)


def _check(given: str, expected: str, timestamp: str, now_ms: float) -> None:
    same = hmac.compare_digest(given.encode(), expected.encode())
    recent = timestamp.isascii() and timestamp.isdigit() and abs(now_ms - int(timestamp[:20])) <= SKEW_MS
    if not (same and recent):
        raise Forbidden("The signature is not DingTalk's, or too old.", code="signature_invalid")


def _signature(secret: str, message: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()).decode()
