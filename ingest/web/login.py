"""Whether what came is a page to sign in, instead of the page that was asked for."""

import re
from urllib.parse import urlsplit

_PATH = re.compile(r"(^|/)(log-?in|sign-?in|signon|sso|passport|cas|oauth2?|authorize|auth)([/._-]|$)", re.I)
_PASSWORD = re.compile(rb"<input\b[^>]*\btype\s*=\s*[\"']?password\b", re.I)


def asks_to_sign_in(body: bytes, media_type: str, *, asked: str, final: str) -> bool:
    """Only where one was led on: a document about signing in is a document."""
    if asked == final or "html" not in media_type:
        return False
    there, here = urlsplit(final), urlsplit(asked)
    led_to_it = bool(_PATH.search(there.path)) and not _PATH.search(here.path)
    return led_to_it or _PASSWORD.search(body) is not None
