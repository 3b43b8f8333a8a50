"""Shadows and reflections, from nothing but the product's outline.

Three darknesses make a product stand: the thin line where it touches, the soft pool of blocked light around its foot,
and the shadow that the lamp throws. All are alphas of black, (height, width), 0–1.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from app.imaging.ports import Alpha

# The lamps of the backdrops stand 45° to the side and as high again: a point one unit up throws its shadow this far.
ASIDE, AWAY = 0.75, 0.17
BANDS = ((0.0, 0.2, 0.010), (0.12, 0.5, 0.022), (0.4, 1.0, 0.05))  # from, to (of the height), blur (of the height)


@dataclass(frozen=True, slots=True)
class Fall:
    """``side``: where the light comes from, -1 left, 1 right, 0 above. ``reach``, ``strength``: the template's."""

    side: int
    strength: float
    reach: float = 0.6
    depth: float = 0.16  # how much of a depth one sees: the sine of the camera's pitch


def contact(alpha: Alpha, fall: Fall) -> Alpha:
    """The line where it touches the ground, and the pool around its foot."""
    box = _box(alpha)
    if box is None:
        return np.zeros_like(alpha)
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    size = max(height, width)
    foot = _foot(alpha, box)
    shift = max(1, round(0.006 * size))
    line = cv2.GaussianBlur(_shifted(foot, 0, shift), (0, 0), max(0.8, 0.007 * size))
    pool = np.zeros_like(alpha)
    columns = np.flatnonzero(foot[max(0, bottom - max(2, int(0.05 * height))) : bottom].max(0) > 0.4)
    if len(columns):
        centre, half = (columns[0] + columns[-1]) / 2, max((columns[-1] - columns[0]) / 2, 2)
        middle = bottom - half * fall.depth
        middle_x = centre - fall.side * 0.05 * half
        cv2.ellipse(
            pool,
            (round(middle_x), round(middle)),
            (round(half * 1.07), max(2, round(half * fall.depth * 1.25))),
            0,
            0,
            360,
            1.0,
            -1,
        )
    near = cv2.GaussianBlur(pool, (0, 0), max(1.0, 0.012 * size))
    far = cv2.GaussianBlur(pool, (0, 0), max(1.5, 0.045 * size))
    dark = 1 - (1 - 0.72 * np.clip(line * 1.5, 0, 1)) * (1 - 0.55 * near) * (1 - 0.5 * far)
    seen: Alpha = np.clip(dark * fall.strength * 1.2, 0, 0.85).astype(np.float32)
    return seen


def cast(alpha: Alpha, fall: Fall) -> Alpha:
    """What the lamp throws: the outline laid down away from the light, softer and weaker with the distance."""
    box = _box(alpha)
    if box is None or fall.reach <= 0:
        return np.zeros_like(alpha)
    _, top, _, bottom = box
    height = bottom - top
    result = np.zeros_like(alpha)
    lean, squash = -fall.side * ASIDE * fall.reach / 0.6, AWAY * fall.depth / 0.16
    base = bottom - 0.012 * height
    rows = np.arange(alpha.shape[0], dtype=np.float32)[:, None]
    share = np.clip((bottom - rows) / height, 0, 1)
    for low, high, blur in BANDS:
        band = alpha * np.clip((share - low) / 0.08 + 1, 0, 1) * np.clip((high - share) / 0.12, 0, 1)
        # x' = x + lean (base - y), y' = base - squash (base - y)
        laid = np.array([[1, -lean, lean * base], [0, squash, base * (1 - squash)]], np.float32)
        shadow = cv2.warpAffine(band, laid, (alpha.shape[1], alpha.shape[0]), flags=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(shadow, (0, 0), max(1.0, blur * height))
        fading = 1 - 0.7 * (low + high) / 2
        result = np.maximum(result, np.clip(soft * 1.15, 0, 1) * fading)
    seen: Alpha = np.clip(result * fall.strength * 0.75, 0, 0.7).astype(np.float32)
    return seen


def below(alpha: Alpha, fall: Fall) -> Alpha:
    """For what is seen from above: it lies flat, and its shadow is its outline, moved away from the light."""
    size = max(alpha.shape)
    aside = -fall.side if fall.side else 0.4
    tight = cv2.GaussianBlur(_shifted(alpha, round(aside * 0.006 * size), round(0.006 * size)), (0, 0), 0.006 * size)
    wide = cv2.GaussianBlur(_shifted(alpha, round(aside * 0.02 * size), round(0.018 * size)), (0, 0), 0.022 * size)
    dark = 1 - (1 - 0.6 * tight) * (1 - 0.55 * wide)
    seen: Alpha = np.clip(dark * fall.strength * 1.1, 0, 0.8).astype(np.float32)
    return seen


def mirrored(pixels: np.ndarray, alpha: Alpha, strength: float) -> tuple[np.ndarray, Alpha]:
    """The product's reflection in a polished surface: every column turned over at its own lowest point, fading."""
    height, width = alpha.shape
    there = alpha > 0.5
    last = (height - 1 - np.argmax(there[::-1], 0)).astype(np.float32)
    last[~there.any(0)] = height
    rows = np.arange(height, dtype=np.float32)[:, None]
    source = 2 * last[None, :] - rows
    columns = np.broadcast_to(np.arange(width, dtype=np.float32), (height, width))
    source = np.where(rows > last[None, :], source, -1).astype(np.float32)
    colours = cv2.remap(pixels, np.ascontiguousarray(columns), source, cv2.INTER_LINEAR)
    share = cv2.remap(alpha, np.ascontiguousarray(columns), source, cv2.INTER_LINEAR, borderValue=0)
    box = _box(alpha)
    tall = (box[3] - box[1]) if box else 1
    fading = np.clip(1 - (rows - last[None, :]) / (0.45 * tall), 0, 1)
    seen = cv2.GaussianBlur((share * fading * strength).astype(np.float32), (0, 0), max(0.8, 0.002 * height))
    return cv2.GaussianBlur(colours, (0, 0), max(0.8, 0.003 * height)), seen


def _foot(alpha: Alpha, box: tuple[int, int, int, int]) -> Alpha:
    """The lowest part of each column, where it is near the ground at all."""
    _, top, _, bottom = box
    height = bottom - top
    rows = np.arange(alpha.shape[0], dtype=np.float32)[:, None]
    there = alpha > 0.5
    last = np.where(there.any(0), alpha.shape[0] - 1 - np.argmax(there[::-1], 0), -1)[None, :]
    thick = max(2.0, 0.02 * height)
    near_ground = np.clip(1 - (bottom - last) / (0.14 * height), 0, 1)
    foot: Alpha = (alpha * (rows > last - thick) * near_ground).astype(np.float32)
    return foot


def _shifted(alpha: Alpha, right: int, down: int) -> Alpha:
    moved = np.array([[1, 0, right], [0, 1, down]], np.float32)
    result: Alpha = cv2.warpAffine(alpha, moved, (alpha.shape[1], alpha.shape[0]))
    return result


def _box(alpha: Alpha) -> tuple[int, int, int, int] | None:
    there = alpha > 0.3
    columns, rows = np.flatnonzero(there.any(0)), np.flatnonzero(there.any(1))
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
