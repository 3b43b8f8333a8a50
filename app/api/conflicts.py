"""Passages that give different values for the same thing, over HTTP."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.api.bodies import MOST, Body
from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from knowledge.conflicts import ConflictState, Side, ValueConflict

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 413, 422))


class ConflictChange(Body):
    """``ignored``: both are right; ``resolved``: dealt with. Neither is shown again unless a value changes."""

    state: ConflictState


@router.get("/conflicts")
async def list_conflicts(
    who: Reader,
    services: TheServices,
    state: ConflictState = "open",
    kb: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> dict[str, Any]:
    """A page of conflicts, newest first. One whose passages have changed since is gone by itself."""
    base = await services.knowledge.catalog.knowledge_base(who.tenant, kb) if kb else None
    kb_id = base.id if base else None
    page, total = await services.conflicts.page(who.tenant, state=state, kb_id=kb_id, limit=limit, offset=offset)
    return {"conflicts": [conflict_json(each) for each in page], "total": total}


@router.get("/conflicts/{conflict_id}")
async def get_conflict(conflict_id: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """One of them, with both passages."""
    return conflict_json(await services.conflicts.get(who.tenant, conflict_id))


@router.patch("/conflicts/{conflict_id}")
async def change_conflict(conflict_id: str, body: ConflictChange, who: Writer, services: TheServices) -> dict[str, Any]:
    """Leave it at that, or look at it again."""
    return conflict_json(await services.conflicts.set_state(who.tenant, conflict_id, body.state, by=who.label))


def conflict_json(conflict: ValueConflict) -> dict[str, Any]:
    return {
        "id": conflict.id,
        "knowledge_base": conflict.kb,
        "state": conflict.state,
        "subject": conflict.subject,
        "passages": [_side_json(conflict.left), _side_json(conflict.right)],
        "found_at": conflict.found_at.isoformat(),
        "closed_by": conflict.closed_by,
        "closed_at": conflict.closed_at.isoformat() if conflict.closed_at else None,
    }


def _side_json(side: Side) -> dict[str, Any]:
    """``start`` and ``end`` are where the value stands in ``text``, in characters."""
    told = asdict(side)
    place = told.pop("place")
    return {**told, **place, "value": side.value}
