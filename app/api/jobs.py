"""Jobs and their prices."""

from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query, Response
from pydantic import ConfigDict, Field
from sse_starlette import EventSourceResponse

from app.api.bodies import MOST, Body
from app.api.dependencies import Admin, Chatter, Reader, TheServices, Writer
from app.api.event_stream import EventStream
from app.api.problems import EVENT_STREAM, problems
from app.api.render import job_json, jobs_json
from app.channels.destinations import to_group, to_robot
from app.identity.keys import Principal
from app.jobs.models import Channel, JobState, Limits
from app.jobs.pricing import total
from app.jobs.service import PRIORITIES, Wanted
from app.wiring import Services
from knowledge.errors import InvalidInput

router = APIRouter(prefix="/v1", tags=["jobs"], responses=problems(400, 404, 409, 413, 422, 503))

MAX_ESTIMATES = 1000


class StrictBody(Body):
    model_config = ConfigDict(extra="forbid")


class Robot(StrictBody):
    """By its name in the settings."""

    robot: str = Field(max_length=64)


class Group(StrictBody):
    """By the id of its conversation."""

    conversation: str = Field(max_length=128)


class ToRobot(StrictBody):
    name: Literal["dingtalk-robot"]
    target: Robot


class ToGroup(StrictBody):
    name: Literal["dingtalk"]
    target: Group


class JobBody(StrictBody):
    """``kind`` names what to do, ``request`` has its fields. The same ``idempotency_key`` is the same job.

    ``channel`` is where the result is brought; without one it is fetched here.
    """

    kind: str
    request: dict[str, Any] = Field(default_factory=dict)
    priority: Literal["high", "normal", "low"] = "normal"
    idempotency_key: str | None = Field(default=None, max_length=200)
    conversation_id: str | None = Field(default=None, max_length=32)
    channel: Annotated[ToRobot | ToGroup, Field(discriminator="name")] | None = None


class EstimateBody(StrictBody):
    """One job, or many as ``requests`` of the same kind."""

    kind: str
    request: dict[str, Any] | None = None
    requests: list[dict[str, Any]] | None = Field(default=None, max_length=MAX_ESTIMATES)


class RetryBody(StrictBody):
    """``changes`` are fields of the request to set anew."""

    changes: dict[str, Any] = Field(default_factory=dict)


class ReviewBody(StrictBody):
    verdict: Literal["approved", "rejected"]
    reason: str | None = Field(default=None, max_length=2000)


class LimitsBody(StrictBody):
    """None is what the settings say."""

    concurrency: int | None = Field(default=None, ge=1, le=MOST)
    daily_jobs: int | None = Field(default=None, ge=0, le=MOST)
    daily_amount: float | None = Field(default=None, ge=0, le=MOST)
    approval_over: float | None = Field(default=None, ge=0, le=MOST)


@router.post("/estimates")
async def estimate(body: EstimateBody, who: Reader, services: TheServices) -> dict[str, Any]:
    """What a job would use, cost and take, before it runs. Nothing is written down."""
    jobs = services.jobs
    if body.requests is None:
        return await jobs.estimate(who.tenant, body.kind, body.request or {})
    each = [await jobs.estimate(who.tenant, body.kind, request) for request in body.requests]
    return {"kind": body.kind, "estimates": each, "amount": total(each, jobs.prices.currency)}


@router.get("/job-kinds")
async def list_kinds(who: Reader, services: TheServices) -> dict[str, Any]:  # noqa: ARG001 (who may read)
    """Every kind of job with the JSON schema of its request."""
    shown = [handler for handler in services.jobs.handlers.values() if handler.queue != "ingest"]
    return {"kinds": [{"kind": h.kind, "queue": h.queue, "request": h.request.model_json_schema()} for h in shown]}


@router.post("/jobs", status_code=202)
async def create_job(body: JobBody, who: Writer, services: TheServices) -> dict[str, Any]:
    """Have something made. It is written down before this answers; follow it at ``GET /v1/jobs/{id}/events``."""
    if services.jobs.handler(body.kind).queue == "ingest":
        raise InvalidInput("Documents are taken in by uploading them.", code="job_kind_unknown", kinds="")
    wanted = Wanted(
        who.tenant,
        body.kind,
        body.request,
        priority=PRIORITIES[body.priority],
        requester=who.label,
        channel=await _channel(body, who, services),
        conversation_id=body.conversation_id,
        idempotency_key=body.idempotency_key,
    )
    return await job_json(services.jobs, await services.jobs.submit(wanted))


