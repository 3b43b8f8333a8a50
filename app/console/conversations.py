"""Conversations as they were kept: a list, one with its turns, deleting, and the way to the export."""

from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from app.console.guard import Administering, ConsoleRoute, Reading
from app.console.pages import page, path_of, see
from app.console.paging import Pages
from app.console.prose import html_of

PER_PAGE = 30
TURNS = 50

router = APIRouter(prefix="/conversations", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def conversations(
    visit: Reading,
    requester: str = Query("", max_length=120),
    number: int = Query(1, alias="page", ge=1),
    deleted: bool = False,
) -> Response:
    archive, who = visit.services.archive, requester.strip() or None
    pages = Pages.holding(number, PER_PAGE, await archive.count(visit.tenant, requester=who))
    found = await archive.newest(visit.tenant, requester=who, limit=PER_PAGE, offset=pages.offset)

    def address(number: int = 1, *, requester: str = requester.strip()) -> str:
        return f"{path_of('conversations')}?{urlencode({'requester': requester, 'page': number})}"

    return page(
        visit,
        "conversations.html",
        conversations=found,
        requester=who or "",
        pages=pages,
        address=address,
        days=visit.services.settings.history_days,
        deleted=deleted,
    )


@router.get("/{conversation_id}")
async def conversation(visit: Reading, conversation_id: str, number: int = Query(1, alias="page", ge=1)) -> Response:
    archive = visit.services.archive
    found = await archive.conversation(visit.tenant, conversation_id)
    pages = Pages.holding(number, TURNS, found.turns)
    turns = await archive.turns(visit.tenant, conversation_id, limit=TURNS, offset=pages.offset)

    def address(number: int = 1) -> str:
        return f"{path_of('conversations', conversation_id)}?page={number}"

    shown = [(turn, html_of(turn.answer, cited=[])) for turn in turns]
    return page(visit, "conversation.html", conversation=found, turns=shown, pages=pages, address=address)


@router.post("/{conversation_id}/delete")
async def delete(visit: Administering, conversation_id: str) -> Response:
    await visit.services.eraser.conversation(visit.tenant, conversation_id)
    return see(f"{path_of('conversations')}?deleted=true")
