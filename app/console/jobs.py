"""Every job of a tenant: where it stands, what it costs, what it made; cancelled, approved and judged here."""

from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Response

from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.job_views import shown, shown_one
from app.console.kinds import kinds_of
from app.console.pages import back_to, page, path_of, see
from app.console.paging import Pages
from app.jobs.models import JobState
from knowledge.errors import InvalidInput

PER_PAGE = 30
GROUPS: dict[str, tuple[JobState, ...]] = {
    "all": (),
    "waiting": (JobState.WAITING,),
    "active": (JobState.QUEUED, JobState.RUNNING),
    "succeeded": (JobState.SUCCEEDED,),
    "failed": (JobState.FAILED, JobState.CANCELLED),
}

router = APIRouter(prefix="/jobs", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def jobs(
    visit: Reading, state: str = "all", kind: str = "", number: int = Query(1, alias="page", ge=1)
) -> Response:
    group = state if state in GROUPS else "all"
    ledger = visit.services.jobs.ledger
    known = [each.name for each in kinds_of(visit.services.jobs.handlers)]
    chosen = kind if kind in known else ""
    wanted = [chosen] if chosen else []
    tally = await ledger.tally(visit.tenant, kinds=wanted)
    counts = {
        name: sum(count for (state, _), count in tally.items() if not states or state in states)
        for name, states in GROUPS.items()
    }
    pages = Pages.holding(number, PER_PAGE, counts[group])
    found = await ledger.newest(
        visit.tenant, kinds=wanted, states=GROUPS[group], limit=pages.per_page, offset=pages.offset
    )

    def address(number: int = 1, *, group: str = group, kind: str = chosen) -> str:
        return f"{path_of('jobs')}?{urlencode({'state': group, 'kind': kind, 'page': number})}"

    return page(
        visit,
        "jobs.html",
        jobs=await shown(visit, found),
        counts=counts,
        group=group,
        kind=chosen,
        kinds=known,
        pages=pages,
        address=address,
    )


@router.get("/{job_id}")
async def job(visit: Reading, job_id: str) -> Response:
    return page(visit, "job.html", shown=await shown_one(visit, job_id))


@router.post("/{job_id}/cancel")
async def cancel(visit: Writing, job_id: str, next: str = Form("")) -> Response:  # noqa: A002
    await visit.services.jobs.cancel(visit.tenant, job_id)
    return see(back_to(next, path_of("jobs", job_id)))


@router.post("/{job_id}/approve")
async def approve(visit: Writing, job_id: str, next: str = Form("")) -> Response:  # noqa: A002
    """Let a job run that waits because of its price."""
    await visit.services.jobs.approve(visit.tenant, job_id)
    return see(back_to(next, path_of("jobs", job_id)))


@router.post("/{job_id}/review")
async def review(
    visit: Writing,
    job_id: str,
    verdict: str = Form(""),
    reason: str = Form("", max_length=2000),
    next: str = Form(""),  # noqa: A002
) -> Response:
    """What was made is good, or is not, and why."""
    reason = reason.strip()
    by = visit.who.label if visit.who else None
    if verdict == "approved":
        await visit.services.jobs.review(visit.tenant, job_id, "approved", reason=reason or None, by=by)
    elif verdict == "rejected" and reason:
        await visit.services.jobs.review(visit.tenant, job_id, "rejected", reason=reason, by=by)
    else:
        raise InvalidInput("Say why it is rejected.", code="review_reason_missing")
    return see(back_to(next, path_of("jobs", job_id)))
