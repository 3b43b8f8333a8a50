"""Files: pictures that people send, and what jobs made; whole or a range, with a key or by a signed link."""

import asyncio
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, File, Request, Response, UploadFile
from fastapi.concurrency import iterate_in_threadpool
from fastapi.responses import StreamingResponse

from app.api.dependencies import Allowed, TheServices, Writer
from app.api.problems import problems
from app.api.render import artifact_json
from app.identity.keys import Scope
from app.jobs.models import Artifact
from app.jobs.ports import NewArtifact
from app.jobs.service import JobService
from app.jobs.signing import moment_of
from ingest.sniff import sniff
from knowledge.errors import InvalidInput

router = APIRouter(prefix="/v1", tags=["jobs"], responses=problems(400, 404, 413, 415, 422, 503))

# Files are shown, not run: whatever somebody uploads must not act as a page of this service.
_HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"*/*": {}}},
    206: {"description": "A range of it.", "content": {"*/*": {}}},
    304: {"description": "The client has it."},
    416: {"description": "It has nothing of this range."},
}
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@router.post("/artifacts", status_code=201)
async def upload_artifact(
    who: Writer,
    services: TheServices,
    file: UploadFile = File(),  # noqa: B008 (FastAPI's way)
) -> dict[str, Any]:
    """A picture to work on, from who may have work done; its id is what requests call ``image``."""
    data = await file.read()
    new = NewArtifact(data, picture_type(data), (file.filename or "picture")[:300], {"uploaded": True})
    return artifact_json(services.jobs, await services.jobs.artifacts.upload(who.tenant, new))


@router.get("/artifacts/{artifact_id}", response_class=StreamingResponse, responses=_ANSWERS)
async def get_artifact(artifact_id: str, request: Request, services: TheServices, download: bool = False) -> Response:
    """The bytes. Without a key, ``expires`` and ``signature`` of a signed link are needed."""
    given = request.query_params
    if "signature" in given:
        expires = moment_of(given.get("expires", ""))
        artifact = await services.jobs.artifacts.signed(artifact_id, expires, given["signature"])
    else:
        who = await Allowed(Scope.CHAT)(request, services)
        artifact = await services.jobs.artifacts.get(who.tenant, artifact_id)
    return await _file(services.jobs, artifact, request.headers, download=download)


def picture_type(data: bytes) -> str:
    """By its first bytes, not its name. Raises InvalidInput ``unsupported``, with status 415."""
    media_type = sniff(data, "")
    if not media_type.startswith("image/"):
        raise InvalidInput("This is not a picture. Send a JPEG, PNG or WebP file.", code="unsupported")
    return media_type


async def _file(jobs: JobService, artifact: Artifact, wanted: Mapping[str, str], *, download: bool) -> Response:
    """Raises Unavailable ``files_unavailable``, before the first byte of the answer."""
    tag = f'"{artifact.content_hash}"'
    headers = {
        **_HARMLESS,
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Cache-Control": "private, max-age=31536000",
        "Content-Disposition": _disposition(artifact.name, download=download),
    }
    if _is_known(tag, wanted.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    part = _part(wanted.get("range", ""), artifact.size) if wanted.get("if-range", tag) == tag else None
    start, end = part or (0, artifact.size)
    if part is not None and start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{artifact.size}"})
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{artifact.size}"
    headers["Content-Length"] = str(end - start)
    pieces = jobs.artifacts.pieces(artifact, start, end)
    first = await asyncio.to_thread(next, pieces, b"")
    body = iterate_in_threadpool(chain([first], pieces))
    return StreamingResponse(body, 206 if part else 200, headers=headers, media_type=artifact.media_type)


def _is_known(tag: str, known: str) -> bool:
    """Whether the client has these bytes already (RFC 9110, 13.1.2)."""
    return known.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in known.split(","))


def _part(wanted: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last, which is not after it where the file has nothing of the range; None for
    the whole file, also where something else than one range is asked for (RFC 9110, 14.2)."""
    match = _RANGE.fullmatch(wanted)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


def _disposition(name: str, *, download: bool) -> str:
    plain = re.sub(r'[^\w .()-]|["\\]', "_", name, flags=re.ASCII)
    return f"{'attachment' if download else 'inline'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
