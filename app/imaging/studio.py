"""The work itself, one method a kind: from the bytes of a picture to a finished one. Blocking; called in a thread."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.imaging import checks, marks, pictures
from app.imaging.engines import compositor
from app.imaging.enlarging import FACTOR, MODEL, Enlarger, resized, resized_alpha
from app.imaging.matting import Matting
from app.imaging.placing import Placed, Spot, place
from app.imaging.ports import Alpha, Cutout, Made, Note, Picture, Report, Size
from app.imaging.presets import preset_of, size_of
from app.imaging.requests import Crop, CutoutRequest, Mark, Scene, Transparent, Upscale, WhiteBackground
from app.imaging.screening import check_size, product_box, screen
from app.imaging.templates import choose
from app.imaging.weights import Weights
from app.jobs.ports import JobFailed

FILL = 0.86  # Amazon asks for 85 % or more of the frame; others for less
WORKING = 1600  # pixels a side that a product is cut out at: enough for 1000×1000, quick enough
MOST_UPSCALED = 1_000_000  # pixels of the source; four times as wide and high are 16 million


class Studio:
    """Loads nothing before it is needed. Thread-safe; networks and cut-outs are shared by all jobs."""

    def __init__(self, cache_folder: Path, *, threads: int, enlarger: Enlarger | None = None) -> None:
        weights = Weights(cache_folder)
        self._matting = Matting(weights, threads=threads)
        self._enlarger = enlarger or Enlarger(weights, threads=threads)

    def white_background(self, request: WhiteBackground, data: bytes, report: Report) -> Made:
        """The product on pure white, in the middle."""
        size, preset = size_of(request), preset_of(request)
        fill = request.fill or (preset.fill if preset else FILL)
        job = self._cut(request, data, size, report)
        room = max(1, round(size[0] * fill)), max(1, round(size[1] * fill))
        placed = self._place(request, job, Spot(size, room, size[0] / 2), report)
        pixels = compositor.on_white(placed, request.shadow)
        return _finish(request, job, placed, pixels, None, {"fill": fill})

    def transparent(self, request: Transparent, data: bytes, report: Report) -> Made:
        """The product on nothing. Without a size: its own pixels, trimmed, with a small margin."""
        sized = request.preset is not None or request.width is not None
        job = self._cut(request, data, size_of(request) if sized else (WORKING, WORKING), report)
        if sized:
            size, fill = size_of(request), request.fill or FILL
        else:
            size, fill = self._own_size(job, request.fill or 0.96), request.fill or 0.96
        room = max(1, round(size[0] * fill)), max(1, round(size[1] * fill))
        placed = self._place(request, job, Spot(size, room, size[0] / 2), report)
        return _finish(request, job, placed, placed.pixels, placed.alpha, {"fill": fill})

    def scene(self, request: Scene, data: bytes, report: Report) -> Made:
        """The product on a backdrop, with its shadow."""
        template = choose(request.template, category=request.category, pitch=request.pitch)
        size = size_of(request)
        job = self._cut(request, data, size, report)
        ground = compositor.ground_of(template, size, scale=request.scale)
        placed = self._place(request, job, compositor.spot_of(template, size, ground), report)
        pixels = compositor.on_backdrop(placed, template, request.shadow)
        told = {"template": template.name, "pitch": template.pitch, "text_area": list(ground.text_area)}
        return _finish(request, job, placed, pixels, None, told)

    def upscale(self, request: Upscale, data: bytes, report: Report) -> Made:
        """The whole picture, by Real-ESRGAN; a transparent picture stays transparent."""
        report(2, "reading")
        picture = pictures.read(data)
        height, width = picture.pixels.shape[:2]
        if width * height > MOST_UPSCALED:
            raise JobFailed(
                f"This picture is large enough ({width}×{height}); at most {MOST_UPSCALED:,} pixels are enlarged.",
                code="image_large_enough",
                pixels=f"{width}×{height}",
                limit=MOST_UPSCALED,
            )
        pixels = self._enlarger.enlarge(picture.pixels, lambda share: report(5 + int(90 * share), "enlarging"))
        size = width * request.factor, height * request.factor
        if request.factor != FACTOR:
            pixels = resized(pixels, size)
        alpha = None if picture.alpha is None else resized_alpha(picture.alpha, size)
        checks.check_made(pixels, alpha, size)
        notes = (*picture.notes, Note("image_enlarged_by_model", "Real-ESRGAN invents fine detail: check print."))
        told = {
            "source": list(picture.size),
            "quality_tier": "real-esrgan",
            "models": [MODEL],
            "engine": compositor.ENGINE,
        }
        return Made(_mark(pixels, request.mark), alpha, told, notes)

    def crop(self, request: Crop, data: bytes, report: Report) -> Made:
        """Cut or padded to a size and nothing else: no network, no label."""
        report(5, "reading")
        size = size_of(request)
        picture = pictures.read(data)
        report(50, "composing")
        pixels, alpha = picture.pixels, picture.alpha
        height, width = pixels.shape[:2]
        chosen = max if request.fit == "cover" else min
        scale = chosen(size[0] / width, size[1] / height)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = _framed(resized(pixels, inner), size, 255)
        alpha = None if alpha is None else _framed(resized_alpha(alpha, inner), size, 0)
        checks.check_made(pixels, alpha, size)
        tier = "area" if scale <= 1 else "lanczos"
        enlarged = Note("image_enlarged_much", f"Enlarged {scale:.1f} times; send a larger picture for a sharper one.")
        notes = (*picture.notes, enlarged) if scale > 2 else picture.notes
        return Made(pixels, alpha, {"source": list(picture.size), "quality_tier": tier, "engine": "resize"}, notes)

    def mask(self, data: bytes) -> Alpha:
        """Where the product is, (height, width) of what :func:`app.imaging.pictures.read` makes of it; screened.

        For engines that draw around it. Raises JobFailed as :mod:`app.imaging.screening` does.
        """
        picture = pictures.read(data)
        check_size(picture)
        cutout = self._matting.cut(picture)
        screen(picture, cutout, force=False)
        return cutout.alpha

    def _cut(self, request: CutoutRequest, data: bytes, size: Size, report: Report) -> "_Job":
        started = time.perf_counter()
        report(2, "reading")
        picture = pictures.read(data, longest=max(WORKING, round(1.25 * max(size))))
        check_size(picture)
        report(8, "cutting")
        cutout = self._matting.cut(picture)
        cut = time.perf_counter()
        report(25, "screening")
        measures, notes = screen(picture, cutout, force=request.force)
        report(30, "composing")
        timings = {"cutting": cut - started, "screening": time.perf_counter() - cut}
        return _Job(picture, cutout, {"screening": _rounded(asdict(measures))}, (*picture.notes, *notes), timings, cut)

    def _place(self, request: CutoutRequest, job: "_Job", spot: Spot, report: Report) -> Placed:
        placed = place(job.picture, job.cutout, spot, self._enlarger, enhance=request.enhance, report=report)
        report(90, "composing")
        return placed

    def _own_size(self, job: "_Job", fill: float) -> Size:
        left, top, right, bottom = product_box(job.cutout)
        return max(64, round((right - left) / fill)), max(64, round((bottom - top) / fill))


class _Job:
    """A picture that was read, cut out and found good enough."""

    def __init__(
        self,
        picture: Picture,
        cutout: Cutout,
        told: dict[str, Any],
        notes: tuple[Note, ...],
        timings: dict[str, float],
        since: float,
    ) -> None:
        self.picture, self.cutout, self.told, self.notes = picture, cutout, told, notes
        self.timings, self.since = timings, since


def _finish(
    request: CutoutRequest, job: _Job, placed: Placed, pixels: Any, alpha: Alpha | None, told: dict[str, Any]
) -> Made:
    size = placed.pixels.shape[1], placed.pixels.shape[0]
    checks.check_made(pixels, alpha, size, product=placed.alpha)
    timings = job.timings | {"composing": time.perf_counter() - job.since - job.timings["screening"]}
    about = {
        "engine": compositor.ENGINE,
        "models": [model for model in (job.cutout.model, placed.model) if model is not None],
        "source": list(job.picture.size),
        "quality_tier": placed.tier,
        "timings_ms": {name: round(1000 * seconds) for name, seconds in timings.items()},
    }
    return Made(_mark(pixels, request.mark), alpha, about | job.told | told, (*job.notes, *placed.notes))


def _mark(pixels: Any, mark: Mark | None) -> Any:
    return marks.marked(pixels, mark) if mark is not None and mark != "none" else pixels


def _framed(pixels: Any, size: Size, filling: int) -> Any:
    """The middle of it, or it in the middle."""
    height, width = pixels.shape[:2]
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    cut = pixels[max(0, -top) : max(0, -top) + size[1], max(0, -left) : max(0, -left) + size[0]]
    below, right = size[1] - cut.shape[0] - max(0, top), size[0] - cut.shape[1] - max(0, left)
    colour = [filling] * 3 if pixels.ndim == 3 else filling
    return cv2.copyMakeBorder(
        np.ascontiguousarray(cut), max(0, top), below, max(0, left), right, cv2.BORDER_CONSTANT, value=colour
    )


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in values.items()}
