"""Templates → pages: escaped, in the visitor's language, under a strict content security policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.console import wording
from app.console.texts import for_scripts, has, language_of, say, word
from app.identity.keys import RANK, Principal, Scope
from app.wiring import Services

HOME = "/console"
SIGN_IN = "/console/login"

# Only files of ours, no inline script and no inline style; nobody may put a page of ours in a frame.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page, with what answers it. ``who`` is None on pages that anybody may see."""

    request: Request
    services: Services
    who: Principal | None = None

    @property
    def tenant(self) -> str:
        """Of whoever was let in. Raises ValueError on a page that anybody may see."""
        if self.who is None:
            raise ValueError("this page belongs to no tenant")
        return self.who.tenant

    def may(self, scope: Scope) -> bool:
        return self.who is not None and RANK.index(self.who.scope) >= RANK.index(scope)


def page(visit: Visit, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page. It may show what only this visitor may see, so nobody keeps a copy."""
    html = _environment().get_template(template).render({**_everywhere(visit), **values})
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


def see(path: str) -> Response:
    """Go there with GET, after something was done with POST."""
    return RedirectResponse(path, status_code=303)


def path_of(*parts: str) -> str:
    """The console's path for these parts, each escaped."""
    return "/".join([HOME, *(quote(part, safe="") for part in parts)])


def back_to(wanted: str, otherwise: str = HOME) -> str:
    """A path of the console to return to; anything else that a form or link may carry is not followed."""
    parts = urlsplit(wanted)
    ours = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    elsewhere = parts.scheme or parts.netloc or "\\" in wanted or not wanted.isprintable()
    return wanted if ours and not elsewhere else otherwise


def _everywhere(visit: Visit) -> Mapping[str, Any]:
    language = language_of(visit.request)
    url = visit.request.url
    here = f"{url.path}?{url.query}" if url.query else url.path
    return {
        "t": partial(say, language),
        "known": has,
        "word": partial(word, language),
        "lang": language,
        "path": url.path,
        # A page made by POST cannot be asked for again by its address alone.
        "here": here if visit.request.method == "GET" else HOME,
        "made_once": visit.request.method != "GET",
        "script_texts": for_scripts(language),
        "signed_in": visit.who is not None and visit.who.key_id is not None,
        "inside": visit.who is not None,
        "can_write": visit.may(Scope.WRITE),
        "can_admin": visit.may(Scope.ADMIN),
    }


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["path_of"] = path_of
    made.globals["icon"] = made.get_template("icons.html").module.icon  # type: ignore[attr-defined]
    made.filters["size"] = wording.size
    made.filters["kind"] = wording.kind
    made.globals["money"] = wording.money
    made.globals["money_range"] = wording.money_range
    made.tests["in_catalog"] = has
    return made
