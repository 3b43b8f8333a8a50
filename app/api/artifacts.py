"""Files: pictures that people send, and what jobs made; whole or a range, with a key or by a signed link."""

import re
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, File, Request, Response, UploadFile
from fastapi.concurrency import iterate_in_threadpool
from fastapi.responses import StreamingResponse

from app.api.dependencies import Allowed, Chatter, TheServices
from app.api.render import artifact_json
from app.identity.keys import Scope
from app.jobs.models import Artifact
from app.jobs.ports import NewArtifact
from app.jobs.service import JobService
from ingest.sniff import sniff
from knowledge.errors import InvalidInput

router = APIRouter(prefix="/v1", tags=["jobs"])

# Files are shown, not run: whatever somebody uploads must not act as a page of this service.
_HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@router.post("/artifacts", status_code=201)
async def upload_artifact(
    who: Chatter,
    services: TheServices,
    file: UploadFile = File(),  # noqa: B008 (FastAPI's way)
) -> dict[str, Any]:
    """A picture to work on; its id is what requests call ``image``."""
    data = await file.read()
    new = NewArtifact(data, picture_type(data), (file.filename or "picture")[:300], {"uploaded": True})
    return artifact_json(services.jobs, await services.jobs.artifacts.upload(who.tenant, new))


@router.get("/artifacts/{artifact_id}")
async def get_artifact(artifact_id: str, request: Request, services: TheServices, download: bool = False) -> Response:
    """The bytes. Without a key, ``expires`` and ``signature`` of a signed link are needed."""
    given = request.query_params
    if "signature" in given:
        expires = given.get("expires", "")
        number = int(expires) if expires.isdecimal() else 0
        artifact = await services.jobs.artifacts.signed(artifact_id, number, given["signature"])
    else:
        who = await Allowed(Scope.CHAT)(request, services)
        artifact = await services.jobs.artifacts.get(who.tenant, artifact_id)
    return _file(services.jobs, artifact, request.headers.get("range"), download=download)


def picture_type(data: bytes) -> str:
    """By its first bytes, not its name. Raises InvalidInput ``unsupported``, with status 415."""
    media_type = sniff(data, "")
    if not media_type.startswith("image/"):
        raise InvalidInput("This is not a picture. Send a JPEG, PNG or WebP file.", code="unsupported")
    return media_type


def _file(jobs: JobService, artifact: Artifact, wanted: str | None, *, download: bool) -> Response:
    headers = {
        **_HARMLESS,
        "Accept-Ranges": "bytes",
        "ETag": f'"{artifact.content_hash}"',
        "Cache-Control": "private, max-age=31536000",
        "Content-Disposition": _disposition(artifact.name, download=download),
    }
    part = _range(wanted, artifact.size)
    if part is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{artifact.size}"})
    start, end = part
    partial = end - start < artifact.size
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{artifact.size}"
    headers["Content-Length"] = str(end - start)
    pieces = iterate_in_threadpool(jobs.artifacts.pieces(artifact, start, end))
    return StreamingResponse(pieces, 206 if partial else 200, headers=headers, media_type=artifact.media_type)


def _range(wanted: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; None for a range outside the file. What is no single range is ignored
    (RFC 9110, 14.2)."""
    match = _RANGE.fullmatch(wanted or "")
    if match is None or not any(match.groups()):
        return 0, size
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    end = min(int(last) + 1, size) if last else size
    return (int(first), end) if int(first) < end else None


def _disposition(name: str, *, download: bool) -> str:
    plain = re.sub(r'[^\w .()-]|["\\]', "_", name, flags=re.ASCII)
    return f"{'attachment' if download else 'inline'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
