"""The answer cache: what it was good for, its switch, and emptying it."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.dependencies import Admin, Reader, TheServices
from app.api.problems import problems

router = APIRouter(prefix="/v1/answer-cache", tags=["chat"], responses=problems(400, 413, 422))


class CacheSwitch(BaseModel):
    """``on`` false: nothing is kept and nothing kept is given."""

    on: bool


@router.get("")
async def cache_use(who: Reader, services: TheServices, days: int = Query(default=30, ge=1, le=366)) -> dict[str, Any]:
    """Answers by where they came from, and the tokens that were saved."""
    use = await services.cache_use.since(who.tenant, days=days)
    return {"on": await services.cache_use.on(who.tenant), **asdict(use), "share": round(use.share, 4)}


@router.put("")
async def switch_cache(body: CacheSwitch, who: Admin, services: TheServices) -> dict[str, Any]:
    """Switch it on or off."""
    await services.cache_use.switch(who.tenant, on=body.on, by=who.label)
    return {"on": body.on}


@router.delete("")
async def purge_cache(who: Admin, services: TheServices) -> dict[str, Any]:
    """Forget every kept answer."""
    return {"purged": await services.kept.purge(who.tenant)}
