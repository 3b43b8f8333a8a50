"""All pages of the console under ``/console``."""

from fastapi import APIRouter, Response

from app.console import (
    answers,
    bases,
    chunking,
    chunks,
    conflicts,
    conversations,
    curated,
    dingtalk,
    documents,
    files,
    gallery,
    gaps,
    hit_test,
    jobs,
    keys,
    original,
    prompts,
    publications,
    queue,
    session,
    sources,
    studio,
    synonyms,
    thumbnails,
    tuning,
    turns,
    versions,
)
from app.console.guard import ConsoleRoute, Reading
from app.console.pages import HOME, see
from knowledge.errors import NotFound

_elsewhere = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@_elsewhere.get("/{path:path}")
async def no_such_page(visit: Reading, path: str) -> Response:  # noqa: ARG001 (whoever may not look is asked to sign in)
    if not path:
        return see(HOME)
    raise NotFound("There is no such page.", code="page_not_found")


router = APIRouter(include_in_schema=False)
router.include_router(answers.router)
for _part in (
    session.router,
    files.router,
    bases.router,
    documents.router,
    versions.router,
    chunks.router,
    original.router,
    conflicts.router,
    sources.router,
    queue.router,
    publications.router,
    synonyms.router,
    hit_test.router,
    tuning.router,
    chunking.router,
    turns.router,
    curated.router,
    gaps.router,
    gallery.router,
    studio.router,
    jobs.router,
    thumbnails.router,
    conversations.router,
    dingtalk.router,
    keys.router,
    prompts.router,
    _elsewhere,
):
    router.include_router(_part, prefix=HOME)
