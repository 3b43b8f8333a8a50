"""What routes are given: the services of this process and who is calling."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request

from app.api.bodies import check_text
from app.chat.shared_turns import SharedTurns
from app.identity.access import identify
from app.identity.keys import Principal, Scope
from app.wiring import Services


# Coroutines, although they wait for nothing: FastAPI calls plain functions in a thread.
async def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def running_of(request: Request) -> SharedTurns:
    running: SharedTurns = request.app.state.running
    return running


TheServices = Annotated[Services, Depends(services_of)]
TheRunning = Annotated[SharedTurns, Depends(running_of)]


class Allowed:
    """A dependency: the caller, who must have a scope. Raises InvalidInput for an address that is no text."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def __call__(self, request: Request, services: TheServices) -> Principal:
        check_text(unquote(f"{request.url.path}?{request.url.query}"))
        principal = await identify(request, services.keys, keys_required=services.settings.keys_required)
        principal.require(self._scope)
        return principal


Chatter = Annotated[Principal, Depends(Allowed(Scope.CHAT))]
Reader = Annotated[Principal, Depends(Allowed(Scope.READ))]
Writer = Annotated[Principal, Depends(Allowed(Scope.WRITE))]
Admin = Annotated[Principal, Depends(Allowed(Scope.ADMIN))]
