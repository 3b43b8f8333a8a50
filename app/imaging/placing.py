"""A product on a canvas: how large, where, and enlarged by what."""

from dataclasses import dataclass

import numpy as np

from app.imaging.enlarging import BY_DEFAULT_BELOW, FACTOR, MODEL, Enlarger, resized, resized_alpha
from app.imaging.ports import Alpha, Cutout, Note, Picture, Pixels, Report, Size
from app.imaging.screening import product_box

EDGE = 2  # pixels kept around the product's box


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The product on an empty canvas. ``box`` is left, top, right, bottom of it there; ``tier`` how it was resized."""

    pixels: Pixels
    alpha: Alpha
    box: tuple[int, int, int, int]
    tier: str
    model: str | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """A canvas of ``size`` and the space on it: at most ``room``, centred at ``x``, and at ``y`` or on ``base``."""

    size: Size
    room: Size
    x: float
    y: float | None = None
    base: float | None = None


def place(
    picture: Picture, cutout: Cutout, spot: Spot, enlarger: Enlarger, *, enhance: bool | None, report: Report
) -> Placed:
    """Scaled to fill the room. ``enhance`` is the request's; None follows the policy by size.

    Policy: smaller pictures are averaged; from 500 pixels of the shorter side Lanczos and a light unsharp mask; below
    that, or when asked for, Real-ESRGAN on the product alone.
    """
    left, top, right, bottom = product_box(cutout)
    rows, columns = slice(max(0, top - EDGE), bottom + EDGE), slice(max(0, left - EDGE), right + EDGE)
    pixels, alpha = cutout.pixels[rows, columns], cutout.alpha[rows, columns]
    scale = min(spot.room[0] / (right - left), spot.room[1] / (bottom - top))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    wanted = scale > 1.05 if enhance else (enhance is None and scale > 1.05 and min(picture.size) < BY_DEFAULT_BELOW)
    notes: list[Note] = []
    if wanted and not enlarger.available():
        wanted = False
        notes.append(Note("image_enlarged_plainly", "Enlarged without Real-ESRGAN: its weights are not installed."))
    if wanted:
        pixels = _enlarged(pixels, size, enlarger, report)
        notes.append(
            Note("image_enlarged_by_model", "Enlarged by Real-ESRGAN, which invents fine detail: check print.")
        )
    elif scale > 2:
        notes.append(
            Note("image_enlarged_much", f"Enlarged {scale:.1f} times; send a larger picture for a sharper one.")
        )
    tier = "real-esrgan" if wanted else "area" if scale <= 1 else "lanczos"
    pixels, alpha = resized(pixels, size), resized_alpha(alpha, size)
    return _on_canvas(pixels, alpha, spot, tier, MODEL if wanted else None, tuple(notes), edge=EDGE * scale)


def _enlarged(pixels: Pixels, size: Size, enlarger: Enlarger, report: Report) -> Pixels:
    """Not more than needed: a product that must grow by half is first made smaller where that loses nothing."""
    need = max(size[0] / pixels.shape[1], size[1] / pixels.shape[0])
    if need < FACTOR / 2:
        shrink = max(0.5, need / FACTOR * 1.5)
        small = max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink))
        pixels = resized(pixels, small)
    return enlarger.enlarge(pixels, lambda share: report(30 + int(55 * share), "enlarging"))


def _on_canvas(
    pixels: Pixels, alpha: Alpha, spot: Spot, tier: str, model: str | None, notes: tuple[Note, ...], *, edge: float
) -> Placed:
    width, height = spot.size
    left = round(spot.x - pixels.shape[1] / 2)
    if spot.base is not None:
        top = round(spot.base + edge - pixels.shape[0])
    else:
        top = round((height / 2 if spot.y is None else spot.y) - pixels.shape[0] / 2)
    canvas, mask = np.full((height, width, 3), 255, np.uint8), np.zeros((height, width), np.float32)
    to_rows, from_rows = _overlap(top, pixels.shape[0], height)
    to_columns, from_columns = _overlap(left, pixels.shape[1], width)
    canvas[to_rows, to_columns] = pixels[from_rows, from_columns]
    mask[to_rows, to_columns] = alpha[from_rows, from_columns]
    box = to_columns.start, to_rows.start, to_columns.stop, to_rows.stop
    return Placed(canvas, mask, box, tier, model, notes)


def _overlap(start: int, length: int, room: int) -> tuple[slice, slice]:
    """Where it lies on the canvas, and which part of it that is."""
    first, last = max(0, start), min(room, start + length)
    return slice(first, last), slice(first - start, last - start)
