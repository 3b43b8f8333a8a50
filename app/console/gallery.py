"""What jobs made, newest first, to be looked at, compared, approved or rejected."""

from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from app.console.guard import ConsoleRoute, Reading
from app.console.job_views import shown
from app.console.kinds import kinds_of
from app.console.pages import page, path_of
from app.console.paging import Pages
from app.jobs.models import JobState

PER_PAGE = 24
REVIEWS = ("all", "pending", "approved", "rejected")
_DONE = (JobState.SUCCEEDED,)

router = APIRouter(prefix="/studio/gallery", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def gallery(
    visit: Reading, review: str = "all", kind: str = "", number: int = Query(1, alias="page", ge=1)
) -> Response:
    wanted = review if review in REVIEWS else "all"
    known = [each.name for each in kinds_of(visit.services.jobs.handlers)]
    chosen = kind if kind in known else ""
    kinds = [chosen] if chosen else []
    ledger = visit.services.jobs.ledger
    tally = await ledger.tally(visit.tenant, kinds=kinds, states=_DONE)
    counts = {name: sum(count for (_, verdict), count in tally.items() if name in ("all", verdict)) for name in REVIEWS}
    pages = Pages.holding(number, PER_PAGE, counts[wanted])
    judged = [wanted] if wanted != "all" else []
    found = await ledger.newest(
        visit.tenant, kinds=kinds, states=_DONE, reviews=judged, limit=PER_PAGE, offset=pages.offset
    )

    def address(number: int = 1, *, review: str = wanted, kind: str = chosen) -> str:
        return f"{path_of('studio', 'gallery')}?{urlencode({'review': review, 'kind': kind, 'page': number})}"

    return page(
        visit,
        "gallery.html",
        cards=await shown(visit, found),
        counts=counts,
        review=wanted,
        kind=chosen,
        kinds=known,
        pages=pages,
        address=address,
    )
