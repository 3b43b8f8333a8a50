"""The studio: what is to be made, what it will cost, and the job that makes it."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from app.console.filled_form import request_of, shown_value
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.job_views import Shown, explained, shown_one
from app.console.kinds import Kind, by_queue, kinds_of
from app.console.pages import Visit, page, path_of, see
from app.console.texts import language_of
from app.jobs.models import JobState
from app.jobs.service import Wanted
from knowledge.errors import CopilotError, NotFound

RECENT = 48  # jobs whose pictures are offered to be used again

router = APIRouter(prefix="/studio", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def studio(visit: Reading, kind: str = "", job: str = "", again: str = "", image: str = "") -> Response:
    """``job`` is shown beside the form, which is filled in as it was; ``again`` is a job to be done with changes."""
    kinds = kinds_of(visit.services.jobs.handlers)
    if not kinds:
        return page(visit, "studio.html", kinds={}, kind=None)
    like = await shown_one(visit, again or job) if again or job else None
    chosen = _chosen(kinds, kind or (like.job.kind if like else ""))
    request = dict(like.job.request) if like and like.job.kind == chosen.name else None
    if image:
        request = {**(request or {}), "image": image}
    return _studio(visit, kinds, chosen, request=request, shown=like if job and not again else None, again=again)


@router.post("/{kind}/estimate")
async def estimate(visit: Reading, kind: str, request: Request) -> Response:
    """What the form as it stands would cost and take. Nothing is written down."""
    chosen = _chosen(kinds_of(visit.services.jobs.handlers), kind, exactly=True)
    filled = request_of(chosen.fields, await request.form())
    try:
        made = await visit.services.jobs.estimate(visit.tenant, kind, filled)
    except CopilotError as error:
        missing = error.error_code == "job_argument_missing"
        return page(visit, "estimate.html", estimate=None, missing=missing, problem=_sentence(visit, error))
    return page(visit, "estimate.html", estimate=made, missing=False, problem="")


@router.post("/{kind}")
async def submit(visit: Writing, kind: str, request: Request) -> Response:
    """Write the job down and show it beside its form."""
    kinds = kinds_of(visit.services.jobs.handlers)
    chosen = _chosen(kinds, kind, exactly=True)
    form = await request.form()
    filled = request_of(chosen.fields, form)
    again = str(form.get("_again") or "")
    try:
        job_id = await _submit(visit, kind, filled, again=again, once=str(form.get("_once") or "") or None)
    except CopilotError as error:
        return _studio(visit, kinds, chosen, request=filled, again=again, error=error)
    return see(_address(chosen, job_id))


@router.get("/pictures")
async def pictures(visit: Reading) -> Response:
    """Pictures of earlier jobs, to start from: what they made and what they were made from."""
    jobs = visit.services.jobs
    recent = await jobs.ledger.newest(visit.tenant, states=[JobState.SUCCEEDED], limit=RECENT)
    made = await jobs.artifacts.of_jobs([job.id for job in recent])
    results = [artifact for job in recent for artifact in made[job.id] if artifact.media_type.startswith("image/")]
    sources = dict.fromkeys(job.request["image"] for job in recent if isinstance(job.request.get("image"), str))
    return page(visit, "pictures.html", results=results, sources=[one for one in sources if one])


async def _submit(visit: Visit, kind: str, filled: Mapping[str, Any], *, again: str, once: str | None) -> str:
    jobs = visit.services.jobs
    if again:
        await jobs.ledger.get(visit.tenant, again)  # of this tenant
    wanted = Wanted(
        visit.tenant,
        kind,
        filled,
        requester=visit.who.label if visit.who else None,
        retry_of=again or None,
        idempotency_key=once,
    )
    return (await jobs.submit(wanted)).id


def _chosen(kinds: Sequence[Kind], name: str, *, exactly: bool = False) -> Kind:
    found = next((kind for kind in kinds if kind.name == name), None)
    if found is None and (exactly or name):
        raise NotFound("There is no such kind of job.", code="page_not_found")
    return found or kinds[0]


def _studio(
    visit: Visit,
    kinds: Sequence[Kind],
    chosen: Kind,
    *,
    request: Mapping[str, Any] | None = None,
    shown: Shown | None = None,
    again: str = "",
    error: CopilotError | None = None,
) -> Response:
    return page(
        visit,
        "studio.html",
        status=422 if error else 200,
        kinds=by_queue(kinds),
        kind=chosen,
        value_of=lambda field: shown_value(field, request),
        shown=shown,
        again=again,
        once=uuid4().hex,
        here=_address(chosen, shown.job.id if shown else ""),
        problem=_sentence(visit, error) if error else "",
        wrong=str(error.params.get("field", "")) if error else "",
        max_mb=visit.services.settings.max_upload_mb,
    )


def _address(kind: Kind, job_id: str) -> str:
    return f"{path_of('studio')}?{urlencode({'kind': kind.name, **({'job': job_id} if job_id else {})})}"


def _sentence(visit: Visit, error: CopilotError) -> str:
    return explained(language_of(visit.request), error.error_code, error.message, error.params)
