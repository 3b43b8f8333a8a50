"""What was published in a knowledge base lately, and its undoing, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from app.api.bodies import Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from knowledge.publications import Publication

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 413, 422, 503))

NAMED = 100  # documents of a publication that are named


class Undo(Body):
    """What was published from ``since`` to ``until`` (null: now). Without ``since``, the last publication."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


@router.get("/knowledge-bases/{kb}/publications")
async def list_publications(
    kb: str, who: Reader, services: TheServices, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> dict[str, Any]:
    """The last ones, newest first: what one person or source published without a pause is one."""
    found = await services.undoing.publications(who.tenant, kb, limit=limit)
    return {"publications": [publication_json(each) for each in found]}


@router.post("/knowledge-bases/{kb}/undo")
async def undo_publications(kb: str, who: Writer, services: TheServices, body: Undo | None = None) -> dict[str, Any]:
    """Each document is what it was before, at once; one that was new answers no more. What was published again since
    is left as it is."""
    wanted = body or Undo()
    done = await services.undoing.undo(who.tenant, kb, since=wanted.since, until=wanted.until, by=who.label)
    return done.json()


def publication_json(publication: Publication) -> dict[str, Any]:
    documents = [
        {"id": each.document_id, "name": each.name, "version": each.number, "back_to": each.back_to}
        for each in publication.documents[:NAMED]
    ]
    return {
        "since": publication.since.isoformat(),
        "until": publication.until.isoformat(),
        "by": publication.by,
        "restored": publication.restored,
        "total": len(publication.documents),
        "undoable": publication.undoable,
        "documents": documents,
    }
