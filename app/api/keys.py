"""API keys over HTTP, for administrators."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from app.api.bodies import Body
from app.api.dependencies import Admin, TheServices
from app.api.problems import problems
from app.api.render import key_json
from app.identity.keys import Scope

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=problems(400, 404, 413, 422))


class NewKey(Body):
    """With ``origins`` a publishable key for the widget, else a secret key with ``scope``."""

    name: str
    scope: Scope = Scope.READ
    origins: list[str] = Field(default_factory=list)


@router.get("")
async def list_keys(who: Admin, services: TheServices) -> dict[str, Any]:
    """All keys; secret ones by their ends only."""
    return {"keys": [key_json(key) for key in await services.keys.list(who.tenant)]}


@router.post("", status_code=201)
async def create_key(body: NewKey, who: Admin, services: TheServices) -> dict[str, Any]:
    """A new key. ``key`` is shown this once."""
    if body.origins:
        key, token = await services.keys.publish(who.tenant, body.name, origins=body.origins)
    else:
        key, token = await services.keys.issue(who.tenant, body.name, scope=body.scope)
    return {**key_json(key), "key": token}


@router.delete("/{key_id}", status_code=204)
async def revoke_key(key_id: str, who: Admin, services: TheServices) -> None:
    """The key stops working at once."""
    await services.keys.revoke(who.tenant, key_id)
