"""The tenant's list of synonyms over HTTP."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from app.api.bodies import Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 413, 422))

LONGEST = 200_000  # characters


class SynonymList(Body):
    """A group a line, its words set apart by ``=``; what follows ``#`` is a note."""

    lines: str = Field(max_length=LONGEST)


@router.get("/synonyms")
async def get_synonyms(who: Reader, services: TheServices) -> dict[str, Any]:
    """Words that are searched for one another."""
    return {"lines": await services.parts.synonyms.lines(who.tenant)}


@router.put("/synonyms")
async def put_synonyms(body: SynonymList, who: Writer, services: TheServices) -> dict[str, Any]:
    """Replace the list; every question from now on is searched with it."""
    await services.parts.synonyms.write(who.tenant, body.lines, by=who.label)
    return {"lines": body.lines}
