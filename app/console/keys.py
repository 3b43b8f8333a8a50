"""API keys: made, shown once, revoked."""

from dataclasses import dataclass

from fastapi import APIRouter, Form, Response

from app.console.guard import Administering, ConsoleRoute
from app.console.pages import Visit, page, path_of, see
from app.console.texts import language_of, sentence_of
from app.identity.keys import Key, Scope
from knowledge.errors import CopilotError, InvalidInput

router = APIRouter(prefix="/keys", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Made:
    """A new key with its token, which is shown this once."""

    key: Key
    token: str


@router.get("")
async def keys(visit: Administering) -> Response:
    return await _keys(visit)


@router.post("")
async def create(
    visit: Administering,
    kind: str = Form("secret"),
    name: str = Form(""),
    scope: Scope = Form(Scope.READ),  # noqa: B008 (FastAPI's way)
    origins: str = Form(""),
) -> Response:
    """``origins`` are separated by white space or commas."""
    issuer = visit.services.keys
    try:
        if kind == "publishable":
            wanted = origins.replace(",", " ").split()
            made = Made(*await issuer.publish(visit.tenant, name, origins=wanted))
        else:
            made = Made(*await issuer.issue(visit.tenant, name, scope=scope))
    except InvalidInput as error:
        form = {"kind": kind, "name": name, "scope": scope.value, "origins": origins}
        return await _keys(visit, form=form, error=error)
    return await _keys(visit, made=made)


@router.post("/{key_id}/revoke")
async def revoke(visit: Administering, key_id: str) -> Response:
    await visit.services.keys.revoke(visit.tenant, key_id)
    return see(path_of("keys"))


async def _keys(
    visit: Visit, *, made: Made | None = None, form: dict[str, str] | None = None, error: CopilotError | None = None
) -> Response:
    listed = await visit.services.keys.list(visit.tenant)
    return page(
        visit,
        "keys.html",
        status=422 if error else 200,
        here=path_of("keys"),
        keys=sorted(listed, key=lambda key: (key.revoked_at is not None, -key.created_at.timestamp())),
        mine=visit.who.key_id if visit.who else None,
        made=made,
        site=str(visit.request.base_url).rstrip("/"),
        form=form or {"kind": "secret", "name": "", "scope": "read", "origins": ""},
        problem=sentence_of(language_of(visit.request), error) if error else "",
        keys_required=visit.services.settings.keys_required,
    )
