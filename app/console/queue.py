"""The parse queue: what is being taken in, what waits and what could not be, across all knowledge bases."""

from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Response

from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import Visit, back_to, page, path_of, see
from app.console.paging import Pages
from app.console.texts import language_of, say
from app.parse_queue import GROUPS, Group, QueueState

PER_PAGE = 30

router = APIRouter(prefix="/queue", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def queue(
    visit: Reading,
    group: str = "active",
    kb: str = "",
    reason: str = "",
    number: int = Query(1, alias="page", ge=1),
) -> Response:
    shown: Group = next((name for name in GROUPS if name == group), "active")
    state = await visit.services.parse_queue.state(visit.tenant, kb or None)
    reason = reason if shown == "failed" and reason in state.reasons else ""
    counts = {name: getattr(state, name) for name in GROUPS}
    total = state.reasons[reason] if reason else counts[shown]
    pages = Pages.holding(number, PER_PAGE, total)
    found = await visit.services.parse_queue.page(
        visit.tenant, shown, kb or None, reason=reason, limit=pages.per_page, offset=pages.offset
    )

    def address(number: int = 1, *, group: str = shown, reason: str = reason) -> str:
        wanted = {"group": group, "kb": kb, "reason": reason, "page": number}
        given = {name: value for name, value in wanted.items() if value not in ("", 1)}
        return f"{path_of('queue')}?{urlencode(given)}"

    return page(
        visit,
        "queue.html",
        queued=found,
        state=state,
        counts=counts,
        group=shown,
        kb=kb,
        reason=reason,
        bases=[base.name for base in await visit.services.knowledge.catalog.named(visit.tenant, None)],
        pages=pages,
        address=address,
        left=_left(visit, state),
    )


@router.post("/cancel")
async def cancel_waiting(visit: Writing, kb: str = Form(""), next: str = Form("")) -> Response:  # noqa: A002
    await visit.services.parse_queue.cancel_waiting(visit.tenant, kb or None)
    return see(back_to(next, path_of("queue")))


@router.post("/retry")
async def retry_failed(
    visit: Writing,
    kb: str = Form(""),
    reason: str = Form(""),
    next: str = Form(""),  # noqa: A002
) -> Response:
    await visit.services.parse_queue.retry_failed(visit.tenant, kb or None, reason=reason or None)
    return see(back_to(next, path_of("queue")))


@router.post("/{document_id}/cancel")
async def cancel(visit: Writing, document_id: str, next: str = Form("")) -> Response:  # noqa: A002
    await visit.services.parse_queue.cancel(visit.tenant, document_id)
    return see(back_to(next, path_of("queue")))


@router.post("/{document_id}/retry")
async def retry(visit: Writing, document_id: str, next: str = Form("")) -> Response:  # noqa: A002
    await visit.services.parse_queue.retry(visit.tenant, document_id)
    return see(back_to(next, path_of("queue")))


def _left(visit: Visit, state: QueueState) -> str:
    """In words; empty where nothing tells."""
    if state.seconds_left is None:
        return ""
    language, minutes = language_of(visit.request), round(state.seconds_left / 60)
    if minutes < 1:
        return say(language, "parse.left_moment")
    if minutes < 120:
        return say(language, "parse.left_minutes", n=minutes)
    return say(language, "parse.left_hours", n=round(minutes / 60))
