"""The chat page and the widget's files."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse, Response

from knowledge.errors import NotFound

WIDGET = Path(__file__).parent.parent / "widget"
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def chat_page() -> Response:
    return _file("chat.html")


@router.get("/widget.js")
async def widget_script() -> Response:
    return _file("widget.js")


@router.get("/widget/{path:path}")
async def widget_file(path: str) -> Response:
    return _file(path)


@router.get("/favicon.ico")
async def favicon() -> Response:
    return RedirectResponse("/widget/favicon.svg")


def _file(name: str) -> Response:
    path = (WIDGET / name).resolve()
    media_type = MEDIA_TYPES.get(path.suffix)
    if not path.is_relative_to(WIDGET) or not path.is_file() or media_type is None:
        raise NotFound("There is no such file.", code="not_found")
    # no-cache: revalidated by ETag, so an upgrade shows at once and an unchanged file costs a 304
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": "no-cache"})
