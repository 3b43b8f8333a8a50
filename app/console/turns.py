"""Answers as a list, and the receipt of each."""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from app.chat.receipts import Receipt
from app.chat.turn_list import GROUPS, Group
from app.chat.waterfall import spans
from app.console.guard import ConsoleRoute, Reading
from app.console.hit_test import found_for
from app.console.pages import Visit, page, path_of
from app.console.paging import Pages
from app.console.prose import html_of
from app.console.texts import catalog, has, language_of

PER_PAGE = 30
MOST_SEARCHED = 200  # characters

router = APIRouter(prefix="/turns", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def turns(
    visit: Reading, group: str = "all", q: str = "", number: int = Query(1, alias="page", ge=1)
) -> Response:
    wanted: Group = next((each for each in GROUPS if each == group), "all")
    text = q.strip()[:MOST_SEARCHED]
    counts = await visit.services.turn_list.tally(visit.tenant, text=text)
    pages = Pages.holding(number, PER_PAGE, counts[wanted])
    found = await visit.services.turn_list.newest(
        visit.tenant, group=wanted, text=text, limit=PER_PAGE, offset=pages.offset
    )

    def address(number: int = 1, *, group: Group = wanted) -> str:
        return f"{path_of('turns')}?{urlencode({'group': group, 'q': text, 'page': number})}"

    return page(visit, "turns.html", turns=found, counts=counts, group=wanted, q=text, pages=pages, address=address)


@router.get("/{turn_id}")
async def receipt(visit: Reading, turn_id: str) -> Response:
    found = await visit.services.receipts.of(visit.tenant, turn_id)
    return page(
        visit,
        "turn.html",
        turn=found,
        html=html_of(found.answer, cited=range(1, found.given + 1)),
        hits=found_for(found.condensed, found.passages),
        spans=spans(found),
        came_from=_came_from(found),
        failure=_failure(visit, found.error_code),
        by_purpose=_versions(found),
        kept_days=visit.services.settings.call_log_days,
    )


def _came_from(receipt: Receipt) -> str:
    """Which text says where the answer is from."""
    if receipt.cached:
        return f"turn.cached.{receipt.cached}"
    return "turn.shared" if receipt.trail and receipt.trail.shared else "turn.made"


def _failure(visit: Visit, code: str | None) -> str:
    """The sentence about an error, if it needs no values: those are not kept."""
    key = f"error.{code}"
    sentence = str(catalog()[key][language_of(visit.request)]) if code and has(key) else ""
    return "" if "{" in sentence else sentence


def _versions(receipt: Receipt) -> Mapping[str, str]:
    """The versions of the prompt templates that were used, by their names."""
    sent = receipt.trail.sent if receipt.trail else ()
    return {each.purpose: each.version for each in sent}
