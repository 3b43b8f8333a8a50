"""The first page: knowledge bases, and how this installation answers."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Form, Response

from app.console.guard import Administering, ConsoleRoute, Reading, Writing
from app.console.model_usage import model_usage_of
from app.console.pages import HOME, Visit, page, path_of, see
from app.console.texts import language_of, sentence_of
from knowledge.errors import Conflict, CopilotError, InvalidInput
from knowledge.models import DocumentStatus, KnowledgeBase

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Card:
    """A knowledge base as the overview shows it; ``moves``: it stands on another embedding model than configured."""

    base: KnowledgeBase
    changed_at: datetime
    failed: int
    moves: bool


@router.get("")
async def overview(visit: Reading, notice: str = "") -> Response:
    return await _overview(visit, notice=notice)


@router.post("/kb")
async def create(visit: Writing, name: str = Form("")) -> Response:
    try:
        base = await visit.services.knowledge.create(visit.tenant, name)
    except (Conflict, InvalidInput) as error:
        return await _overview(visit, wanted=name, error=error)
    return see(path_of("kb", base.name))


@router.post("/kb/{kb}/delete")
async def delete(visit: Writing, kb: str, confirm: str = Form("")) -> Response:
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    if confirm.strip() != base.name:
        raise InvalidInput("The name does not match; nothing was deleted.", code="confirmation_mismatch")
    await visit.services.knowledge.delete(visit.tenant, base.id)
    return see(f"{HOME}?notice=kb_deleted")


@router.post("/answer-cache/switch")
async def switch_cache(visit: Administering, on: str = Form("")) -> Response:
    by = visit.who.label if visit.who else "local"
    await visit.services.cache_use.switch(visit.tenant, on=bool(on), by=by)
    return see(HOME)


@router.post("/answer-cache/purge")
async def purge_cache(visit: Administering) -> Response:
    await visit.services.kept.purge(visit.tenant)
    return see(f"{HOME}?notice=cache_purged")


async def _overview(visit: Visit, *, notice: str = "", wanted: str = "", error: CopilotError | None = None) -> Response:
    services = visit.services
    bases = await services.knowledge.catalog.knowledge_bases(visit.tenant)
    cards = await asyncio.gather(*(_card(visit, base) for base in bases))
    return page(
        visit,
        "overview.html",
        status=422 if error else 200,
        cards=cards,
        answerer=services.chat.answerer,
        usage=await model_usage_of(services.model_calls, visit.tenant),
        keys_required=services.settings.keys_required,
        notice=notice if notice in ("kb_deleted", "cache_purged") else "",
        cache=await services.cache_use.since(visit.tenant),
        cache_on=await services.cache_use.on(visit.tenant),
        wanted=wanted,
        problem=sentence_of(language_of(visit.request), error) if error else "",
    )


async def _card(visit: Visit, base: KnowledgeBase) -> Card:
    catalog = visit.services.knowledge.catalog
    newest, _ = await catalog.documents(base, statuses=list(DocumentStatus), limit=1)
    _, failed = await catalog.documents(base, statuses=[DocumentStatus.FAILED], limit=1)
    changed = newest[0].updated_at if newest else None
    moves = base.embedding_model != visit.services.parts.embedder.model_id
    return Card(base, changed or base.created_at, failed, moves)
