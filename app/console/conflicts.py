"""Passages that give different values for the same thing: both side by side, and what to do about them."""

from dataclasses import dataclass
from typing import get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Response

from app.console.authors import label_of
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import back_to, page, path_of, see
from app.console.paging import Pages
from knowledge.conflicts import ConflictState, Side, ValueConflict
from knowledge.errors import InvalidInput

PER_PAGE = 20
AROUND = 140  # characters of a passage shown before and after the value
STATES: dict[str, ConflictState] = {state: state for state in get_args(ConflictState)}

router = APIRouter(prefix="/conflicts", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage cut around its value."""

    side: Side
    before: str
    value: str
    after: str


@router.get("")
async def conflicts(visit: Reading, state: str = "open", number: int = Query(1, alias="page", ge=1)) -> Response:
    group = STATES.get(state, "open")
    known = visit.services.conflicts
    counts = {name: (await known.page(visit.tenant, state=each, limit=1))[1] for name, each in STATES.items()}
    pages = Pages.holding(number, PER_PAGE, counts[group])
    shown, _ = await known.page(visit.tenant, state=group, limit=pages.per_page, offset=pages.offset)
    return page(
        visit,
        "conflicts.html",
        conflicts=[(each, _excerpts(each)) for each in shown],
        counts=counts,
        group=group,
        pages=pages,
        address=lambda n, state=group: f"{path_of('conflicts')}?{urlencode({'state': state, 'page': n})}",
    )


@router.post("/{conflict_id}/state")
async def set_state(visit: Writing, conflict_id: str, to: str = Form(""), next: str = Form("")) -> Response:  # noqa: A002
    if to not in STATES:
        raise InvalidInput("This form has a value that makes no sense here.")
    await visit.services.conflicts.set_state(visit.tenant, conflict_id, STATES[to], by=label_of(visit))
    return see(back_to(next, path_of("conflicts")))


def _excerpts(conflict: ValueConflict) -> list[Excerpt]:
    return [_excerpt(side) for side in (conflict.left, conflict.right)]


def _excerpt(side: Side) -> Excerpt:
    first, last = max(0, side.start - AROUND), side.end + AROUND
    before, after = side.text[first : side.start], side.text[side.end : last]
    return Excerpt(side, f"…{before}" if first else before, side.value, f"{after}…" if last < len(side.text) else after)
