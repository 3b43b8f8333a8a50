"""Small pictures for lists: a page of 24 results is a few hundred kilobytes instead of many megabytes."""

import asyncio
import io
from pathlib import Path

from fastapi import APIRouter, Response

from app.console.guard import ConsoleRoute, Reading
from app.console.pages import see
from app.imaging.templates import templates
from knowledge.errors import NotFound

SIDE = 480  # pixels of the longer side: a card on a screen with two pixels a point
MOST_PIXELS = 60_000_000  # larger ones are not decoded here
QUALITY = 82

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/pictures/{artifact_id}")
async def thumbnail(visit: Reading, artifact_id: str) -> Response:
    """A WebP of at most 480 pixels; of a picture that cannot be made small, the picture itself."""
    artifacts = visit.services.jobs.artifacts
    artifact = await artifacts.get(visit.tenant, artifact_id)
    if not artifact.media_type.startswith("image/"):
        raise NotFound("This file is no picture.", code="artifact_not_found")
    small = await asyncio.to_thread(_small, await artifacts.read(artifact))
    if small is None:
        return see(f"/v1/artifacts/{artifact.id}")
    return Response(small, media_type="image/webp", headers={"Cache-Control": "private, max-age=31536000"})


@router.get("/backdrops/{name}")
async def backdrop(visit: Reading, name: str) -> Response:  # noqa: ARG001 (who may read)
    """The scene of a template."""
    template = templates().get(name)
    small = await asyncio.to_thread(_of_file, template.file) if template else None
    if small is None:
        raise NotFound("There is no such scene.", code="template_not_found", name=name, names=", ".join(templates()))
    return Response(small, media_type="image/webp", headers={"Cache-Control": "private, max-age=86400"})


def _of_file(file: Path) -> bytes | None:
    return _small(file.read_bytes()) if file.is_file() else None


def _small(data: bytes) -> bytes | None:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            picture.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded at an eighth of its size where that is enough
            small = ImageOps.exif_transpose(picture)
            small.thumbnail((SIDE, SIDE))
            shown = small.convert("RGBA" if small.has_transparency_data else "RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None
    made = io.BytesIO()
    shown.save(made, "WEBP", quality=QUALITY)
    return made.getvalue()
