"""Health, readiness, and what a page must know before the first question."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import metrics
from app.api.dependencies import Admin, TheRunning, TheServices
from app.api.problems import problems
from app.identity.access import identify
from app.identity.keys import Scope
from app.jobs.queue import QUEUES
from app.samples import SAMPLES, suggestions
from knowledge.errors import CopilotError, Forbidden
from knowledge.models import DEFAULT_TENANT

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Some part does not answer."}})
async def readyz(services: TheServices, response: Response) -> dict[str, Any]:
    """The parts it needs answer; 503 names those that don't."""
    checks = {"database": "ok", "vectors": "ok"}
    try:
        async with services.parts.database.read() as connection:
            await connection.execute(text("SELECT 1"))
    except (OSError, SQLAlchemyError) as exc:
        checks["database"] = str(exc).partition("\n")[0]
    try:
        await services.parts.vectors.ids("readiness-probe")
    except CopilotError as exc:
        checks["vectors"] = exc.message
    ready = all(state == "ok" for state in checks.values())
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not_ready", "checks": checks}


@router.get("/metrics", responses={**problems(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def scrape(who: Admin, services: TheServices, running: TheRunning) -> Response:
    """This process in Prometheus' text format; for an administrator of the tenant that the machine began with."""
    if who.tenant != DEFAULT_TENANT:
        raise Forbidden("Only an administrator of this machine sees its metrics.", code="scope_missing")
    waiting = await services.jobs.ledger.under_way(QUEUES)
    said = metrics.exposition(turns=running.here.under_way, waiting=waiting)
    return Response(said, media_type=metrics.TEXT_FORMAT)


@router.get("/v1/status")
async def status(request: Request, services: TheServices) -> dict[str, Any]:
    """The model, whether a key is needed, and, for callers who may ask, the knowledge bases and sample questions.

    ``may_work``: whether this caller may send pictures and start jobs.
    """
    answerer = services.chat.answerer
    found: dict[str, Any] = {
        "model": {"kind": answerer.kind, "name": answerer.name},
        "auth_required": services.settings.keys_required,
        "may_work": False,
        "knowledge_bases": [],
        "suggestions": {"zh": [], "en": []},
    }
    try:
        who = await identify(request, services.keys, keys_required=services.settings.keys_required)
    except CopilotError:
        return found
    found["may_work"] = who.may(Scope.WRITE)
    bases = await services.knowledge.catalog.knowledge_bases(who.tenant)
    found["knowledge_bases"] = [{"name": kb.name, "documents": kb.documents} for kb in bases]
    if who.tenant == DEFAULT_TENANT and any(kb.name == SAMPLES for kb in bases):
        found["suggestions"] = suggestions()
    return found
