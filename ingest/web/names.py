"""What a page is called among the documents: its address without the scheme."""

import hashlib
from urllib.parse import unquote, urlsplit

from yarl import URL

_LONGEST = 480


def name_of(url: str) -> str:
    """``https://a.example/help/%E9%80%80?id=3#x`` → ``a.example/help/退?id=3``."""
    parts = urlsplit(url)
    path = unquote(parts.path).rstrip("/")
    site = URL(url)
    host = f"{site.host}:{site.explicit_port}" if site.explicit_port else str(site.host)
    name = f"{host}{path}" + (f"?{unquote(parts.query)}" if parts.query else "")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}~{hashlib.sha256(url.encode()).hexdigest()[:8]}"
