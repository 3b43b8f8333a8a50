"""Snapshots of knowledge bases over HTTP: one file out, one file in."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from app.api.dependencies import Reader, TheServices, Writer
from app.api.problems import problems
from app.api.render import kb_json
from knowledge.errors import InvalidInput

router = APIRouter(prefix="/v1", tags=["knowledge"], responses=problems(400, 404, 409, 413, 422, 503))

PATH = "/v1/snapshots"
MOST_BYTES = 4 << 30  # of a file that is sent; a million chunks are some 3 GB
ZIP = "application/zip"
_FILE = {"description": "The snapshot.", "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_BODY = {"requestBody": {"content": _BYTES, "required": True}}


@router.get("/knowledge-bases/{kb}/snapshot", response_class=FileResponse, responses={200: _FILE})
async def take_snapshot(kb: str, who: Reader, services: TheServices, vectors: bool = True) -> FileResponse:
    """What is live in a knowledge base as one file, to be restored here or elsewhere, with its vectors or without."""
    held = ExitStack()
    folder = held.enter_context(services.files.aside(who.tenant))
    try:
        taken = await services.snapshots.take(who.tenant, kb, folder / "snapshot.zip", with_vectors=vectors)
    except BaseException:
        held.close()
        raise
    name = f"{taken.name}-{taken.epoch}.zip"
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
    path = folder / "snapshot.zip"
    return FileResponse(path, media_type=ZIP, headers=headers, background=BackgroundTask(held.close))


@router.post("/snapshots", status_code=201, openapi_extra=_BODY)
async def restore_snapshot(
    request: Request, who: Writer, services: TheServices, name: Annotated[str, Query(max_length=200)] = ""
) -> dict[str, Any]:
    """A new knowledge base of what is in the file, under its own name or another. ``waiting`` documents have vectors to
    be made still; ``notes`` say what differs here."""
    with services.files.aside(who.tenant) as folder:
        if not await _received(request, folder / "snapshot.zip"):
            raise InvalidInput("Send the snapshot’s file as the body.", code="snapshot_missing")
        made = await services.snapshots.restore(who.tenant, folder / "snapshot.zip", name=name)
    return {**kb_json(made.kb), "waiting": len(made.waiting), "notes": list(made.notes)}


async def _received(request: Request, path: Path) -> int:
    """→ bytes."""
    size = 0
    with path.open("wb") as out:
        async for piece in request.stream():
            size += out.write(piece)
    return size
