"""Signing in with an API key, signing out, and the choice of a language."""

from fastapi import APIRouter, Form, Request, Response

from app.console.guard import Anybody, ConsoleRoute, bounce, followed_a_foreign_link, from_this_site, visitor
from app.console.pages import HOME, SIGN_IN, Visit, back_to, page, see
from app.console.texts import LANGUAGE_COOKIE
from app.identity.access import COOKIE
from app.identity.keys import Scope
from knowledge.errors import CopilotError, Forbidden

SIGNED_IN_SECONDS = 30 * 24 * 3600
LANGUAGE_SECONDS = 365 * 24 * 3600

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/login")
async def login_page(visit: Anybody, next: str = "") -> Response:  # noqa: A002 (its name in the address)
    if followed_a_foreign_link(visit.request):
        return bounce(visit)
    visit = await visitor(visit)
    stale = visit.who is None and COOKIE in visit.request.cookies
    if stale and not visit.services.settings.keys_required:
        response = see(back_to(next))  # this machine lets in who shows no key, but not who shows a revoked one
    else:
        response = page(visit, "login.html", next=back_to(next), problem="", detail="")
    if stale:
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


@router.post("/login")
async def login(visit: Anybody, key: str = Form(""), next: str = Form("")) -> Response:  # noqa: A002
    try:
        await _require_a_console_key(visit, key.strip())
    except CopilotError as error:
        problem = f"login.{error.error_code}"
        return page(visit, "login.html", status=401, next=back_to(next), problem=problem, detail=error.message)
    response = see(back_to(next))
    _set_cookie(response, visit.request, COOKIE, key.strip(), seconds=SIGNED_IN_SECONDS, http_only=True)
    return response


@router.post("/logout")
async def logout(visit: Anybody) -> Response:
    response = see(SIGN_IN)
    if from_this_site(visit.request):
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


@router.post("/language")
async def choose_language(visit: Anybody, to: str = Form(""), next: str = Form("")) -> Response:  # noqa: A002
    response = see(back_to(next, HOME))
    if to in ("zh", "en") and from_this_site(visit.request):
        _set_cookie(response, visit.request, LANGUAGE_COOKIE, to, seconds=LANGUAGE_SECONDS, http_only=False)
    return response


async def _require_a_console_key(visit: Visit, key: str) -> None:
    """Raises Forbidden ``key_missing``, ``key_invalid``, ``origin_not_allowed`` or ``scope_missing``."""
    if not key or not from_this_site(visit.request):
        raise Forbidden("Enter an API key.", code="key_missing")
    who = await visit.services.keys.recognise(key, origin=visit.request.headers.get("origin"))
    who.require(Scope.READ)


def _set_cookie(response: Response, request: Request, name: str, value: str, *, seconds: int, http_only: bool) -> None:
    response.set_cookie(
        name, value, max_age=seconds, httponly=http_only, samesite="strict", secure=request.url.scheme == "https"
    )
