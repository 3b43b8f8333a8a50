"""The engine that works everywhere: cut-out products on white, on nothing, and on backdrops, on the CPU."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from app.imaging.placing import Placed, Spot
from app.imaging.ports import Alpha, Pixels, Size
from app.imaging.requests import Shadow
from app.imaging.shadows import Fall, below, cast, contact, mirrored
from app.imaging.templates import Template

ENGINE = "compositor"
SIDES = {"left": -1, "right": 1, "above": 0}
DEPTHS = {"level": 0.16, "high": 0.5, "top": 1.0}  # sine of the backdrops' pitches: 9°, 30°, 90°
ADAPT = 0.16  # how far the product's colours go towards the backdrop's light
WRAP = 0.10  # how much of the backdrop's light spills over the product's edge
SHADOW_SIDE = 600  # pixels that shadows are worked out at
SHADE = 0.05  # a little darker on the side away from the light


@dataclass(frozen=True, slots=True)
class Ground:
    """A template's positions in pixels of one canvas."""

    base: float
    centre: float
    room: Size
    text_area: tuple[int, int, int, int]


def on_white(placed: Placed, shadow: Shadow) -> Pixels:
    """Pure white (255) wherever neither product nor shadow is."""
    surface = np.full(placed.pixels.shape, 255, np.float32)
    if shadow != "none":
        fall = Fall(side=-1, strength=0.42, reach=0.5)
        surface *= 1 - contact(placed.alpha, fall)[..., None]
        if shadow == "full":
            surface *= 1 - 0.6 * cast(placed.alpha, fall)[..., None]
        surface[surface > 253.5] = 255  # the last trace of a shadow is no white
    return _laid(surface, placed.pixels, placed.alpha)


def ground_of(template: Template, size: Size, *, scale: float) -> Ground:
    """Where on the canvas the template's places are, after its backdrop was cut to the canvas's shape."""
    width, height = size
    side, left, top = _cut(template, size)
    area = template.text_area
    x = [round(np.clip(share * side - left, 0, width)) for share in (area[0], area[2])]
    y = [round(np.clip(share * side - top, 0, height)) for share in (area[1], area[3])]
    base, centre = template.ground * side - top, template.centre * side - left
    tall = min(template.tallest * side * scale, (0.93 * base) if template.horizon is not None else 0.9 * height)
    wide = min(template.widest * side * scale, 0.92 * width)
    return Ground(base, centre, (round(wide), round(tall)), (x[0], y[0], x[1], y[1]))


def spot_of(template: Template, size: Size, ground: Ground) -> Spot:
    """On its feet, or, seen from above, around the middle."""
    if template.pitch == "top":
        return Spot(size, ground.room, ground.centre, y=ground.base)
    return Spot(size, ground.room, ground.centre, base=ground.base)


def backdrop(template: Template, size: Size) -> Pixels:
    """The template's picture in the size of the canvas. What does not fit is cut away around the product's place."""
    stored: Any = cv2.imdecode(np.fromfile(template.file, np.uint8), cv2.IMREAD_COLOR)
    side, left, top = _cut(template, size)
    width, height = size
    how = cv2.INTER_AREA if side <= stored.shape[0] else cv2.INTER_CUBIC
    shares = stored.shape[0] / side
    rows = slice(math.floor(top * shares), math.ceil((top + height) * shares))
    columns = slice(math.floor(left * shares), math.ceil((left + width) * shares))
    cut = cv2.resize(stored[rows, columns], size, interpolation=how)
    pixels: Pixels = np.ascontiguousarray(cut[..., ::-1])
    return _grained(pixels) if side > stored.shape[0] else pixels


def on_backdrop(placed: Placed, template: Template, shadow: Shadow) -> Pixels:
    """The product in the scene, lit as the scene is."""
    size = placed.pixels.shape[1], placed.pixels.shape[0]
    behind = backdrop(template, size)
    product = _lit(placed, behind, template)
    surface = behind.astype(np.float32)
    fall = Fall(SIDES[template.light], template.shadow, template.reach, DEPTHS[template.pitch])
    if shadow != "none":
        dark = _shadow(placed.alpha, template, fall, full=shadow == "full")
        surface *= (1 - dark)[..., None] ** np.array(
            [1.0, 1.02, 1.04], np.float32
        )  # shadows are a little cold … not black
    if template.reflection and template.pitch == "level":
        seen, share = mirrored(product, placed.alpha, template.reflection)
        surface += (seen - surface) * share[..., None]
    return _laid(surface, product, placed.alpha)


def _shadow(alpha: Alpha, template: Template, fall: Fall, *, full: bool) -> Alpha:
    """At a smaller size and enlarged: shadows are soft, and their blurs wide."""
    scale = min(1.0, SHADOW_SIDE / max(alpha.shape))
    small = cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if template.pitch == "top":
        dark = below(small, fall)
    else:
        dark = contact(small, fall)
        if full:
            dark = 1 - (1 - dark) * (1 - cast(small, fall))
    grown: Alpha = cv2.resize(dark, (alpha.shape[1], alpha.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(grown, 0, 1)


def _cut(template: Template, size: Size) -> tuple[int, int, int]:
    """(side of the square backdrop in pixels of the canvas, left, top of the canvas in it)."""
    width, height = size
    side = max(width, height)
    left = np.clip(template.centre * side - width / 2, 0, side - width)
    # Lower than the middle of the free room: the product's foot and the surface matter more than the wall.
    anchor = 0.5 if template.pitch == "top" else 0.74
    top = np.clip(template.ground * side - anchor * height, 0, side - height)
    return side, round(left), round(top)


def _lit(placed: Placed, behind: Pixels, template: Template) -> Pixels:
    """The backdrop's tint and brightness on the product, its light over the edge, its far side a little darker."""
    product = placed.pixels.astype(np.float32)
    around = cv2.resize(behind, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1, 3)
    mean = around.mean(0)
    tint = mean / max(float(mean.mean()), 1.0)
    brightness = np.clip(float(mean.mean()) / 150, 0.55, 1.15)
    product *= (1 + ADAPT * (np.clip(tint, 0.6, 1.5) - 1)) * (1 + 0.5 * ADAPT * (brightness - 1))
    left, _, right, _ = placed.box
    across = np.clip((np.arange(product.shape[1], dtype=np.float32) - left) / max(1, right - left), 0, 1)
    product *= (1 + SHADE * SIDES[template.light] * (across - 0.5) * 2)[None, :, None]
    blur = max(1.0, 0.006 * max(placed.alpha.shape))
    rim = np.clip(1 - cv2.GaussianBlur(placed.alpha, (0, 0), blur), 0, 1)[..., None]
    spill = cv2.GaussianBlur(behind, (0, 0), 2 * blur).astype(np.float32)
    product += (spill - product) * (rim * WRAP)
    result: Pixels = np.round(np.clip(product, 0, 255)).astype(np.uint8)
    return result


def _laid(surface: np.ndarray, product: Pixels, alpha: Alpha) -> Pixels:
    share = alpha[..., None]
    result: Pixels = np.round(np.clip(surface * (1 - share) + product * share, 0, 255)).astype(np.uint8)
    return result


def _grained(pixels: Pixels) -> Pixels:
    """Enlarged backdrops lose their grain; without it a sharp product looks pasted on."""
    noise = np.random.default_rng(7).normal(0, 1.6, (*pixels.shape[:2], 1)).astype(np.float32)
    result: Pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return result
