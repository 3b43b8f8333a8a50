"""Conversations as they were kept: looked at, taken along, deleted."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.api.bodies import MOST
from app.api.dependencies import Admin, Reader, TheServices
from app.api.problems import Responses, problems
from app.api.render import conversation_json, turn_json
from app.chat.export import Format, exported
from knowledge.database import now
from knowledge.errors import InvalidInput

router = APIRouter(prefix="/v1/conversations", tags=["chat"], responses=problems(404, 422, 500))

Since = Annotated[datetime | None, Query(description="ISO 8601; without a zone it is UTC.")]
Until = Annotated[datetime | None, Query(description="Up to before this moment.")]

_FILE: Responses = {
    200: {
        "description": "A line for a turn, the oldest first; the fields are those of a turn of a conversation.",
        "content": {each.media_type: {"schema": {"type": "string"}} for each in Format},
    }
}


@router.get("")
async def list_conversations(
    who: Reader,
    services: TheServices,
    requester: str | None = Query(default=None, max_length=120),
    limit: int = Query(default=50, ge=1, le=500),
    offset: int = Query(default=0, ge=0, le=MOST),
) -> dict[str, Any]:
    """The last used first; ``retention_days`` null: they are kept for good."""
    found = await services.archive.newest(who.tenant, requester=requester, limit=limit, offset=offset)
    return {
        "conversations": [conversation_json(each) for each in found],
        "total": await services.archive.count(who.tenant, requester=requester),
        "retention_days": services.settings.history_days,
    }


@router.get("/export", response_class=StreamingResponse, responses=_FILE)
async def export_conversations(
    who: Admin,
    services: TheServices,
    format: Format = Format.JSONL,  # noqa: A002 (its name in the address)
    since: Since = None,
    until: Until = None,
) -> StreamingResponse:
    """Every turn, with what people thought of it, as a file."""
    lots = services.archive.export(who.tenant, since=moment_of(since), until=moment_of(until))
    name = f"conversations-{now():%Y-%m-%d}.{format.value}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(exported(lots, format), media_type=format.media_type, headers=headers)


@router.get("/{conversation_id}")
async def get_conversation(
    conversation_id: str,
    who: Reader,
    services: TheServices,
    limit: int = Query(default=100, ge=1, le=500),
    offset: int = Query(default=0, ge=0, le=MOST),
) -> dict[str, Any]:
    """One, with its turns from the oldest on."""
    found = await services.archive.conversation(who.tenant, conversation_id)
    turns = await services.archive.turns(who.tenant, conversation_id, limit=limit, offset=offset)
    return {**conversation_json(found), "turns": [turn_json(turn) for turn in turns]}


@router.delete("/{conversation_id}", status_code=204)
async def delete_conversation(conversation_id: str, who: Admin, services: TheServices) -> None:
    """Delete one for good, with all that belongs to it; an answer under way is stopped."""
    await services.eraser.conversation(who.tenant, conversation_id)


@router.delete("")
async def delete_conversations(
    who: Admin, services: TheServices, requester: str = Query(min_length=1, max_length=120)
) -> dict[str, int]:
    """Delete all that somebody began, as ``requester`` names them in the list."""
    return {"deleted": await services.eraser.of_requester(who.tenant, requester)}


def moment_of(given: datetime | None) -> datetime | None:
    """Raises InvalidInput ``moment_invalid`` for one that is on no calendar in UTC."""
    if given is None:
        return None
    try:
        return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (OverflowError, ValueError):
        raise InvalidInput("This moment is on no calendar.", code="moment_invalid") from None