async def _channel(body: JobBody, who: Principal, services: Services) -> Channel:
    """Raises InvalidInput ``robot_unknown``, NotFound ``group_not_found``."""
    match body.channel:
        case ToRobot(target=target):
            return to_robot(services.settings, who.tenant, target.robot)
        case ToGroup(target=target):
            return await to_group(services.groups, who.tenant, target.conversation)
    return Channel("web" if body.conversation_id else "api")


@router.get("/jobs")
async def list_jobs(
    who: Reader,
    services: TheServices,
    kind: Annotated[list[str] | None, Query()] = None,
    state: Annotated[list[JobState] | None, Query()] = None,
    conversation_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> dict[str, Any]:
    """A page of jobs, newest first."""
    page, count = await services.jobs.ledger.page(
        who.tenant,
        kinds=kind or (),
        states=state or (),
        conversation_id=conversation_id,
        limit=limit,
        offset=offset,
    )
    return {"jobs": await jobs_json(services.jobs, page), "total": count}


@router.get("/jobs/{job_id}")
async def get_job(job_id: str, who: Chatter, services: TheServices) -> dict[str, Any]:
    """Where a job stands, what it made and what it cost."""
    return await job_json(services.jobs, await services.jobs.ledger.get(who.tenant, job_id))


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=EVENT_STREAM)
async def job_events(
    job_id: str,
    who: Chatter,
    services: TheServices,
    last_event_id: Annotated[str | None, Header(pattern=r"^\d+-\d+$")] = None,
) -> Response:
    """``state`` and ``progress`` as they happen, from the one after ``Last-Event-ID`` on; at the end ``done``."""
    await services.jobs.ledger.get(who.tenant, job_id)

    async def frames() -> AsyncGenerator[bytes, None]:
        async for number, event in services.jobs.follow(who.tenant, job_id, after=last_event_id):
            data: Mapping[str, Any] = event.data
            if event.name == "done":
                data = {"job": await job_json(services.jobs, await services.jobs.ledger.get(who.tenant, job_id))}
            yield b"id: %s\nevent: %s\ndata: %s\n\n" % (number.encode(), event.name.encode(), orjson.dumps(data))

    return EventStream(frames())


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(job_id: str, who: Writer, services: TheServices) -> dict[str, Any]:
    """Not started: it ends now. Running: it ends within a step."""
    return await job_json(services.jobs, await services.jobs.cancel(who.tenant, job_id))


@router.post("/jobs/{job_id}/approve")
async def approve_job(job_id: str, who: Writer, services: TheServices) -> dict[str, Any]:
    """Let a job run that waits because its estimate is over the limit."""
    return await job_json(services.jobs, await services.jobs.approve(who.tenant, job_id))


@router.post("/jobs/{job_id}/retry", status_code=202)
async def retry_job(job_id: str, who: Writer, services: TheServices, body: RetryBody | None = None) -> dict[str, Any]:
    """The same once more, with changes: a new job."""
    changes = body.changes if body else {}
    return await job_json(services.jobs, await services.jobs.retry(who.tenant, job_id, changes, requester=who.label))


@router.post("/jobs/{job_id}/review")
async def review_job(job_id: str, body: ReviewBody, who: Writer, services: TheServices) -> dict[str, Any]:
    """Approve what was made, or reject it with a reason."""
    done = await services.jobs.review(who.tenant, job_id, body.verdict, reason=body.reason, by=who.label)
    return await job_json(services.jobs, done)


@router.get("/limits")
async def get_limits(who: Reader, services: TheServices) -> Limits:
    """What this tenant may do."""
    return await services.jobs.ledger.limits(who.tenant)


@router.put("/limits")
async def set_limits(body: LimitsBody, who: Admin, services: TheServices) -> Limits:
    """Set what this tenant may do; null is what the settings say."""
    await services.jobs.ledger.set_limits(who.tenant, Limits(**body.model_dump()))
    return await services.jobs.ledger.limits(who.tenant)
