"""What jobs made, newest first, to be looked at, compared, approved or rejected."""

from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from app.console.guard import ConsoleRoute, Reading
from app.console.job_views import shown
from app.console.kinds import kinds_of
from app.console.pages import Visit, page, path_of
from app.console.paging import Pages
from app.jobs.models import Job, JobState

PER_PAGE = 24
SCANNED = 200  # jobs read at a time
REVIEWS = ("all", "pending", "approved", "rejected")

router = APIRouter(prefix="/studio/gallery", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def gallery(
    visit: Reading, review: str = "all", kind: str = "", number: int = Query(1, alias="page", ge=1)
) -> Response:
    wanted = review if review in REVIEWS else "all"
    known = [each.name for each in kinds_of(visit.services.jobs.handlers)]
    chosen = kind if kind in known else ""
    found = await _finished(visit, [chosen] if chosen else [])
    groups = {name: [job for job in found if name in ("all", job.review or "pending")] for name in REVIEWS}
    pages = Pages.holding(number, PER_PAGE, len(groups[wanted]))

    def address(number: int = 1, *, review: str = wanted, kind: str = chosen) -> str:
        return f"{path_of('studio', 'gallery')}?{urlencode({'review': review, 'kind': kind, 'page': number})}"

    return page(
        visit,
        "gallery.html",
        cards=await shown(visit, groups[wanted][pages.offset : pages.offset + PER_PAGE]),
        counts={name: len(jobs) for name, jobs in groups.items()},
        review=wanted,
        kind=chosen,
        kinds=known,
        pages=pages,
        address=address,
    )


async def _finished(visit: Visit, kinds: Sequence[str]) -> list[Job]:
    """All that succeeded. The ledger does not filter by review, so the filter is applied here."""
    found: list[Job] = []
    while True:
        some, total = await visit.services.jobs.ledger.page(
            visit.tenant, kinds=kinds, states=[JobState.SUCCEEDED], limit=SCANNED, offset=len(found)
        )
        found += some
        if not some or len(found) >= total:
            return found
