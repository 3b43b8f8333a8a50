"""The console's own style, scripts and icon, and its words about jobs for the chat page."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, JSONResponse, Response

from app.console.guard import ConsoleRoute
from app.console.texts import Language, for_jobs
from knowledge.errors import NotFound

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/static/words/{language}.json")
async def words(language: Language) -> Response:
    """What kinds, stages and errors of jobs are called. The chat page shows jobs too, on other sites as well."""
    return JSONResponse(for_jobs(language), headers={"Cache-Control": "max-age=300"})


@router.get("/static/{name:path}")
async def static_file(name: str) -> Response:
    path = (STATIC / name).resolve()
    media_type = MEDIA_TYPES.get(path.suffix)
    if not path.is_relative_to(STATIC) or not path.is_file() or media_type is None:
        raise NotFound("There is no such file.", code="page_not_found")
    # no-cache: revalidated by ETag, so an upgrade shows at once and an unchanged file costs a 304
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": "no-cache"})
