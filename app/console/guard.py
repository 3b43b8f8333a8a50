"""Who may see a page, and what is shown to who may not: never JSON, always a page that says what to do next."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from app.console.pages import SECURITY_HEADERS, SIGN_IN, Visit, page, see
from app.console.texts import language_of, say, sentence_of
from app.errors import DATABASE_AWAY, database_away, status_of
from app.identity.access import identify
from app.identity.keys import Scope
from knowledge.errors import CopilotError, Forbidden, InvalidInput


class Visiting:
    """A dependency: the visit of somebody who has a scope; None lets everybody in, unidentified."""

    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope

    async def __call__(self, request: Request) -> Visit:
        services = request.app.state.services
        if self._scope is None:
            return Visit(request, services)
        who = await identify(request, services.keys, keys_required=services.settings.keys_required)
        who.require(self._scope)
        return Visit(request, services, who)


Anybody = Annotated[Visit, Depends(Visiting(None))]
Reading = Annotated[Visit, Depends(Visiting(Scope.READ))]
Writing = Annotated[Visit, Depends(Visiting(Scope.WRITE))]
Administering = Annotated[Visit, Depends(Visiting(Scope.ADMIN))]


class ConsoleRoute(APIRoute):
    """A route whose errors are pages, and whose answers carry the security headers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                response = await answer(request)
            except CopilotError as error:
                response = await _refusal(request, error)
            except RequestValidationError:
                unreadable = InvalidInput("This address or form has a value that makes no sense here.")
                response = await _refusal(request, unreadable)
            except DATABASE_AWAY as error:
                response = await _refusal(request, database_away(error))
            response.headers.update(SECURITY_HEADERS)
            return response

        return guarded


def from_this_site(request: Request) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser says; a sign-in must not come from another."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def visitor(visit: Visit) -> Visit:
    """The same visit with whoever makes it, where that is known and can be looked up."""
    services = visit.services
    try:
        who = await identify(visit.request, services.keys, keys_required=services.settings.keys_required)
        who.require(Scope.READ)
    except (Forbidden, *DATABASE_AWAY):
        return Visit(visit.request, services)
    return Visit(visit.request, services, who)


def followed_a_foreign_link(request: Request) -> bool:
    """A link on another site leads here: the browser holds back the cookie, and we ignore what carries no key."""
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return foreign and request.headers.get("sec-fetch-mode") == "navigate"


def bounce(visit: Visit) -> Response:
    """A page that asks for the same address again, by then from this site.

    The other site sees nothing of it, and GET changes nothing here.
    """
    return page(visit, "bounce.html", to=_address_of(visit.request))


async def _refusal(request: Request, error: CopilotError) -> Response:
    visit = Visit(request, request.app.state.services)
    if error.error_code not in ("key_missing", "key_invalid", "origin_not_allowed"):
        return await _explained(visit, error)
    if request.method != "GET":
        return page(visit, "login.html", status=401, next="", problem="error.key_missing", detail="")
    if followed_a_foreign_link(request):
        return bounce(visit)
    to = f"{SIGN_IN}?next={quote(_address_of(request), safe='')}"
    if request.headers.get("hx-request"):
        return Response(headers={"HX-Redirect": to})
    return see(to)


async def _explained(visit: Visit, error: CopilotError) -> Response:
    status = status_of(error)
    visit = await visitor(visit)
    language = language_of(visit.request)
    title = say(language, f"problem.{status}" if status in (403, 404) else "problem.other")
    return page(
        visit, "problem.html", status=status, title=title, sentence=sentence_of(language, error), code=error.error_code
    )


def _address_of(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
