"""What was published in a knowledge base lately, to be undone as it was published."""

from datetime import datetime

from fastapi import APIRouter, Form, Response

from app.console.authors import label_of, names_of
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import page, path_of, see
from knowledge.errors import InvalidInput

MOST = 30
NAMED = 8  # documents of a publication; the rest are counted

router = APIRouter(prefix="/kb/{kb}/publications", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def publications(visit: Reading, kb: str) -> Response:
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    found = await visit.services.undoing.publications(visit.tenant, base.id, limit=MOST)
    names = await names_of(visit)
    return page(visit, "publications.html", base=base, publications=found, named=NAMED, names=names)


@router.post("/undo")
async def undo(visit: Writing, kb: str, since: str = Form(""), until: str = Form("")) -> Response:
    try:
        span = datetime.fromisoformat(since), datetime.fromisoformat(until)
    except ValueError as exc:
        raise InvalidInput("This is no date and time.", code="moment_invalid") from exc
    await visit.services.undoing.undo(visit.tenant, kb, since=span[0], until=span[1], by=label_of(visit))
    return see(path_of("kb", kb, "publications"))
