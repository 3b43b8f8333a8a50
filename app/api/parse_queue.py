"""The queue of documents that are taken in, over HTTP."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.bodies import MOST, Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from app.api.render import document_json
from app.parse_queue import Group, Queued

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 413, 422, 503))


class OfBase(Body):
    """Of one knowledge base, or of all."""

    knowledge_base: str | None = None


class Failures(OfBase):
    """``reason`` is one of the typed reasons; null is any."""

    reason: str | None = None


@router.get("/parse-queue")
async def get_parse_queue(
    who: Reader,
    services: TheServices,
    group: Group = "active",
    kb: str | None = None,
    reason: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> dict[str, Any]:
    """What is being taken in and what waits (``active``), what ``failed``, and what was ``done`` in the last day; with
    totals, and about how many seconds are left."""
    queue = services.parse_queue
    state = await queue.state(who.tenant, kb)
    page = await queue.page(who.tenant, group, kb, reason=reason, limit=limit, offset=offset)
    return {**asdict(state), "documents": [queued_json(each) for each in page]}


@router.post("/parse-queue/cancel")
async def cancel_waiting(who: Writer, services: TheServices, body: OfBase | None = None) -> dict[str, int]:
    """Take nothing in of what waits. What runs goes on; what was live stays live."""
    return {"cancelled": await services.parse_queue.cancel_waiting(who.tenant, body.knowledge_base if body else None)}


@router.post("/parse-queue/retry", status_code=202)
async def retry_failed(who: Writer, services: TheServices, body: Failures | None = None) -> dict[str, int]:
    """Try again what failed: the newest failures, 500 at most."""
    wanted = body or Failures()
    queue = services.parse_queue
    retried = await queue.retry_failed(who.tenant, wanted.knowledge_base, reason=wanted.reason)
    return {"retried": retried, "left": (await queue.state(who.tenant, wanted.knowledge_base)).failed}


@router.post("/documents/{document_id}/cancel")
async def cancel_document(document_id: str, who: Writer, services: TheServices) -> dict[str, Any]:
    """Take a document in no further: reading it is stopped. A version that was live stays."""
    return document_json(await services.parse_queue.cancel(who.tenant, document_id))


def queued_json(each: Queued) -> dict[str, Any]:
    more = {"knowledge_base": each.kb, "job_id": each.job.id if each.job else None, "attempts": each.attempts}
    since = each.since.isoformat() if each.since else None
    return {**document_json(each.document), **more, "since": since, "seconds": each.seconds}
